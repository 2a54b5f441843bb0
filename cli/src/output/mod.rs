//! Where records and lines go: gathered in memory, written by a thread of their own.

pub(crate) mod format;
pub(crate) mod record;
pub(crate) mod replace;
pub(crate) mod target;
mod thread;
pub(crate) mod write_out;

use std::sync::Arc;
use std::time::Duration;

use async_channel::{Sender, TrySendError};

use crate::outcome::item::Item;
use crate::output::format::Encoder;
use crate::output::record::{Id, Recorder, Told};
use crate::state::{Done, Kind};
pub(crate) use target::Target;
pub(crate) use thread::{Output, Written};

/// A buffer of this size is written without waiting for its time.
const FULL: usize = 64 << 10;

/// So is one with news of so many, though there are no records.
const FULL_OF_DONE: usize = 1024;

/// How long is waited before it is tried again to write more.
pub(crate) const PATIENCE: Duration = Duration::from_millis(2);

/// What goes to the writing thread at once.
#[derive(Clone, Debug, Default)]
struct Chunk {
    /// Records, or lines.
    bytes: Vec<u8>,
    /// Whose they are, for the state.
    done: Vec<Done>,
}

/// `None` for what is to be fetched again when the same command goes on: it has its record then.
fn done(told: &Told<'_>) -> Option<Done> {
    let (kind, tag) = match *told {
        Told::Ended(ended) => match ended.verdict.outcome {
            "cancelled" => return None,
            "ok" => (Kind::Ok, ended.outcome.tag),
            _ => (Kind::Failed, ended.outcome.tag),
        },
        Told::Disallowed { request, .. } => (Kind::Failed, request.tag_ref()),
        Told::Invalid { seq, .. } => (Kind::Invalid, seq),
        Told::Skipped { seq, .. } => (Kind::Ok, seq),
    };
    Some(Done { kind, tag })
}

/// What is written, shared by all who write.
pub(crate) struct Form {
    pub(crate) encoder: Box<dyn Encoder>,
    /// Whether a state is told what has its record.
    pub(crate) kept: bool,
    pub(crate) recorder: Arc<Recorder>,
}

/// What became of a flush.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flushed {
    Done,
    /// Too much waits to be written already: try again.
    Full,
    /// The writing has ended, for good or not.
    Gone,
}

/// Gathers records; each of the threads that write has its own.
#[derive(Clone)]
pub(crate) struct Writer {
    also: Option<Box<Self>>,
    chunk: Chunk,
    form: Arc<Form>,
    sender: Sender<Chunk>,
}

impl Writer {
    /// The id that a request for a plain line gets in records and in the state.
    pub(crate) fn id(&self, url: &[u8]) -> Id<'static> {
        self.form.recorder.id_of_line(url)
    }

    /// The same for a row that says more than its URL.
    pub(crate) fn id_of<'a>(&self, url: &str, item: &'a Item) -> Id<'a> {
        self.form.recorder.id(url, Some(item))
    }

    pub(crate) fn tell(&mut self, told: &Told<'_>) {
        let Form {
            encoder,
            kept,
            recorder,
        } = &*self.form;
        encoder.add(&mut self.chunk.bytes, recorder, told);
        if *kept {
            self.chunk.done.extend(done(told));
        }
        if let Some(also) = &mut self.also {
            also.tell(told);
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.chunk.bytes.len() >= FULL
            || self.chunk.done.len() >= FULL_OF_DONE
            || self.also.as_ref().is_some_and(|also| also.is_full())
    }

    /// Hands over what is gathered, if there is room for it.
    pub(crate) fn try_flush(&mut self) -> Flushed {
        match (self.try_flush_own(), &mut self.also) {
            (Flushed::Done, Some(also)) => also.try_flush(),
            (flushed, _) => flushed,
        }
    }

    fn try_flush_own(&mut self) -> Flushed {
        let Some(chunk) = self.take() else {
            return if self.sender.is_closed() {
                Flushed::Gone
            } else {
                Flushed::Done
            };
        };
        match self.sender.try_send(chunk) {
            Ok(()) => Flushed::Done,
            Err(TrySendError::Full(chunk)) => {
                self.chunk = chunk;
                Flushed::Full
            }
            Err(TrySendError::Closed(_)) => Flushed::Gone,
        }
    }

    /// Hands over what is gathered, for a thread that may wait; `None` if the writing has ended.
    pub(crate) fn flush_blocking(&mut self) -> Option<()> {
        match self.take() {
            Some(chunk) => self.sender.send_blocking(chunk).ok(),
            None => (!self.sender.is_closed()).then_some(()),
        }?;
        match &mut self.also {
            Some(also) => also.flush_blocking(),
            None => Some(()),
        }
    }

    /// Lets the writing end when all that was flushed is written.
    pub(crate) fn close(&self) {
        self.sender.close();
        if let Some(also) = &self.also {
            also.close();
        }
    }

    /// Writes the same, in another form, to another place as well.
    pub(crate) fn and(mut self, also: Self) -> Self {
        self.also = Some(Box::new(also));
        self
    }

    fn take(&mut self) -> Option<Chunk> {
        let (bytes, done) = (self.chunk.bytes.len(), self.chunk.done.len());
        let next = || Chunk {
            // A little more than the last one: none is grown just before it is full.
            bytes: Vec::with_capacity(bytes + bytes / 8),
            done: Vec::with_capacity(done),
        };
        (bytes + done > 0).then(|| std::mem::replace(&mut self.chunk, next()))
    }
}
