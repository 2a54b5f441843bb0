//! The thread that writes records.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering::Release;
use std::thread::JoinHandle;
use std::time::Instant;

use async_channel::Receiver;
use futures_lite::future;

use crate::exit::CliError;
use crate::output::format::RecordSink;
use crate::output::{
    OutputChunk, OutputEncoding, OutputTarget, QueueProgress, RETRY_DELAY, RecordWriter,
};
use crate::state::{ResumeState, state_error};
use crate::ui::progress::ProgressDisplay;
use fetch_state::StateWriter;

/// The most buffers in the queue of the writing thread. When it is full, fetching waits.
const QUEUE_CAPACITY: usize = 8;

/// The encoding and the destination of records.
pub(crate) struct OutputOptions {
    /// The thread that must have written its lines before the state is updated.
    pub(crate) after: Option<Arc<QueueProgress>>,
    pub(crate) encoding: OutputEncoding,
    /// A progress bar on the same terminal, hidden during writes.
    pub(crate) progress: Option<ProgressDisplay>,
    pub(crate) state: Option<ResumeState>,
    pub(crate) target: OutputTarget,
}

/// A handle to the writing thread.
pub(crate) struct OutputThread {
    /// The thread of a second destination.
    also: Option<Box<Self>>,
    pub(crate) queue: Arc<QueueProgress>,
    thread: JoinHandle<Result<(), OutputError>>,
    /// The name of the destination in messages.
    name: String,
    /// Advice for a full disk.
    when_full: &'static str,
}

/// Why writing failed.
enum OutputError {
    Records(io::Error),
    State(CliError),
}

impl OutputThread {
    pub(crate) fn start(options: OutputOptions) -> io::Result<(Self, RecordWriter)> {
        let (sender, receiver) = async_channel::bounded(QUEUE_CAPACITY);
        let (name, has_content, out) = options.target.into_parts();
        let when_full = match &options.state {
            Some(_) => ": make room, then run the same command again",
            None => "",
        };
        let encoding = Arc::new(options.encoding);
        let (progress, state, after) = (options.progress, options.state, options.after);
        let opened = encoding.clone();
        let queue = Arc::new(QueueProgress::default());
        let of_thread = queue.clone();
        let write = move || {
            let result = WriterLoop::open(&opened, out, has_content, progress, state);
            let result = result.and_then(|mut writer| {
                writer.after = after;
                writer.run(&receiver, &of_thread)
            });
            of_thread.ended.store(true, Release);
            // Closed, so that writers notice the end.
            receiver.close();
            result
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(write)?;
        let writer = RecordWriter::new(encoding, sender, queue.clone());
        let output = Self {
            also: None,
            queue,
            thread,
            name,
            when_full,
        };
        Ok((output, writer))
    }

    /// Waits for another thread together with this one.
    pub(crate) fn and(mut self, also: Self) -> Self {
        self.also = Some(Box::new(also));
        self
    }

    /// Waits until everything is written, or `give_up` is true. `false` if the reader of stdout has
    /// closed it.
    pub(crate) fn finish(mut self, give_up: impl Fn() -> bool) -> Result<bool, CliError> {
        let also = self.also.take();
        let own = self.finish_own(&give_up)?;
        match also {
            Some(also) => Ok(also.finish_own(&give_up)? && own),
            None => Ok(own),
        }
    }

    fn finish_own(self, give_up: &impl Fn() -> bool) -> Result<bool, CliError> {
        while !self.thread.is_finished() {
            if give_up() {
                return Ok(true);
            }
            std::thread::sleep(RETRY_DELAY);
        }
        match self.thread.join() {
            Ok(Ok(())) => Ok(true),
            Ok(Err(OutputError::Records(error))) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(false)
            }
            Ok(Err(OutputError::Records(error))) => {
                let hint = match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.when_full,
                    _ => "",
                };
                let name = self.name;
                Err(CliError::file(format!(
                    "--output {name}: cannot be written further: {error}{hint}"
                )))
            }
            Ok(Err(OutputError::State(error))) => Err(error),
            Err(_) => Err(CliError::internal("the writing thread panicked")),
        }
    }
}

