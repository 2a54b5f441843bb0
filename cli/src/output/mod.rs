//! Records: their fields, formats and destinations, and the buffers in which they are collected.

pub(crate) mod etag_file;
pub(crate) mod format;
pub(crate) mod head_dump;
pub(crate) mod record;
pub(crate) mod replace;
pub(crate) mod target;
pub(crate) mod write_out;

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use async_channel::{Sender, TrySendError};

use crate::outcome::kind::OutcomeKind;
use crate::outcome::row::RowAttachment;
use crate::outcome::saved_body::ArchiveEnds;
use crate::output::format::RecordEncoder;
use crate::output::record::{Record, RecordBuilder, RecordId, RecordInput};
use fetch_driver::Request;
use fetch_state::{CompletedRequest, CompletionKind};
pub(crate) use target::OutputTarget;

/// A buffer of this size, in bytes, is full.
const MAX_BYTES: usize = 64 << 10;

/// A buffer of this many completed requests is full, even without records.
const MAX_COMPLETED: usize = 1024;

/// The wait before another attempt to write to a full queue.
pub(crate) const RETRY_DELAY: Duration = Duration::from_millis(2);

/// The names of the columns of CSV.
pub(crate) fn record_columns() -> impl Iterator<Item = &'static str> {
    Record::columns().map(|column| column.name)
}

/// One buffer, as the writing thread receives it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputChunk {
    /// The ends of the archives after the bodies of these records.
    pub(crate) archived: ArchiveEnds,
    /// Records, or lines.
    pub(crate) bytes: Vec<u8>,
    /// The requests of these records, for the state.
    pub(crate) completed: Vec<CompletedRequest>,
}

/// The completed request, for the state. `None` for a cancelled fetch, which the next run repeats.
fn completed(input: &RecordInput<'_>) -> Option<CompletedRequest> {
    let (kind, tag) = match *input {
        RecordInput::Fetched(result) => match result.class.kind {
            OutcomeKind::Cancelled => return None,
            OutcomeKind::Ok => (CompletionKind::Ok, result.outcome.tag),
            _ => (CompletionKind::Failed, result.outcome.tag),
        },
        RecordInput::Disallowed { request, .. } => (CompletionKind::Failed, request.tag_value()),
        RecordInput::Invalid { seq, .. } => (CompletionKind::Invalid, seq),
        RecordInput::Skipped { seq, .. } => (CompletionKind::Ok, seq),
    };
    Some(CompletedRequest { kind, tag })
}

/// How records are encoded, shared by all writers.
pub(crate) struct OutputEncoding {
    pub(crate) builder: Arc<RecordBuilder>,
    pub(crate) encoder: Box<dyn RecordEncoder>,
    /// Whether a resume state keeps track of completed requests.
    pub(crate) has_state: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FlushResult {
    /// The writing thread has ended, with or without an error.
    Closed,
    Done,
    /// The queue is full: try again.
    Full,
}

/// Collects records in a buffer. Each thread has its own.
#[derive(Clone)]
pub(crate) struct RecordWriter {
    /// Writes the same records in another encoding.
    also: Option<Box<Self>>,
    chunk: OutputChunk,
    encoding: Arc<OutputEncoding>,
    queue: Arc<QueueProgress>,
    sender: Sender<OutputChunk>,
}

/// How far a writing thread is.
#[derive(Debug, Default)]
pub(crate) struct QueueProgress {
    /// Whether the thread has ended.
    pub(crate) ended: AtomicBool,
    /// The number of buffers that were sent.
    queued: AtomicU64,
    /// The number of buffers that were written.
    pub(crate) written: AtomicU64,
}

impl QueueProgress {
    /// Waits until all buffers that were sent before this call are written. False if the thread has
    /// ended before that.
    pub(crate) fn wait_written(&self) -> bool {
        let queued = self.queued.load(Relaxed);
        while self.written.load(Acquire) < queued {
            if self.ended.load(Acquire) {
                return self.written.load(Acquire) >= queued;
            }
            std::thread::sleep(RETRY_DELAY);
        }
        true
    }
}

impl RecordWriter {
    /// A writer whose buffers go to `sender`.
    pub(crate) fn new(
        encoding: Arc<OutputEncoding>,
        sender: Sender<OutputChunk>,
        queue: Arc<QueueProgress>,
    ) -> Self {
        Self {
            also: None,
            chunk: OutputChunk::default(),
            encoding,
            queue,
            sender,
        }
    }

