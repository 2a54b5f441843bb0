//! Drawing a picture.

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Row, Sparkline, Table};

use super::picture::{HostRow, Picture};
use crate::display::{Bytes, Time, shown_up_to};
use crate::ui::counts::Left;

/// How things look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    colours: bool,
}

impl Theme {
    /// Without colours where `NO_COLOR` has a value (no-color.org).
    pub(super) fn of_environment() -> Self {
        let none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: !none }
    }

    fn colour(self, colour: Color) -> Style {
        match self.colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    fn good(self) -> Style {
        self.colour(Color::Green)
    }

    fn bad(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn bar(self) -> Style {
        self.colour(Color::Cyan)
    }

    fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }
}

/// Draws all of it.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    picture: &Picture,
    told: &VecDeque<String>,
    theme: Theme,
) {
    let rows = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(4),
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Length(4),
        Constraint::Length(1),
    ]);
    let [head, speed, middle, lower, messages, keys] = rows.areas(frame.area());
    let halves = |area: Rect, left: u16| {
        let parts = [Constraint::Length(left), Constraint::Fill(1)];
        Layout::horizontal(parts).spacing(2).areas::<2>(area)
    };
    let [latency_area, hosts_area] = halves(middle, 30);
    let [retries_area, errors_area] = halves(lower, 30);
    header(frame, head, picture, theme);
    throughput(frame, speed, picture, theme);
    latency(frame, latency_area, picture, theme);
    hosts(frame, hosts_area, &picture.hosts, theme);
    retries(frame, retries_area, picture, theme);
    errors(frame, errors_area, picture, theme);
    let lines = told
        .iter()
        .rev()
        .take(messages.height.saturating_sub(1).into());
    let lines: Vec<_> = lines
        .map(|line| Line::from(shown_up_to(messages.width.into(), line.as_bytes())))
        .rev()
        .collect();
    frame.render_widget(
        Paragraph::new(lines).block(titled("Messages", theme)),
        messages,
    );
    let help = match picture.stopping {
        true => "no more requests begin; q or Ctrl-C again stops at once",
        false => "q or Ctrl-C: begin no more requests, let those in flight end",
    };
    frame.render_widget(Line::from(help), keys);
}

fn titled(title: impl Into<String>, theme: Theme) -> Block<'static> {
    let title = Span::styled(title.into(), theme.title());
    Block::new().borders(Borders::TOP).title(title)
}

fn header(frame: &mut Frame<'_>, area: Rect, picture: &Picture, theme: Theme) {
    let counts = &picture.counts;
    let failed = counts.done - counts.ok;
    let done = match counts.total {
        Some(total) => format!("{} of {total} URLs", counts.done),
        None => format!("{} URLs", counts.done),
    };
    let left = match (counts.total, counts.left) {
        (Some(_), Some(left)) => format!(" · {} left", Left(left)),
        _ => String::new(),
    };
    let bad = if failed > 0 {
        theme.bad()
    } else {
        Style::new()
    };
    let first = Line::from(vec![
        Span::styled("fetch-all ", theme.title()),
        Span::raw(done),
        Span::raw(" · "),
        Span::styled(format!("{} ok", counts.ok), theme.good()),
        Span::raw(" · "),
        Span::styled(format!("{failed} failed"), bad),
        Span::raw(format!(" · {} retries", counts.retries)),
    ]);
    let second = format!(
        "{} in flight · {} received · {}{left}",
        counts.in_flight,
        Bytes(picture.bytes),
        Time(counts.elapsed)
    );
    frame.render_widget(Paragraph::new(vec![first, Line::from(second)]), area);
}

/// The latest, as far as there is room.
fn throughput(frame: &mut Frame<'_>, area: Rect, picture: &Picture, theme: Theme) {
    let all = &picture.throughput;
    let latest = &all[all.len().saturating_sub(area.width.into())..];
    let most = latest.iter().copied().max().unwrap_or_default();
    let title = format!(
        "URLs per second: {:.0}, at the most {most} (a column is {})",
        picture.counts.rate,
        Time(picture.step)
    );
    let sparkline = Sparkline::default()
        .block(titled(title, theme))
        .data(latest)
        .style(theme.bar());
    frame.render_widget(sparkline, area);
}

fn latency(frame: &mut Frame<'_>, area: Rect, picture: &Picture, theme: Theme) {
    let title = picture.times.as_ref().map_or_else(
        || "Time".to_owned(),
        |times| format!("Time p50 {} p99 {}", Time(times.p50), Time(times.p99)),
    );
    let mut bars = picture.latency.clone();
    while bars.len() > usize::from(area.height.saturating_sub(1)).max(1) {
        bars = merged(&bars);
    }
    let most = bars
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(1)
        .max(1);
    let room = u64::from(area.width.saturating_sub(18));
    let line = |(top, count): &(Duration, u64)| {
        let length = (count * room).div_ceil(most) as usize;
        Line::from(vec![
            Span::raw(format!("≤{:>8} ", Time(*top))),
            Span::styled("█".repeat(length), theme.bar()),
            Span::raw(format!(" {count}")),
        ])
    };
    let lines: Vec<_> = bars.iter().map(line).collect();
    frame.render_widget(Paragraph::new(lines).block(titled(title, theme)), area);
}

