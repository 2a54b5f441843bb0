//! One partition, from its claim to its last record.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_channel::Receiver;
use fetch_driver::{FetchAll, Fetcher, Outcome, Request};
use fetch_scale::{ListPartitioner, PartitionLog, Results, RunDescription, ScaleError, SeqRanges};
use futures_lite::future;

use super::gate::GatedSmol;
use crate::args::UrlColumn;
use crate::input::{
    ListFormat, ListReader, RequestStream, RequestTemplate, SharedProgress, UrlSource,
};
use crate::outcome::class::OutcomeClass;
use crate::outcome::result::FetchResult;
use crate::outcome::saved_body::SavedBody;
use crate::output::record::{RecordBuilder, RecordInput};
use crate::output::target::print_message;
use crate::output::{OutputChunk, OutputEncoding, QueueProgress, RecordWriter};
use crate::robots::AdmittedRequests;
use crate::run::{BodySaver, RunEvent, RunEvents, is_cancelled};
use crate::save::BodyStore;

/// The longest time before finished records are committed.
const COMMIT_INTERVAL: Duration = Duration::from_secs(2);

/// Records of this many bytes are committed at once.
const COMMIT_BYTES: usize = 64 << 20;

/// The most URLs that are started one by one in one delivery.
const MAX_ALONE: usize = 1_000;

/// The time between two attempts to write to a store that fails.
const RETRY: Duration = Duration::from_secs(1);

/// What all partitions of a worker share.
pub(super) struct WorkerContext {
    pub(super) builder: Arc<RecordBuilder>,
    pub(super) encoding: Arc<OutputEncoding>,
    pub(super) fail: bool,
    pub(super) failed: AtomicU64,
    pub(super) fetcher: Fetcher<GatedSmol>,
    /// The lines that have records.
    pub(super) lines: AtomicU64,
    pub(super) results: Results,
    pub(super) run: RunDescription,
    pub(super) silent: bool,
    pub(super) store: Arc<BodyStore>,
    pub(super) template: RequestTemplate,
    pub(super) worker: String,
}

impl WorkerContext {
    pub(super) fn print(&self, message: &str) {
        if !self.silent {
            print_message(message);
        }
    }
}

/// What the worker's main loop and a partition tell each other.
#[derive(Debug, Default)]
pub(super) struct PartitionFlags {
    /// The lease has ended: attempts must be aborted.
    pub(super) ended: AtomicBool,
    /// No more URLs are to be started.
    pub(super) stopping: AtomicBool,
    /// The lines that have records.
    pub(super) done: AtomicU64,
}

/// How the work on a partition ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PartitionEnd {
    Complete,
    /// Some lines have no record: another worker continues.
    Unfinished,
    /// Another worker has the partition.
    Lost,
}

/// The work on one partition.
pub(super) struct PartitionRun {
    chunks: Receiver<OutputChunk>,
    context: Arc<WorkerContext>,
    flags: Arc<PartitionFlags>,
    /// The lines of the records that are not committed.
    lines: SeqRanges,
    log: PartitionLog,
    partition: u32,
    /// Records that are not committed.
    records: Vec<u8>,
    /// The last commit.
    since: Instant,
    writer: RecordWriter,
}

/// Works on a partition until it is complete, the lease has ended, or the worker stops.
pub(super) async fn run(
    context: Arc<WorkerContext>,
    partition: u32,
    flags: Arc<PartitionFlags>,
) -> PartitionEnd {
    match claim(&context, partition, &flags).await {
        Ok(log) if log.is_complete() => PartitionEnd::Complete,
        Ok(log) => {
            let mut run = PartitionRun::new(context, partition, flags, log);
            match run.work().await {
                Ok(end) | Err(end) => end,
            }
        }
        Err(end) => end,
    }
}

