//! Drawing of a view.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Row, Sparkline, Table};

use super::view::{HostRow, ScreenView};
use crate::display::{ByteSize, ShortDuration, plural, sanitize_up_to, shorten_middle};
use crate::ui::counts::TimeLeft;

/// The styles of the screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScreenTheme {
    colours: bool,
}

impl ScreenTheme {
    /// Has no colours if `NO_COLOR` is set (no-color.org).
    pub(super) fn from_environment() -> Self {
        let none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: !none }
    }

    fn colour(self, colour: Color) -> Style {
        match self.colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    fn success(self) -> Style {
        self.colour(Color::Green)
    }

    fn failure(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn bar(self) -> Style {
        self.colour(Color::Cyan)
    }

    fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }
}

pub(super) fn draw(
    frame: &mut Frame<'_>,
    view: &ScreenView,
    messages: &VecDeque<String>,
    theme: ScreenTheme,
) {
    let rows = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(4),
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Length(4),
        Constraint::Length(1),
    ]);
    let [
        header_area,
        throughput_area,
        middle,
        lower,
        messages_area,
        help_area,
    ] = rows.areas(frame.area());
    let halves = |area: Rect, left: u16| {
        let parts = [Constraint::Length(left), Constraint::Fill(1)];
        Layout::horizontal(parts).spacing(2).areas::<2>(area)
    };
    // Host names get most of a narrow terminal, and the bars a part of a wide one.
    let left = (frame.area().width * 3 / 10).clamp(22, 60);
    let [latency_area, hosts_area] = halves(middle, left);
    let [retries_area, errors_area] = halves(lower, left);
    draw_header(frame, header_area, view, theme);
    draw_throughput(frame, throughput_area, view, theme);
    draw_latency(frame, latency_area, view, theme);
    draw_hosts(frame, hosts_area, &view.hosts, theme);
    draw_retries(frame, retries_area, view, theme);
    draw_errors(frame, errors_area, view, theme);
    let lines = messages
        .iter()
        .rev()
        .take(messages_area.height.saturating_sub(1).into());
    let lines: Vec<_> = lines
        .map(|line| Line::from(sanitize_up_to(messages_area.width.into(), line.as_bytes())))
        .rev()
        .collect();
    frame.render_widget(
        Paragraph::new(lines).block(titled_block("Messages", theme)),
        messages_area,
    );
    let help = match view.stopping {
        true => "stopping: waiting for requests in flight (q or Ctrl-C again to abort)",
        false => "q or Ctrl-C: stop after the requests in flight",
    };
    frame.render_widget(Line::from(help), help_area);
}

fn titled_block(title: impl Into<String>, theme: ScreenTheme) -> Block<'static> {
    let title = Span::styled(title.into(), theme.title());
    Block::new().borders(Borders::TOP).title(title)
}

fn draw_header(frame: &mut Frame<'_>, area: Rect, view: &ScreenView, theme: ScreenTheme) {
    let counts = &view.counts;
    let failed = counts.done - counts.ok;
    let done = match counts.total {
        Some(total) => format!("{} of {}", counts.done, plural(total, "URL", "URLs")),
        None => plural(counts.done, "URL", "URLs"),
    };
    let left = match (counts.total, counts.time_left) {
        (Some(_), Some(left)) => format!(" · {} left", TimeLeft(left)),
        _ => String::new(),
    };
    let bad = if failed > 0 {
        theme.failure()
    } else {
        Style::new()
    };
    let first = Line::from(vec![
        Span::styled("fetch-all ", theme.title()),
        Span::raw(done),
        Span::raw(" · "),
        Span::styled(format!("{} ok", counts.ok), theme.success()),
        Span::raw(" · "),
        Span::styled(format!("{failed} failed"), bad),
        Span::raw(format!(" · {}", plural(counts.retries, "retry", "retries"))),
    ]);
    let second = format!(
        "{} in flight · {} received · {}{left}",
        counts.in_flight,
        ByteSize(view.bytes),
        ShortDuration(counts.elapsed)
    );
    frame.render_widget(Paragraph::new(vec![first, Line::from(second)]), area);
}

/// Draws the latest steps that fit.
fn draw_throughput(frame: &mut Frame<'_>, area: Rect, view: &ScreenView, theme: ScreenTheme) {
    let all = &view.throughput;
    let latest = &all[all.len().saturating_sub(area.width.into())..];
    let most = latest.iter().copied().max().unwrap_or_default();
    let title = format!(
        "URLs per second: {:.0}, peak {most} (one column is {})",
        view.counts.rate,
        ShortDuration(view.step)
    );
    let sparkline = Sparkline::default()
        .block(titled_block(title, theme))
        .data(latest)
        .style(theme.bar());
    frame.render_widget(sparkline, area);
}

fn draw_latency(frame: &mut Frame<'_>, area: Rect, view: &ScreenView, theme: ScreenTheme) {
    let title = view.times.as_ref().map_or_else(
        || "Latency".to_owned(),
        |times| {
            format!(
                "Latency p50 {} p99 {}",
                ShortDuration(times.p50),
                ShortDuration(times.p99)
            )
        },
    );
    let mut bars = view.latency.clone();
    while bars.len() > usize::from(area.height.saturating_sub(1)).max(1) {
        bars = merge_pairs(&bars);
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
            Span::raw(format!("≤{:>8} ", ShortDuration(*top))),
            Span::styled("█".repeat(length), theme.bar()),
            Span::raw(format!(" {count}")),
        ])
    };
    let lines: Vec<_> = bars.iter().map(line).collect();
    frame.render_widget(
        Paragraph::new(lines).block(titled_block(title, theme)),
        area,
    );
}

