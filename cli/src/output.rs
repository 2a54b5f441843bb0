//! Where records and lines go: gathered in memory, written by a thread of their own.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use async_channel::{Receiver, Sender, TrySendError};

use crate::exit::Stop;
use crate::format::Encoder;
use crate::progress::Progress;
use crate::record::{Recorder, Told};

/// A buffer of this size is written without waiting for its time.
const FULL: usize = 64 << 10;

/// So many buffers wait for the writing thread; then the fetching waits too.
const WAITING: usize = 8;

/// How long is waited before it is tried again to write more.
pub(crate) const PATIENCE: Duration = Duration::from_millis(2);

/// What is written, shared by all who write.
pub(crate) struct Form {
    pub(crate) encoder: Box<dyn Encoder>,
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
    also: Option<Box<Writer>>,
    buffer: Vec<u8>,
    form: Arc<Form>,
    sender: Sender<Vec<u8>>,
}

impl Writer {
    pub(crate) fn tell(&mut self, told: &Told<'_>) {
        let Form { encoder, recorder } = &*self.form;
        encoder.add(&mut self.buffer, recorder, told);
        if let Some(also) = &mut self.also {
            also.tell(told);
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= FULL || self.also.as_ref().is_some_and(|also| also.is_full())
    }

    /// Hands over what is gathered, if there is room for it.
    pub(crate) fn try_flush(&mut self) -> Flushed {
        match (self.try_flush_own(), &mut self.also) {
            (Flushed::Done, Some(also)) => also.try_flush(),
            (flushed, _) => flushed,
        }
    }

    fn try_flush_own(&mut self) -> Flushed {
        let Some(buffer) = self.take() else {
            return if self.sender.is_closed() {
                Flushed::Gone
            } else {
                Flushed::Done
            };
        };
        match self.sender.try_send(buffer) {
            Ok(()) => Flushed::Done,
            Err(TrySendError::Full(buffer)) => {
                self.buffer = buffer;
                Flushed::Full
            }
            Err(TrySendError::Closed(_)) => Flushed::Gone,
        }
    }

    /// Hands over what is gathered, for a thread that may wait; `None` if the writing has ended.
    pub(crate) fn flush_blocking(&mut self) -> Option<()> {
        match self.take() {
            Some(buffer) => self.sender.send_blocking(buffer).ok(),
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

    fn take(&mut self) -> Option<Vec<u8>> {
        let size = self.buffer.len();
        (size > 0).then(|| std::mem::replace(&mut self.buffer, Vec::with_capacity(size)))
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
        let name = crate::show::shown(path.as_os_str().as_encoded_bytes());
        let file = File::create(path).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => ": its directory must exist",
                _ => "",
            };
            Stop::file(format!("--output {name}: cannot be written: {error}{hint}"))
        })?;
        Ok(Self::File(name, file))
    }
}

/// The thread that writes.
pub(crate) struct Output {
    also: Option<Box<Output>>,
    thread: JoinHandle<io::Result<()>>,
    /// The file's name, for messages.
    name: String,
}

impl Output {
    /// Starts the thread. `progress` is given where the lines would run into its bar.
    pub(crate) fn start(
        target: Target,
        form: Form,
        progress: Option<Progress>,
    ) -> io::Result<(Self, Writer)> {
        let (sender, receiver) = async_channel::bounded(WAITING);
        let (name, file): (String, Box<dyn Write + Send>) = match target {
            Target::File(name, file) => (name, Box::new(file)),
            Target::Stdout => ("stdout".to_owned(), Box::new(io::stdout())),
        };
        let form = Arc::new(form);
        let begun = form.clone();
        let write = move || write_all(&receiver, file, &*begun.encoder, progress.as_ref());
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(write)?;
        let writer = Writer {
            also: None,
            buffer: Vec::new(),
            form,
            sender,
        };
        let output = Self {
            also: None,
            thread,
            name,
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
    pub(crate) fn finish(mut self, give_up: impl Fn() -> bool) -> Result<bool, Stop> {
        let also = self.also.take();
        let own = self.finish_own(&give_up)?;
        match also {
            Some(also) => Ok(also.finish_own(&give_up)? && own),
            None => Ok(own),
        }
    }

    fn finish_own(self, give_up: &impl Fn() -> bool) -> Result<bool, Stop> {
        while !self.thread.is_finished() {
            if give_up() {
                return Ok(true);
            }
            std::thread::sleep(PATIENCE);
        }
        match self.thread.join() {
            Ok(Ok(())) => Ok(true),
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Ok(Err(error)) => {
                let name = self.name;
                Err(Stop::file(format!(
                    "--output {name}: cannot be written further: {error}"
                )))
            }
            Err(_) => Err(Stop::internal("the writing thread panicked")),
        }
    }
}

fn write_all(
    receiver: &Receiver<Vec<u8>>,
    file: Box<dyn Write + Send>,
    encoder: &dyn Encoder,
    progress: Option<&Progress>,
) -> io::Result<()> {
    let result = (|| {
        let mut sink = encoder.begin(file)?;
        while let Ok(buffer) = receiver.recv_blocking() {
            let mut write = || sink.write(&buffer);
            match progress {
                Some(progress) => progress.suspend(write),
                None => write(),
            }?;
        }
        sink.finish()
    })();
    // Whoever would write more must learn that it is over.
    receiver.close();
    result
}
