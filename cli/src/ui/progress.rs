//! Progress on stderr: a bar, lines, a screen, or nothing.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ratatui::crossterm::terminal;

use crate::mutex::lock;
use crate::ui::counts::ProgressCounts;
use crate::ui::screen::TuiScreen;
use crate::ui::signals::SignalState;

/// The form of the progress display.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ProgressView {
    Bar,
    /// A line at this interval.
    Lines(Duration),
    None,
    /// The whole terminal.
    Screen,
}

impl ProgressView {
    /// The form that suits stderr. `interval` is the interval of lines; zero means no lines.
    pub(crate) fn for_stderr(tui: bool, interval: Duration) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match io::stderr().is_terminal() && !dumb {
            true if tui => Self::Screen,
            true => Self::Bar,
            false if interval.is_zero() => Self::None,
            false => Self::Lines(interval),
        }
    }
}

/// The progress display. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct ProgressDisplay {
    bar: ProgressBar,
    lines: Option<Arc<ProgressLines>>,
    screen: Option<Arc<TuiScreen>>,
}

#[derive(Debug)]
struct ProgressLines {
    every: Duration,
    /// The time of the last line.
    last: Mutex<Duration>,
}

/// The template while the total is unknown.
const SPINNER_TEMPLATE: &str = "{spinner} {elapsed} · {wide_msg}";
const BAR_TEMPLATE: &str = "{bar:16} {wide_msg}";

/// The columns that the templates use besides the message.
const USED_COLUMNS: usize = 17;

impl ProgressDisplay {
    /// Keys on the screen that stop the run are recorded in `signals`.
    pub(crate) fn new(view: ProgressView, signals: &Arc<SignalState>) -> Self {
        let target = match view {
            ProgressView::Bar => ProgressDrawTarget::stderr_with_hz(10),
            ProgressView::Lines(_) | ProgressView::None | ProgressView::Screen => {
                ProgressDrawTarget::hidden()
            }
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style(SPINNER_TEMPLATE));
        if view == ProgressView::Bar {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        let lines = match view {
            ProgressView::Lines(every) => Some(Arc::new(ProgressLines {
                every,
                last: Mutex::default(),
            })),
            ProgressView::Bar | ProgressView::None | ProgressView::Screen => None,
        };
        let mut progress = Self {
            bar,
            lines,
            screen: None,
        };
        if view == ProgressView::Screen {
            match TuiScreen::open(signals.clone()) {
                Ok(screen) => progress.screen = Some(Arc::new(screen)),
                Err(error) => {
                    progress.print_message(&format!("--tui: the terminal cannot be used: {error}"));
                }
            }
        }
        progress
    }

    /// The screen, if there is one.
    pub(crate) fn screen(&self) -> Option<&TuiScreen> {
        self.screen.as_deref()
    }

    /// Whether a bar is on the terminal, which other output must not overwrite.
    pub(crate) fn has_bar(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Shows the counts, and behind them `details`, which may be empty.
    pub(crate) fn update(&self, counts: &ProgressCounts, details: &str) {
        if let Some(lines) = &self.lines {
            if lines.is_due(counts.elapsed) {
                self.print_message(&format!("{counts}{details}"));
            }
            return;
        }
        if !self.has_bar() {
            return;
        }
        if let Some(total) = counts.total
            && self.bar.length() != Some(total)
        {
            self.bar.set_length(total);
            self.bar.set_style(style(BAR_TEMPLATE));
        }
        self.bar.set_position(counts.done);
        let columns = terminal::size().map_or(80, |(columns, _)| columns.into());
        // The details get half of the line, if they need it.
        let room = usize::saturating_sub(columns, USED_COLUMNS);
        let counts = counts.fit(room - details.chars().count().min(room / 2));
        self.bar.set_message(format!("{counts}{details}"));
    }

    /// Runs `write` while the bar is hidden.
    pub(crate) fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }

    /// Prints a message on stderr, or on the screen. An error is ignored.
    pub(crate) fn print_message(&self, message: &str) {
        let _ = self.print_line(format!("fetch-all: {message}\n").as_bytes());
    }

    fn print_line(&self, line: &[u8]) -> io::Result<()> {
        if let Some(screen) = &self.screen
            && screen.push_message(&String::from_utf8_lossy(line))
        {
            return Ok(());
        }
        self.suspend(|| io::stderr().write_all(line))
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
        if let Some(screen) = &self.screen {
            screen.close();
        }
    }
}

/// Clears the display on drop, so that the terminal is restored after an error, too.
pub(crate) struct ClearOnDrop(pub(crate) ProgressDisplay);

impl Drop for ClearOnDrop {
    fn drop(&mut self) {
        self.0.clear();
    }
}

impl ProgressLines {
    fn is_due(&self, now: Duration) -> bool {
        let mut last = lock(&self.last);
        let due = now >= *last + self.every;
        if due {
            *last = now;
        }
        due
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are valid")
}

/// stderr for the log: lines are printed above the bar.
pub(crate) struct ConsoleWriter(pub(crate) ProgressDisplay);

impl Write for ConsoleWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.print_line(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_due_at_the_interval() {
        let lines = ProgressLines {
            every: Duration::from_secs(10),
            last: Mutex::default(),
        };
        let due = [3, 11, 12, 20, 21].map(|at| lines.is_due(Duration::from_secs(at)));
        assert_eq!(due, [false, true, false, false, true]);
    }
}
