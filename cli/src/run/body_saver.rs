//! Saving of bodies, on threads that may block.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender};
use fetch_driver::{ErrorKind, FetchError, Outcome};
use futures_lite::Stream;

use crate::outcome::saved_body::SavedBody;
use crate::output::record::RecordBuilder;
use crate::save::BodyStore;

/// The most bodies at once. At this number no more outcomes are accepted, so fetching waits for the
/// disk.
const MAX_CONCURRENT: usize = 64;

/// Saves bodies in the background and returns their outcomes afterwards.
pub(crate) struct BodySaver {
    builder: Arc<RecordBuilder>,
    fail: bool,
    receiver: Pin<Box<Receiver<(Outcome, SavedBody)>>>,
    running: usize,
    sender: Sender<(Outcome, SavedBody)>,
    pub(crate) store: Arc<BodyStore>,
}

impl BodySaver {
    pub(crate) fn new(store: Arc<BodyStore>, builder: Arc<RecordBuilder>, fail: bool) -> Self {
        let (sender, receiver) = async_channel::unbounded();
        Self {
            builder,
            fail,
            receiver: Box::pin(receiver),
            running: 0,
            sender,
            store,
        }
    }

    pub(crate) fn has_capacity(&self) -> bool {
        self.running < MAX_CONCURRENT
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running == 0
    }

    /// Starts to save the body of an outcome; returns the outcome if it failed and so has no body to save, or
    /// if its body is not needed.
    #[expect(
        clippy::result_large_err,
        reason = "the outcome is returned, not an error"
    )]
    pub(crate) fn start(&mut self, outcome: Outcome) -> Result<(), Outcome> {
        if outcome.result.is_err() {
            if !is_cancelled(&outcome) {
                self.store.forget_partial(&outcome, &self.builder);
            }
            if outcome.redirect_responses.is_empty() {
                return Err(outcome);
            }
        }
        if !self.store.needs_body_of(&outcome) {
            return Err(outcome);
        }
        self.running += 1;
        let (store, builder, fail) = (self.store.clone(), self.builder.clone(), self.fail);
        let sender = self.sender.clone();
        let save = move || {
            store.save(outcome, &builder, fail, |outcome, saved| {
                let _ = sender.try_send((outcome, saved));
            });
        };
        smol::unblock(save).detach();
        Ok(())
    }

    /// Waits for the next saved body; pending while none is being saved.
    pub(crate) fn poll_saved(&mut self, cx: &mut Context<'_>) -> Poll<(Outcome, SavedBody)> {
        match self.receiver.as_mut().poll_next(cx) {
            Poll::Ready(Some(saved)) => {
                self.running -= 1;
                Poll::Ready(saved)
            }
            _ => Poll::Pending,
        }
    }

    /// Blocks until the next body is saved; `None` if none is being saved.
    pub(crate) fn wait_saved(&mut self) -> Option<(Outcome, SavedBody)> {
        self.running = self.running.checked_sub(1)?;
        self.receiver.recv_blocking().ok()
    }
}

pub(crate) fn is_cancelled(outcome: &Outcome) -> bool {
    let cancelled = ErrorKind::Fetch(FetchError::Cancelled);
    outcome
        .error()
        .is_some_and(|error| error.kind() == cancelled)
}
