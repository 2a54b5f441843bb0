//! Ctrl-C and SIGTERM: the first signal stops new requests, the second the run, the third the
//! process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use async_signal::{Signal, Signals};
use futures_lite::StreamExt;

use crate::exit::ExitStatus;

/// The signals so far.
#[derive(Debug)]
pub(crate) struct SignalState {
    count: AtomicU32,
    code: AtomicU8,
    /// Called before the third signal ends the process.
    on_abort: fn(),
}

impl SignalState {
    /// The number of signals.
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }

    /// Records a signal with its exit code. The third one ends the process.
    pub(crate) fn record(&self, code: ExitStatus) {
        let _ = self.code.compare_exchange(0, code as u8, Relaxed, Relaxed);
        if self.count.fetch_add(1, Relaxed) == 2 {
            (self.on_abort)();
            std::process::exit(i32::from(self.code()));
        }
    }

    /// The exit code of the first signal; 0 before it.
    pub(crate) fn code(&self) -> u8 {
        self.code.load(Relaxed)
    }
}

/// Listens on a separate thread, so that a busy process can be stopped, too.
///
/// `on_abort` is called before the third signal ends the process.
pub(crate) fn listen(on_abort: fn()) -> io::Result<Arc<SignalState>> {
    #[cfg(unix)]
    let wanted = [Signal::Int, Signal::Term];
    #[cfg(not(unix))]
    let wanted = [Signal::Int];
    let mut signals = Signals::new(wanted)?;
    let state = Arc::new(SignalState {
        count: AtomicU32::new(0),
        code: AtomicU8::new(0),
        on_abort,
    });
    let listener_state = state.clone();
    let run = move || {
        smol::block_on(async {
            while let Some(Ok(signal)) = signals.next().await {
                listener_state.record(match signal {
                    Signal::Term => ExitStatus::Terminated,
                    _ => ExitStatus::Interrupted,
                });
            }
        });
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(run)?;
    Ok(state)
}
