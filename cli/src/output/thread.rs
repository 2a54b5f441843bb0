//! The thread that writes.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use async_channel::Receiver;
use futures_lite::future;

use super::{Chunk, Form, PATIENCE, Target, Writer};
use crate::exit::CliError;
use crate::output::format::Sink;
use crate::state::{Keeper, State};
use crate::ui::progress::Progress;

/// So many buffers wait for the writing thread; then the fetching waits too.
const WAITING: usize = 8;

/// What is to be written, and where.
pub(crate) struct Written {
    pub(crate) form: Form,
    /// Where the lines would run into its bar.
    pub(crate) progress: Option<Progress>,
    /// To be told what is written.
    pub(crate) state: Option<State>,
    pub(crate) target: Target,
}

/// The thread that writes.
pub(crate) struct Output {
    also: Option<Box<Self>>,
    thread: JoinHandle<Result<(), Failed>>,
    /// The file's name, for messages.
    name: String,
    /// What helps when the disk is full.
    when_full: &'static str,
}

/// What could not be written.
enum Failed {
    Records(io::Error),
    State(CliError),
}

impl Output {
    /// Starts the thread.
    pub(crate) fn start(written: Written) -> io::Result<(Self, Writer)> {
        let (sender, receiver) = async_channel::bounded(WAITING);
        let (name, begun, out) = written.target.start();
        let when_full = match &written.state {
            Some(_) => ": make room, then run the same command again",
            None => "",
        };
        let form = Arc::new(written.form);
        let (encoder, progress, mut state) = (form.clone(), written.progress, written.state);
        let write = move || {
            let result = (|| {
                let encoder = &encoder.encoder;
                let head = if begun { Vec::new() } else { encoder.head() };
                let mut sink = encoder.begin(out).map_err(Failed::Records)?;
                if !head.is_empty() {
                    sink.write(&head).map_err(Failed::Records)?;
                }
                if let Some(state) = &mut state {
                    state.keeper.wrote(&head, &[]);
                }
                Writing {
                    progress,
                    sink,
                    state,
                }
                .all(&receiver)
            })();
            // Whoever would write more must learn that it is over.
            receiver.close();
            result
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(write)?;
        let writer = Writer {
            also: None,
            chunk: Chunk::default(),
            form,
            sender,
        };
        let output = Self {
            also: None,
            thread,
            name,
            when_full,
        };
        Ok((output, writer))
    }

    /// Ends together with another.
    pub(crate) fn and(mut self, also: Self) -> Self {
        self.also = Some(Box::new(also));
        self
    }

    /// Waits until all is written, or until `give_up` says so. `false` if the reader of stdout has
    /// gone.
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
                Err(CliError::file(format!(
                    "--output {name}: cannot be written further: {error}{hint}"
                )))
            }
            Ok(Err(Failed::State(stop))) => Err(stop),
            Err(_) => Err(CliError::internal("the writing thread panicked")),
        }
    }
}

/// What the thread has.
struct Writing {
    progress: Option<Progress>,
    sink: Box<dyn Sink>,
    state: Option<State>,
}

/// What the thread does next.
enum Next {
    Commit,
    End,
    Write(Chunk),
}

impl Writing {
    fn all(mut self, receiver: &Receiver<Chunk>) -> Result<(), Failed> {
        loop {
            match self.next(receiver) {
                Next::Commit => self.tell_state(Keeper::commit)?,
                Next::End => break,
                Next::Write(chunk) => {
                    self.write(&chunk.bytes).map_err(Failed::Records)?;
                    if let Some(state) = &mut self.state {
                        state.keeper.wrote(&chunk.bytes, &chunk.done);
                    }
                }
            }
        }
        self.sink.finish().map_err(Failed::Records)?;
        self.tell_state(Keeper::finish)
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
        let mut write = || self.sink.write(bytes);
        match &self.progress {
            Some(progress) => progress.suspend(write),
            None => write(),
        }
    }

    fn tell_state(&mut self, what: impl Fn(&mut Keeper) -> io::Result<()>) -> Result<(), Failed> {
        let Some(state) = &mut self.state else {
            return Ok(());
        };
        // Archives belong to the records: they come before them.
        if let Some(store) = &state.archives {
            store
                .sync()
                .map_err(|error| Failed::State(CliError::file(error)))?;
        }
        what(&mut state.keeper).map_err(|error| {
            let what = "cannot be written further";
            Failed::State(crate::state::stop(&state.kept.directory, &error, what))
        })
    }
}