    /// The id of a plain line, in records and in the state.
    pub(crate) fn line_id(&self, url: &[u8]) -> RecordId<'static> {
        self.encoding.builder.id_of_line(url)
    }

    /// The id of a request, in records and in the state.
    pub(crate) fn request_id<'a>(
        &self,
        request: &Request,
        row: Option<&'a RowAttachment>,
    ) -> RecordId<'a> {
        self.encoding.builder.id(request.text(), row)
    }

    /// The attachment of a request without a row, if it is not sent as it is written.
    pub(crate) fn attachment(&self, request: &Request) -> Option<RowAttachment> {
        let is_as_written =
            request.headers_ref().is_empty() && request.sent_url() == request.text();
        (!is_as_written).then(|| RowAttachment {
            carried: None,
            checksum: None,
            id: None,
            identity: self.encoding.builder.identity(request),
            method: request.method().clone(),
            out: None,
        })
    }

    pub(crate) fn push(&mut self, input: &RecordInput<'_>) {
        let OutputEncoding {
            builder,
            encoder,
            has_state,
        } = &*self.encoding;
        encoder.encode(&mut self.chunk.bytes, builder, input);
        if *has_state {
            self.chunk.completed.extend(completed(input));
            if let RecordInput::Fetched(result) = *input
                && let Some(saved) = result.saved
            {
                let (last, saved) = (&mut self.chunk.archived, saved.archived);
                last.tar = saved.tar.or(last.tar);
                last.warc = saved.warc.or(last.warc);
            }
        }
        if let Some(also) = &mut self.also {
            also.push(input);
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.chunk.bytes.len() >= MAX_BYTES
            || self.chunk.completed.len() >= MAX_COMPLETED
            || self.also.as_ref().is_some_and(|also| also.is_full())
    }

    /// Sends the buffer to the writing thread, unless the queue is full. The other encoding goes first:
    /// a record is completed only after its line of `-w` is written.
    pub(crate) fn try_flush(&mut self) -> FlushResult {
        match self.also.as_mut().map(|also| also.try_flush()) {
            None | Some(FlushResult::Done) => self.try_flush_own(),
            Some(result) => result,
        }
    }

    fn try_flush_own(&mut self) -> FlushResult {
        let Some(chunk) = self.take_chunk() else {
            return if self.sender.is_closed() {
                FlushResult::Closed
            } else {
                FlushResult::Done
            };
        };
        self.queue.queued.fetch_add(1, Relaxed);
        match self.sender.try_send(chunk) {
            Ok(()) => FlushResult::Done,
            Err(TrySendError::Full(chunk)) => {
                self.queue.queued.fetch_sub(1, Relaxed);
                self.chunk = chunk;
                FlushResult::Full
            }
            Err(TrySendError::Closed(_)) => FlushResult::Closed,
        }
    }

    /// Sends the buffer, and blocks while the queue is full; `None` if the writing thread has
    /// ended.
    pub(crate) fn flush_blocking(&mut self) -> Option<()> {
        if let Some(also) = &mut self.also {
            also.flush_blocking()?;
        }
        match self.take_chunk() {
            Some(chunk) => {
                self.queue.queued.fetch_add(1, Relaxed);
                self.sender.send_blocking(chunk).ok()
            }
            None => (!self.sender.is_closed()).then_some(()),
        }
    }

    /// Ends the writing thread after everything that was flushed is written.
    pub(crate) fn close(&self) {
        self.sender.close();
        if let Some(also) = &self.also {
            also.close();
        }
    }

    /// Adds a writer that writes the same records.
    pub(crate) fn and(mut self, also: Self) -> Self {
        self.also = Some(Box::new(also));
        self
    }

    fn take_chunk(&mut self) -> Option<OutputChunk> {
        let (bytes, completed) = (self.chunk.bytes.len(), self.chunk.completed.len());
        let next = || OutputChunk {
            archived: ArchiveEnds::default(),
            // A little more than the last buffer, so that it does not grow just before it is full.
            bytes: Vec::with_capacity(bytes + bytes / 8),
            completed: Vec::with_capacity(completed),
        };
        (bytes + completed > 0).then(|| std::mem::replace(&mut self.chunk, next()))
    }
}