/// Two bars as one, the last ones of an odd number alone.
fn merged(bars: &[(Duration, u64)]) -> Vec<(Duration, u64)> {
    let pairs = bars.chunks(2);
    pairs
        .map(|pair| {
            let top = pair.last().map_or(Duration::ZERO, |(top, _)| *top);
            (top, pair.iter().map(|(_, count)| count).sum())
        })
        .collect()
}

fn hosts(frame: &mut Frame<'_>, area: Rect, hosts: &[HostRow], theme: Theme) {
    let row = |host: &HostRow| {
        let style = match host.state.starts_with("open") || host.state.contains("rests") {
            true => theme.bad(),
            false => Style::new(),
        };
        Row::new([
            host.name.clone(),
            format!("{:>7}", host.waiting),
            format!("{:>6}", host.flying),
            format!("{:>7}", host.ended),
            format!("{:>7}", Time(host.mean)),
            host.state.clone(),
        ])
        .style(style)
    };
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(7),
        Constraint::Length(6),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(9),
    ];
    let names = ["Host", "waiting", "flying", "   done", "   mean", "breaker"];
    let table = Table::new(hosts.iter().map(row), widths)
        .header(Row::new(names).style(theme.title()))
        .block(titled("Hosts", theme));
    frame.render_widget(table, area);
}

fn retries(frame: &mut Frame<'_>, area: Rect, picture: &Picture, theme: Theme) {
    let lines = picture.retries.iter();
    let lines: Vec<_> = lines
        .map(|(cause, count)| Line::from(format!("{count:>7} {cause}")))
        .collect();
    frame.render_widget(
        Paragraph::new(lines).block(titled("Retries after", theme)),
        area,
    );
}

fn errors(frame: &mut Frame<'_>, area: Rect, picture: &Picture, theme: Theme) {
    let lines = picture.errors.iter().map(|(kind, count, advice)| {
        Line::from(vec![
            Span::styled(format!("{count:>7} {kind:<11} "), theme.bad()),
            Span::raw(*advice),
        ])
    });
    let lines: Vec<_> = lines.collect();
    frame.render_widget(Paragraph::new(lines).block(titled("Not ok", theme)), area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::ui::counts::Counts;

    fn picture() -> Picture {
        Picture {
            bytes: 2048,
            counts: Counts {
                done: 60,
                in_flight: 7,
                left: Some(Duration::from_secs(40)),
                ok: 57,
                rate: 12.3,
                retries: 4,
                total: Some(500),
                ..Counts::default()
            },
            errors: vec![("404".to_owned(), 3, "check these URLs")],
            hosts: vec![HostRow {
                ended: 60,
                flying: 7,
                mean: Duration::from_millis(120),
                name: "a.test".to_owned(),
                state: "open".to_owned(),
                waiting: 440,
            }],
            latency: (0..20)
                .map(|n| (Duration::from_millis(1 << n), n))
                .collect(),
            retries: vec![("503".to_owned(), 4)],
            step: Duration::from_millis(100),
            throughput: vec![0, 5, 20],
            ..Picture::default()
        }
    }

    fn drawn(width: u16, height: u16, colours: bool) -> (String, bool) {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let told = (0..9).map(|n| format!("line {n}\x1b[31m")).collect();
        let draw_it = |frame: &mut Frame<'_>| draw(frame, &picture(), &told, Theme { colours });
        terminal.draw(draw_it).unwrap();
        let buffer = terminal.backend().buffer();
        let cells = buffer.content();
        let rows = cells.chunks(width.into()).map(|row| {
            let text: String = row.iter().map(|cell| cell.symbol()).collect();
            text + "\n"
        });
        let coloured = cells.iter().any(|cell| cell.fg != Color::Reset);
        (rows.collect(), coloured)
    }

    #[test]
    fn everything_is_on_a_common_terminal() {
        let (text, coloured) = drawn(80, 24, true);
        for part in [
            "60 of 500 URLs · 57 ok · 3 failed · 4 retries",
            "7 in flight · 2.0 KiB received",
            "40 s left",
            "URLs per second: 12, at the most 20",
            "a.test",
            "440",
            "120 ms open",
            "3 404         check these URLs",
            "4 503",
            "line 8\\u{1b}[31m",
            "q or Ctrl-C",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(coloured);
        let bars = text.lines().filter(|line| line.contains('≤')).count();
        assert!((3..=8).contains(&bars), "as many bars as there is room for");
    }

    #[test]
    fn no_colours_where_none_are_wanted_and_no_size_is_too_small() {
        assert!(!drawn(80, 24, false).1);
        for (width, height) in [(1, 1), (20, 5), (300, 100)] {
            drawn(width, height, true);
        }
    }
}
