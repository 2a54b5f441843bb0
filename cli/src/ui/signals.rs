//! Ctrl-C and SIGTERM: the first stops taking URLs, the second everything, the third the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use async_signal::{Signal, Signals};
use futures_lite::StreamExt;

use crate::exit::ExitStatus;

/// What has come so far.
#[derive(Debug)]
pub(crate) struct Seen {
    count: AtomicU32,
    code: AtomicU8,
    /// Called before the process ends at once.
    on_abort: fn(),
}

impl Seen {
    /// How many signals came.
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }

    /// Notes one more, which asks for this exit code. The third ends the process here and now.
    pub(crate) fn note(&self, code: ExitStatus) {
        let _ = self.code.compare_exchange(0, code as u8, Relaxed, Relaxed);
        if self.count.fetch_add(1, Relaxed) == 2 {
            (self.on_abort)();
            std::process::exit(i32::from(self.code()));
        }
    }

    /// The exit code that the first one asks for; 0 before.
    pub(crate) fn code(&self) -> u8 {
        self.code.load(Relaxed)
    }
}

/// Listens on a thread of its own, so that even a busy process can be stopped.
///
/// `on_abort` is called before the third signal ends the process.
pub(crate) fn listen(on_abort: fn()) -> io::Result<Arc<Seen>> {
    #[cfg(unix)]
    let wanted = [Signal::Int, Signal::Term];
    #[cfg(not(unix))]
    let wanted = [Signal::Int];
    let mut signals = Signals::new(wanted)?;
    let seen = Arc::new(Seen {
        count: AtomicU32::new(0),
        code: AtomicU8::new(0),
        on_abort,
    });
    let ours = seen.clone();
    let run = move || {
        smol::block_on(async {
            while let Some(Ok(signal)) = signals.next().await {
                ours.note(match signal {
                    Signal::Term => ExitStatus::Terminated,
                    _ => ExitStatus::Interrupted,
                });
            }
        });
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(run)?;
    Ok(seen)
}