/// The state of the thread.
struct WriterLoop {
    after: Option<Arc<QueueProgress>>,
    progress: Option<ProgressDisplay>,
    sink: Box<dyn RecordSink>,
    state: Option<ResumeState>,
}

enum WriterStep {
    /// Makes the written records durable.
    Commit,
    End,
    Write(OutputChunk),
}

impl WriterLoop {
    /// Writes the beginning of the file, unless it has content.
    fn open(
        encoding: &OutputEncoding,
        out: Box<dyn Write + Send>,
        has_content: bool,
        progress: Option<ProgressDisplay>,
        mut state: Option<ResumeState>,
    ) -> Result<Self, OutputError> {
        let encoder = &encoding.encoder;
        let header = match has_content {
            true => Vec::new(),
            false => encoder.header(),
        };
        let mut sink = encoder.open_sink(out).map_err(OutputError::Records)?;
        if !header.is_empty() {
            sink.write(&header).map_err(OutputError::Records)?;
        }
        if let Some(state) = &mut state {
            state.writer.add_written(&header, &[]);
        }
        Ok(Self {
            after: None,
            progress,
            sink,
            state,
        })
    }

    fn run(
        mut self,
        receiver: &Receiver<OutputChunk>,
        queue: &QueueProgress,
    ) -> Result<(), OutputError> {
        loop {
            match self.next_step(receiver) {
                WriterStep::Commit => self.update_state(StateWriter::commit)?,
                WriterStep::End => break,
                WriterStep::Write(chunk) => {
                    self.write(&chunk.bytes).map_err(OutputError::Records)?;
                    if let Some(state) = &mut self.state {
                        state.writer.add_written(&chunk.bytes, &chunk.completed);
                        state.set_archive_ends(&chunk.archived);
                    }
                    queue.written.fetch_add(1, Release);
                }
            }
        }
        self.sink.finish().map_err(OutputError::Records)?;
        self.update_state(StateWriter::finish)
    }

    /// Waits for a chunk, but no longer than until the next commit.
    fn next_step(&self, receiver: &Receiver<OutputChunk>) -> WriterStep {
        let due = self.state.as_ref().and_then(|state| state.writer.due());
        if due.is_some_and(|due| due <= Instant::now()) {
            return WriterStep::Commit;
        }
        let receive = async {
            receiver
                .recv()
                .await
                .map_or(WriterStep::End, WriterStep::Write)
        };
        match (receiver.try_recv(), due) {
            (Ok(chunk), _) => WriterStep::Write(chunk),
            (Err(_), None) => future::block_on(receive),
            (Err(_), Some(due)) => future::block_on(future::or(receive, async {
                smol::Timer::at(due).await;
                WriterStep::Commit
            })),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut write = || self.sink.write(bytes);
        match &self.progress {
            Some(progress) => progress.suspend(write),
            None => write(),
        }
    }

    fn update_state(
        &mut self,
        update: impl Fn(&mut StateWriter) -> io::Result<()>,
    ) -> Result<(), OutputError> {
        let Some(state) = &mut self.state else {
            return Ok(());
        };
        if self
            .after
            .as_ref()
            .is_some_and(|lines| !lines.wait_written())
        {
            // The other thread reports why.
            return Err(OutputError::Records(io::ErrorKind::BrokenPipe.into()));
        }
        // Archives must be durable before the records of their bodies.
        if let Some(archives) = &state.archives {
            archives
                .sync()
                .map_err(|error| OutputError::State(CliError::file(error)))?;
        }
        update(&mut state.writer).map_err(|error| {
            let what = "cannot be written further";
            OutputError::State(state_error(&state.view.directory, &error, what))
        })
    }
}