async fn claim(
    context: &Arc<WorkerContext>,
    partition: u32,
    flags: &PartitionFlags,
) -> Result<PartitionLog, PartitionEnd> {
    loop {
        let of_thread = context.clone();
        let claim = smol::unblock(move || {
            PartitionLog::claim(&of_thread.results, partition, &of_thread.worker)
        });
        match claim.await {
            Ok(log) => return Ok(log),
            Err(error) => wait_for_store(context, partition, flags, &error).await?,
        }
    }
}

/// Reports the failure and waits. Fails if the lease has ended.
async fn wait_for_store(
    context: &WorkerContext,
    partition: u32,
    flags: &PartitionFlags,
    error: &ScaleError,
) -> Result<(), PartitionEnd> {
    context.print(&format!("partition {partition}: {error}"));
    if flags.ended.load(Relaxed) {
        return Err(PartitionEnd::Lost);
    }
    if flags.stopping.load(Relaxed) {
        return Err(PartitionEnd::Unfinished);
    }
    smol::Timer::after(RETRY).await;
    Ok(())
}

impl PartitionRun {
    fn new(
        context: Arc<WorkerContext>,
        partition: u32,
        flags: Arc<PartitionFlags>,
        log: PartitionLog,
    ) -> Self {
        let (sender, chunks) = async_channel::unbounded();
        let queue = Arc::new(QueueProgress::default());
        flags.done.store(log.done().len(), Relaxed);
        Self {
            chunks,
            writer: RecordWriter::new(context.encoding.clone(), sender, queue),
            context,
            flags,
            lines: SeqRanges::default(),
            log,
            partition,
            records: Vec::new(),
            since: Instant::now(),
        }
    }

    async fn work(&mut self) -> Result<PartitionEnd, PartitionEnd> {
        let history = self.log.history().clone();
        let set_aside: Vec<_> = history.set_aside().collect();
        if !set_aside.is_empty() {
            self.set_aside(set_aside).await?;
        }
        let suspects: Vec<_> = history.suspects().collect();
        if history.is_one_by_one() || !suspects.is_empty() {
            self.fetch_alone(suspects, history.is_one_by_one()).await?;
        }
        let done = self.log.done().clone();
        let (shared, requests) = self.read_list(move |line| done.contains(line))?;
        let result = self.fetch(requests, &shared).await;
        if result == Err(PartitionEnd::Lost) {
            // Their attempts are aborted. What has ended counts, unless another worker has begun.
            self.take_records();
            let _ = self.append_once(false).await;
        }
        result?;
        let lines = self.context.run.partitions.get(self.partition as usize);
        let lines = lines.map_or(0, |size| size.lines);
        let is_complete = self.log.done().len() + self.lines.len() == lines;
        self.commit(is_complete).await?;
        if is_complete {
            return Ok(PartitionEnd::Complete);
        }
        let mut log = self.log.clone();
        let _ = smol::unblock(move || log.append_release()).await;
        Ok(PartitionEnd::Unfinished)
    }

    /// Starts to read the list, without the lines that `is_done` is true for.
    fn read_list(
        &self,
        is_done: impl Fn(u64) -> bool + Send + 'static,
    ) -> Result<(Arc<SharedProgress>, Receiver<Vec<Request>>), PartitionEnd> {
        let context = &self.context;
        let shared = Arc::new(SharedProgress::default());
        let of_reader = context.clone();
        let reader = ListReader {
            payload: None,
            template: context.template.clone(),
            ledger: None,
            max_errors: None,
            duplicates: None,
            shared: shared.clone(),
            store: context.store.clone(),
            writer: self.writer.clone(),
            print: Box::new(move |message| of_reader.print(message)),
            seq: 0,
            is_done: Some(Box::new(is_done)),
        };
        let size = context.run.partitions.get(self.partition as usize);
        let chunks = ChunkReader {
            chunk: Cursor::default(),
            chunks: 0..size.map_or(0, |size| size.chunks),
            partition: self.partition,
            results: context.results.clone(),
        };
        let source = UrlSource {
            format: match context.run.is_jsonl {
                true => ListFormat::Jsonl,
                false => ListFormat::Lines,
            },
            reader: Box::new(chunks),
            url_column: context.run.url_column.clone().map(UrlColumn::Named),
            ..UrlSource::text(&format!("partition {}", self.partition), String::new())
        };
        match reader.start(vec![source]) {
            Ok(requests) => Ok((shared, requests)),
            Err(error) => {
                context.print(&format!("no thread can be started: {error}"));
                Err(PartitionEnd::Unfinished)
            }
        }
    }

