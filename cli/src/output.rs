//! Where records and lines go: gathered in memory, written by a thread of their own.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender, TrySendError};
use fetch_driver::Outcome;
use futures_lite::future;

use crate::args::Format;
use crate::exit::Stop;
use crate::progress::Progress;
use crate::record::{Id, Recorder};
use crate::state::{Keeper, Kind, State};
use crate::text;
use crate::verdict::Verdict;

/// A buffer of this size is written without waiting for its time.
const FULL: usize = 64 << 10;

/// So is one with news of so many, though there are no records.
const FULL_OF_DONE: usize = 1024;

/// So many buffers wait for the writing thread; then the fetching waits too.
const WAITING: usize = 8;

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

/// A request has its record: its tag, and how it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) kind: Kind,
    pub(crate) tag: u64,
}

/// What is written, shared by all who write.
pub(crate) struct Form {
    pub(crate) format: Format,
    /// Whether a state is told what has its record.
    pub(crate) kept: bool,
    /// Whether of the lines for people only those are written that tell something.
    pub(crate) notable_only: bool,
    pub(crate) recorder: Recorder,
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
    chunk: Chunk,
    form: Arc<Form>,
    sender: Sender<Chunk>,
}

impl Writer {
    /// The id that a request gets in records and in the state.
    pub(crate) fn id(&self, url: &[u8]) -> Id {
        self.form.recorder.id(url)
    }

    pub(crate) fn outcome(&mut self, outcome: &Outcome, verdict: Verdict, host: Option<&str>) {
        if self.form.kept {
            let kind = match verdict.outcome {
                // It is fetched again when the same command goes on, and has its record then.
                "cancelled" => return,
                "ok" => Kind::Ok,
                _ => Kind::Failed,
            };
            self.done(outcome.tag, kind);
        }
        match self.form.format {
            Format::Jsonl => {
                self.form
                    .recorder
                    .write(&mut self.chunk.bytes, outcome, verdict, host);
            }
            Format::Text
                if self.form.notable_only && verdict.outcome == "ok" && outcome.retries == 0 => {}
            Format::Text => text::write(&mut self.chunk.bytes, outcome, verdict),
            Format::None => {}
        }
    }

    pub(crate) fn invalid(&mut self, seq: u64, text: &str, message: &str) {
        if self.form.kept {
            self.done(seq, Kind::Invalid);
        }
        match self.form.format {
            Format::Jsonl => {
                self.form
                    .recorder
                    .write_invalid(&mut self.chunk.bytes, seq, text, message);
            }
            Format::Text => text::write_invalid(&mut self.chunk.bytes, text),
            Format::None => {}
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.chunk.bytes.len() >= FULL || self.chunk.done.len() >= FULL_OF_DONE
    }

    /// Hands over what is gathered, if there is room for it.
    pub(crate) fn try_flush(&mut self) -> Flushed {
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
        }
    }

    /// Lets the writing end when all that was flushed is written.
    pub(crate) fn close(&self) {
        self.sender.close();
    }

    fn done(&mut self, tag: u64, kind: Kind) {
        self.chunk.done.push(Done { kind, tag });
    }

    fn take(&mut self) -> Option<Chunk> {
        let (bytes, done) = (self.chunk.bytes.len(), self.chunk.done.len());
        let next = || Chunk {
            bytes: Vec::with_capacity(bytes),
            done: Vec::with_capacity(done),
        };
        (bytes + done > 0).then(|| std::mem::replace(&mut self.chunk, next()))
    }
}

/// A destination that is open.
pub(crate) enum Target {
    File(String, File),
    Stdout,
}

impl Target {
    /// Opens the file, which loses what it had; `None` and `-` are stdout.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Stop> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
            return Ok(Self::Stdout);
        };
        let name = Self::name(path);
        let file = File::create(path).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => ": its directory must exist",
                _ => "",
            };
            Stop::file(format!("--output {name}: cannot be written: {error}{hint}"))
        })?;
        Ok(Self::File(name, file))
    }

    /// How messages call a file.
    pub(crate) fn name(path: &Path) -> String {
        crate::show::shown(path.as_os_str().as_encoded_bytes())
    }
}

