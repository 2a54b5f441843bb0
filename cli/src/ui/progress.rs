//! What is shown on stderr while it goes on: a bar, lines, or nothing.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ui::counts::Counts;
use crate::ui::screen::Screen;
use crate::ui::signals::Seen;

/// How it is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum View {
    Bar,
    /// A line this often.
    Lines(Duration),
    None,
    /// The whole terminal.
    Screen,
}

impl View {
    /// What suits stderr; `interval` is that of lines, zero being none.
    pub(crate) fn suited(tui: bool, interval: Duration) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match io::stderr().is_terminal() && !dumb {
            true if tui => Self::Screen,
            true => Self::Bar,
            false if interval.is_zero() => Self::None,
            false => Self::Lines(interval),
        }
    }
}

/// The bar or the lines, or nothing where none is wanted. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    lines: Option<Arc<Lines>>,
    screen: Option<Arc<Screen>>,
}

#[derive(Debug)]
struct Lines {
    every: Duration,
    /// When the last one was due.
    told: Mutex<Duration>,
}

const COUNTING: &str = "{spinner} {msg} · {elapsed}";
const KNOWN: &str = "{bar:16} {msg}";

impl Progress {
    /// `signals` are told of keys that ask for the end.
    pub(crate) fn new(view: View, signals: &Arc<Seen>) -> Self {
        let target = match view {
            View::Bar => ProgressDrawTarget::stderr_with_hz(10),
            View::Lines(_) | View::None | View::Screen => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style(COUNTING));
        if view == View::Bar {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        let lines = match view {
            View::Lines(every) => Some(Arc::new(Lines {
                every,
                told: Mutex::default(),
            })),
            View::Bar | View::None | View::Screen => None,
        };
        let mut progress = Self {
            bar,
            lines,
            screen: None,
        };
        if view == View::Screen {
            match Screen::open(signals.clone()) {
                Ok(screen) => progress.screen = Some(Arc::new(screen)),
                Err(error) => progress.tell(&format!("--tui: the terminal is of no use: {error}")),
            }
        }
        progress
    }

    /// The screen, if there is one.
    pub(crate) fn screen(&self) -> Option<&Screen> {
        self.screen.as_deref()
    }

    /// Whether there is a bar, which what else is printed would run into.
    pub(crate) fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    pub(crate) fn set(&self, counts: &Counts) {
        if let Some(lines) = &self.lines {
            if lines.is_due(counts.elapsed) {
                self.tell(&counts.to_string());
            }
            return;
        }
        if !self.is_shown() {
            return;
        }
        if let Some(total) = counts.total
            && self.bar.length() != Some(total)
        {
            self.bar.set_length(total);
            self.bar.set_style(style(KNOWN));
        }
        self.bar.set_position(counts.done);
        self.bar.set_message(counts.to_string());
    }

    /// Runs `write` while the bar is out of the way.
    pub(crate) fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        self.bar.suspend(write)
    }

    /// Prints a line on stderr. Nobody is left to tell if that fails.
    pub(crate) fn tell(&self, message: &str) {
        let _ = self.print(format!("fetch-all: {message}\n").as_bytes());
    }

    /// Puts a line where lines go now.
    fn print(&self, line: &[u8]) -> io::Result<()> {
        if let Some(screen) = &self.screen
            && screen.tell(&String::from_utf8_lossy(line))
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

/// Takes away what is shown when it goes out of scope, however that comes about: a terminal is
/// given back even after an error.
pub(crate) struct Cleared(pub(crate) Progress);

impl Drop for Cleared {
    fn drop(&mut self) {
        self.0.clear();
    }
}

impl Lines {
    fn is_due(&self, now: Duration) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = now >= *told + self.every;
        if due {
            *told = now;
        }
        due
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are valid")
}

/// stderr, for the log: each line above the bar.
pub(crate) struct Console(pub(crate) Progress);

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.print(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_when_its_time_has_come() {
        let lines = Lines {
            every: Duration::from_secs(10),
            told: Mutex::default(),
        };
        let due = [3, 11, 12, 20, 21].map(|at| lines.is_due(Duration::from_secs(at)));
        assert_eq!(due, [false, true, false, false, true]);
    }
}