    /// Fetches requests until all have ended.
    async fn fetch(
        &mut self,
        requests: Receiver<Vec<Request>>,
        shared: &SharedProgress,
    ) -> Result<(), PartitionEnd> {
        let requests = AdmittedRequests::new(RequestStream::new(requests), None);
        let mut fetches = self.context.fetcher.fetch_stream(requests);
        let result = self.process(&mut fetches, shared).await;
        shared.stopped.store(true, Relaxed);
        // The drop aborts the attempts that are in flight.
        drop(fetches);
        result
    }

    async fn process(
        &mut self,
        fetches: &mut FetchAll<AdmittedRequests>,
        shared: &SharedProgress,
    ) -> Result<(), PartitionEnd> {
        let context = self.context.clone();
        let mut saver =
            BodySaver::new(context.store.clone(), context.builder.clone(), context.fail);
        let mut events = RunEvents::new(fetches);
        let mut is_stopping = false;
        loop {
            match future::poll_fn(|cx| events.poll(Some(&mut saver), cx)).await {
                RunEvent::Outcome(outcome, _) if is_cancelled(&outcome) => {}
                RunEvent::Outcome(outcome, saved) => {
                    self.record(&outcome, saved.as_ref());
                    if !self.writer.is_full() {
                        continue;
                    }
                }
                RunEvent::End => {
                    self.take_records();
                    return Ok(());
                }
                RunEvent::Tick => {
                    if self.flags.ended.load(Relaxed) {
                        return Err(PartitionEnd::Lost);
                    }
                    if self.flags.stopping.load(Relaxed) && !is_stopping {
                        is_stopping = true;
                        shared.stopped.store(true, Relaxed);
                        events.fetches.cancel_queued();
                    }
                }
            }
            self.take_records();
            let is_due = self.since.elapsed() >= COMMIT_INTERVAL;
            if (is_due && !self.lines.is_empty()) || self.records.len() >= COMMIT_BYTES {
                self.commit(false).await?;
            }
        }
    }

    fn record(&mut self, outcome: &Outcome, saved: Option<&SavedBody>) {
        let class = OutcomeClass::new(outcome, self.context.fail);
        let result = FetchResult::new(outcome, class, saved);
        let has_failed = result.class.exit_code.is_some();
        self.context
            .failed
            .fetch_add(u64::from(has_failed), Relaxed);
        self.writer.push(&RecordInput::Fetched(&result));
    }

    /// Takes the records of the writers.
    fn take_records(&mut self) {
        let _ = self.writer.try_flush();
        while let Ok(chunk) = self.chunks.try_recv() {
            self.records.extend_from_slice(&chunk.bytes);
            for completed in chunk.completed {
                self.lines.insert(completed.tag);
            }
        }
    }

    /// Appends the records to the log. While the store fails, it is tried again, until the lease ends.
    async fn commit(&mut self, is_complete: bool) -> Result<(), PartitionEnd> {
        while let Err(error) = self.append_once(is_complete).await {
            if matches!(error, ScaleError::Fenced) {
                return Err(PartitionEnd::Lost);
            }
            wait_for_store(&self.context, self.partition, &self.flags, &error).await?;
        }
        Ok(())
    }

