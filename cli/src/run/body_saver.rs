//! Bodies on their way to where they are kept, on threads that may block.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender};
use fetch_driver::Outcome;
use futures_lite::Stream;

use crate::outcome::saved_body::Kept;
use crate::output::record::Recorder;
use crate::save::Store;

/// So many at once; more outcomes are not taken meanwhile, so that the fetching waits for the disk.
const AT_ONCE: usize = 64;

/// Keeps bodies. Their outcomes come back when that is done.
pub(super) struct Keeper {
    done: Pin<Box<Receiver<(Outcome, Kept)>>>,
    fail: bool,
    recorder: Arc<Recorder>,
    running: usize,
    sender: Sender<(Outcome, Kept)>,
    pub(super) store: Arc<Store>,
}

impl Keeper {
    pub(super) fn new(store: Arc<Store>, recorder: Arc<Recorder>, fail: bool) -> Self {
        let (sender, done) = async_channel::unbounded();
        Self {
            done: Box::pin(done),
            fail,
            recorder,
            running: 0,
            sender,
            store,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.running < AT_ONCE
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running == 0
    }

    /// Takes an outcome, unless there is no body to keep.
    #[expect(clippy::result_large_err, reason = "it is handed back, not an error")]
    pub(super) fn take(&mut self, outcome: Outcome) -> Result<(), Outcome> {
        if outcome.result.is_err() {
            return Err(outcome);
        }
        self.running += 1;
        let (store, recorder, fail) = (self.store.clone(), self.recorder.clone(), self.fail);
        let sender = self.sender.clone();
        let keep = move || {
            let kept = store.keep(&outcome, &recorder, fail);
            let _ = sender.try_send((outcome, kept));
        };
        smol::unblock(keep).detach();
        Ok(())
    }

    /// Waits for one that is kept; never ready while there is none.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Outcome, Kept)> {
        match self.done.as_mut().poll_next(cx) {
            Poll::Ready(Some(kept)) => {
                self.running -= 1;
                Poll::Ready(kept)
            }
            _ => Poll::Pending,
        }
    }

    /// Waits for what is being kept still, outside of all polling.
    pub(super) fn drain(&mut self) -> Option<(Outcome, Kept)> {
        self.running = self.running.checked_sub(1)?;
        self.done.recv_blocking().ok()
    }
}