/// Merges each pair of bars into one.
fn merge_pairs(bars: &[(Duration, u64)]) -> Vec<(Duration, u64)> {
    let pairs = bars.chunks(2);
    pairs
        .map(|pair| {
            let top = pair.last().map_or(Duration::ZERO, |(top, _)| *top);
            (top, pair.iter().map(|(_, count)| count).sum())
        })
        .collect()
}

fn draw_hosts(frame: &mut Frame<'_>, area: Rect, hosts: &[HostRow], theme: ScreenTheme) {
    const NAMES: [&str; 6] = ["Host", "waiting", "active", "done", "mean", "breaker"];
    let cells = |host: &HostRow| {
        [
            host.name.clone(),
            host.waiting.to_string(),
            host.in_flight.to_string(),
            host.ended.to_string(),
            ShortDuration(host.mean).to_string(),
            host.state.clone(),
        ]
    };
    let rows: Vec<_> = hosts.iter().map(cells).collect();
    let mut widths = NAMES.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths[0] = host_width(area.width, widths);
    let lines = hosts.iter().zip(rows).map(|(host, mut row)| {
        row[0] = shorten_middle(&row[0], widths[0]).into_owned();
        for (cell, width) in row.iter_mut().zip(widths).take(5).skip(1) {
            *cell = format!("{cell:>width$}");
        }
        let style = match host.is_blocked {
            true => theme.failure(),
            false => Style::new(),
        };
        Row::new(row).style(style)
    });
    let mut names = NAMES.map(str::to_owned);
    for (name, width) in names.iter_mut().zip(widths).take(5).skip(1) {
        *name = format!("{name:>width$}");
    }
    let columns = widths.map(|width| Constraint::Length(width.try_into().unwrap_or(u16::MAX)));
    let table = Table::new(lines, columns)
        .header(Row::new(names).style(theme.title()))
        .block(titled_block("Hosts", theme));
    frame.render_widget(table, area);
}

/// The width of the host column: that of the longest name, as far as the other columns leave room. The
/// state of the breaker, which is the last column, is cut before the names get shorter than this.
fn host_width(area: u16, widths: [usize; 6]) -> usize {
    const MIN_HOST: usize = 16;
    let others: usize = widths[1..].iter().map(|width| width + 1).sum();
    let room = usize::from(area).saturating_sub(others).max(MIN_HOST);
    widths[0].min(room)
}

fn draw_retries(frame: &mut Frame<'_>, area: Rect, view: &ScreenView, theme: ScreenTheme) {
    let lines = view.retries.iter();
    let lines: Vec<_> = lines
        .map(|(cause, count)| Line::from(format!("{count:>7} {cause}")))
        .collect();
    frame.render_widget(
        Paragraph::new(lines).block(titled_block("Causes of retries", theme)),
        area,
    );
}

fn draw_errors(frame: &mut Frame<'_>, area: Rect, view: &ScreenView, theme: ScreenTheme) {
    let lines = view.errors.iter().map(|(error, count, fix)| {
        Line::from(vec![
            Span::styled(format!("{count:>7} {error:<11} "), theme.failure()),
            Span::raw(shorten_end(fix, usize::from(area.width).saturating_sub(20))),
        ])
    });
    let lines: Vec<_> = lines.collect();
    frame.render_widget(
        Paragraph::new(lines).block(titled_block("Failures", theme)),
        area,
    );
}

/// A text of at most `max` characters, with an ellipsis if it is longer.
fn shorten_end(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        None => text.into(),
        Some(_) => {
            let kept: String = text.chars().take(max.saturating_sub(1)).collect();
            format!("{}…", kept.trim_end()).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::ui::counts::ProgressCounts;

    fn view() -> ScreenView {
        ScreenView {
            bytes: 2048,
            counts: ProgressCounts {
                done: 60,
                in_flight: 7,
                time_left: Some(Duration::from_secs(40)),
                ok: 57,
                rate: 12.3,
                retries: 4,
                total: Some(500),
                ..ProgressCounts::default()
            },
            errors: vec![("404".to_owned(), 3, "check these URLs")],
            hosts: vec![HostRow {
                ended: 60,
                is_blocked: true,
                in_flight: 7,
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
            ..ScreenView::default()
        }
    }

    fn drawn(width: u16, height: u16, colours: bool) -> (String, bool) {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let messages = (0..9).map(|n| format!("line {n}\x1b[31m")).collect();
        let draw_it =
            |frame: &mut Frame<'_>| draw(frame, &view(), &messages, ScreenTheme { colours });
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
    fn everything_fits_on_a_common_terminal() {
        let (text, coloured) = drawn(80, 24, true);
        for part in [
            "60 of 500 URLs · 57 ok · 3 failed · 4 retries",
            "7 in flight · 2.0 KiB received",
            "40 s left",
            "URLs per second: 12, peak 20",
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
        assert!((3..=8).contains(&bars), "as many bars as fit");
    }

    #[test]
    fn colours_are_optional_and_any_size_works() {
        assert!(!drawn(80, 24, false).1);
        for (width, height) in [(1, 1), (20, 5), (300, 100)] {
            drawn(width, height, true);
        }
    }
}