    async fn append_once(&mut self, is_complete: bool) -> Result<(), ScaleError> {
        self.since = Instant::now();
        if self.lines.is_empty() && !is_complete {
            return Ok(());
        }
        let (mut log, lines) = (self.log.clone(), self.lines.clone());
        let records = std::mem::take(&mut self.records);
        let (log, records, result) = smol::unblock(move || {
            let result = log.append_records(lines, &records, is_complete);
            (log, records, result)
        })
        .await;
        if result.is_err() {
            self.records = records;
            return result;
        }
        self.log = log;
        let lines = std::mem::take(&mut self.lines).len();
        self.context.lines.fetch_add(lines, Relaxed);
        self.flags.done.fetch_add(lines, Relaxed);
        Ok(())
    }

    /// Fetches URLs one by one: `suspects`, or with `all` all that have no record, up to a limit.
    async fn fetch_alone(&mut self, suspects: Vec<u64>, all: bool) -> Result<(), PartitionEnd> {
        let done = self.log.done().clone();
        let skip = move |line| done.contains(line) || !(all || suspects.contains(&line));
        let (_, requests) = self.read_list(skip)?;
        let mut fetched = 0;
        while let Ok(batch) = requests.recv().await {
            for request in batch {
                if fetched >= MAX_ALONE || self.flags.stopping.load(Relaxed) {
                    return Ok(());
                }
                fetched += 1;
                let (mut log, line) = (self.log.clone(), request.tag_value());
                let (log, result) = smol::unblock(move || {
                    let result = log.append_alone(line);
                    (log, result)
                })
                .await;
                match result {
                    Ok(()) => self.log = log,
                    Err(ScaleError::Fenced) => return Err(PartitionEnd::Lost),
                    Err(error) => {
                        self.context
                            .print(&format!("partition {}: {error}", self.partition));
                        return Err(PartitionEnd::Unfinished);
                    }
                }
                let (sender, one) = async_channel::bounded(1);
                let _ = sender.try_send(vec![request]);
                drop(sender);
                self.fetch(one, &SharedProgress::default()).await?;
                self.commit(false).await?;
            }
        }
        Ok(())
    }

    /// Writes records of URLs that have crashed their workers, so that they are not fetched any more.
    async fn set_aside(&mut self, lines: Vec<u64>) -> Result<(), PartitionEnd> {
        let wanted = lines.clone();
        let (_, requests) = self.read_list(move |line| !wanted.contains(&line))?;
        while let Ok(batch) = requests.recv().await {
            for request in batch {
                let message = "set aside: workers ended unexpectedly while they fetched it alone";
                self.context
                    .print(&format!("{}: {message}", request.text()));
                self.writer.push(&RecordInput::Invalid {
                    carried: None,
                    line: request.text().as_bytes(),
                    message,
                    seq: request.tag_value(),
                    url: Some(request.text()),
                });
            }
        }
        self.take_records();
        let (mut log, lines) = (self.log.clone(), std::mem::take(&mut self.lines));
        let records = std::mem::take(&mut self.records);
        let (log, result) = smol::unblock(move || {
            let result = log.append_set_aside(lines, &records);
            (log, result)
        })
        .await;
        match result {
            Ok(()) => {
                self.log = log;
                Ok(())
            }
            Err(ScaleError::Fenced) => Err(PartitionEnd::Lost),
            Err(error) => {
                self.context
                    .print(&format!("partition {}: {error}", self.partition));
                Err(PartitionEnd::Unfinished)
            }
        }
    }
}

/// The chunks of a partition's list, one after the other.
struct ChunkReader {
    chunk: Cursor<Vec<u8>>,
    chunks: std::ops::Range<u32>,
    partition: u32,
    results: Results,
}

impl Read for ChunkReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.chunk.read(out)?;
            if length > 0 || out.is_empty() {
                return Ok(length);
            }
            let Some(number) = self.chunks.next() else {
                return Ok(0);
            };
            let chunk = ListPartitioner::read_chunk(&self.results, self.partition, number);
            self.chunk = Cursor::new(chunk.map_err(io::Error::other)?);
        }
    }
}