/// The thread that writes.
pub(crate) struct Output {
    thread: JoinHandle<Result<(), Failed>>,
    /// The file's name, for messages.
    name: String,
    /// What helps when the disk is full.
    when_full: &'static str,
}

/// What could not be written.
enum Failed {
    Records(io::Error),
    State(Stop),
}

impl Output {
    /// Starts the thread. `progress` is given where the lines would run into its bar, `state` where
    /// there is one to be told what is written.
    pub(crate) fn start(
        target: Target,
        form: Form,
        progress: Option<Progress>,
        state: Option<State>,
    ) -> io::Result<(Self, Writer)> {
        let (sender, receiver) = async_channel::bounded(WAITING);
        let (name, out): (String, Box<dyn Write + Send>) = match target {
            Target::File(name, file) => (name, Box::new(file)),
            Target::Stdout => ("stdout".to_owned(), Box::new(io::stdout())),
        };
        let when_full = match &state {
            Some(_) => ": make room, then run the same command again",
            None => "",
        };
        let mut writing = Writing {
            out,
            progress,
            state,
        };
        let write = move || {
            let result = writing.all(&receiver);
            // Whoever would write more must learn that it is over.
            receiver.close();
            result
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(write)?;
        let writer = Writer {
            chunk: Chunk::default(),
            form: Arc::new(form),
            sender,
        };
        Ok((
            Self {
                thread,
                name,
                when_full,
            },
            writer,
        ))
    }

    /// Waits until all is written, or until `give_up` says so. `false` if the reader of stdout has
    /// gone.
    pub(crate) fn finish(self, give_up: impl Fn() -> bool) -> Result<bool, Stop> {
        while !self.thread.is_finished() {
            if give_up() {
                return Ok(true);
            }
            std::thread::sleep(PATIENCE);
        }
        match self.thread.join() {
            Ok(Ok(())) => Ok(true),
            Ok(Err(Failed::Records(error))) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(false)
            }
            Ok(Err(Failed::Records(error))) => {
                let hint = match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.when_full,
                    _ => "",
                };
                let name = self.name;
                Err(Stop::file(format!(
                    "--output {name}: cannot be written further: {error}{hint}"
                )))
            }
            Ok(Err(Failed::State(stop))) => Err(stop),
            Err(_) => Err(Stop::internal("the writing thread panicked")),
        }
    }
}

/// What the thread has.
struct Writing {
    out: Box<dyn Write + Send>,
    progress: Option<Progress>,
    state: Option<State>,
}

/// What the thread does next.
enum Next {
    Commit,
    End,
    Write(Chunk),
}

impl Writing {
    fn all(&mut self, receiver: &Receiver<Chunk>) -> Result<(), Failed> {
        loop {
            match self.next(receiver) {
                Next::Commit => self.tell_state(Keeper::commit)?,
                Next::End => return self.tell_state(Keeper::finish),
                Next::Write(chunk) => {
                    self.write(&chunk.bytes).map_err(Failed::Records)?;
                    if let Some(state) = &mut self.state {
                        state.keeper.wrote(&chunk.bytes, &chunk.done);
                    }
                }
            }
        }
    }

    /// A chunk, unless it is time to make durable what was written.
    fn next(&self, receiver: &Receiver<Chunk>) -> Next {
        let due = self.state.as_ref().and_then(|state| state.keeper.due());
        if due.is_some_and(|due| due <= Instant::now()) {
            return Next::Commit;
        }
        let receive = async { receiver.recv().await.map_or(Next::End, Next::Write) };
        match (receiver.try_recv(), due) {
            (Ok(chunk), _) => Next::Write(chunk),
            (Err(_), None) => future::block_on(receive),
            (Err(_), Some(due)) => future::block_on(future::or(receive, async {
                smol::Timer::at(due).await;
                Next::Commit
            })),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut write = || self.out.write_all(bytes).and_then(|()| self.out.flush());
        match &self.progress {
            Some(progress) => progress.suspend(write),
            None => write(),
        }
    }

    fn tell_state(&mut self, what: impl Fn(&mut Keeper) -> io::Result<()>) -> Result<(), Failed> {
        let Some(state) = &mut self.state else {
            return Ok(());
        };
        what(&mut state.keeper).map_err(|error| {
            let what = "cannot be written further";
            Failed::State(crate::state::stop(&state.kept.directory, &error, what))
        })
    }
}
