//! The bar on stderr.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar, or nothing where it is not wanted. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Progress(ProgressBar);

/// What the bar tells.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) done: u64,
    pub(crate) ok: u64,
    pub(crate) retries: u64,
    pub(crate) in_flight: u64,
    /// How many there will be, once that is known.
    pub(crate) total: Option<u64>,
}

const COUNTING: &str = "{spinner} {human_pos} done · {msg} · {elapsed}";
const KNOWN: &str = "{bar:16} {human_pos}/{human_len} · {msg} · {eta} left";

impl Progress {
    /// A bar if it is `wanted` and stderr is a terminal.
    pub(crate) fn new(wanted: bool) -> Self {
        let target = match wanted {
            true => ProgressDrawTarget::stderr_with_hz(10),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style(COUNTING));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    pub(crate) fn is_shown(&self) -> bool {
        !self.0.is_hidden()
    }

    pub(crate) fn set(&self, counts: Counts) {
        if !self.is_shown() {
            return;
        }
        if let Some(total) = counts.total.filter(|total| self.0.length() != Some(*total)) {
            self.0.set_length(total);
            self.0.set_style(style(KNOWN));
        }
        let Counts {
            done,
            ok,
            retries,
            in_flight,
            ..
        } = counts;
        self.0.set_position(done);
        let failed = done - ok;
        let rate = self.0.per_sec();
        self.0.set_message(format!(
            "{rate:.0}/s · {ok} ok · {failed} failed · {retries} retries · {in_flight} in flight"
        ));
    }

    /// Runs `write` while the bar is out of the way.
    pub(crate) fn suspend<R>(&self, write: impl FnOnce() -> R) -> R {
        self.0.suspend(write)
    }

    /// Prints a line on stderr. Nobody is left to tell if that fails.
    pub(crate) fn tell(&self, message: &str) {
        self.suspend(|| {
            let _ = writeln!(io::stderr(), "fetch-all: {message}");
        });
    }

    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are valid")
}

/// stderr, for the log: each line above the bar.
pub(crate) struct Console(pub(crate) Progress);

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .suspend(|| io::stderr().write_all(bytes))
            .map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
