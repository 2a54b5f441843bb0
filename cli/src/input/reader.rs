//! The thread that reads the sources, so that slow input holds up nothing.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use async_channel::{Receiver, Sender};
use fetch_driver::{Error, Keep, Redacted, Request};
use fetch_proto::Method;

use super::Source;
use super::lines::{Lines, check, trim};
use crate::exit::{Code, Worst};
use crate::output::Writer;
use crate::record::Told;
use crate::save::Store;
use crate::show::shown;
use crate::state::Ledger;

/// So many batches wait between the reader and the fetcher.
const BATCHES: usize = 4;

/// So many malformed lines are told on stderr; all are counted and have records.
const MAX_TOLD: u64 = 20;

/// What the reader and the rest of the command tell each other.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Whether no more is to be read.
    pub(crate) stopped: AtomicBool,
    /// Whether all was read.
    pub(crate) finished: AtomicBool,
    /// How many URLs were read, malformed lines not counted.
    pub(crate) urls: AtomicU64,
    /// How many lines are no URLs.
    pub(crate) malformed: AtomicU64,
    /// How many URLs were not fetched, as their files exist.
    pub(crate) skipped: AtomicU64,
    /// Whether a failure stops everything, and there was one.
    pub(crate) failed_early: AtomicBool,
    pub(crate) worst: Worst,
    /// Whether a list could not be read to its end.
    pub(crate) unread: AtomicBool,
    /// Why the state cannot be asked further.
    pub(crate) state_lost: Mutex<Option<io::Error>>,
}

/// What a line becomes.
pub(crate) struct Feed {
    pub(crate) method: Method,
    pub(crate) body: bytes::Bytes,
}

impl Feed {
    fn request(&self, url: &str) -> Result<Request, Error> {
        let request = Request::new(self.method.clone(), url)?.keep(Keep::Nothing);
        Ok(if self.body.is_empty() {
            request
        } else {
            request.body(self.body.clone())
        })
    }
}

/// Reads sources, makes requests of their lines and reports those that are none.
pub(crate) struct Reader {
    pub(crate) fail_early: bool,
    pub(crate) feed: Feed,
    /// What is done, where that is kept.
    pub(crate) ledger: Option<Arc<Ledger>>,
    pub(crate) shared: Arc<Shared>,
    /// Where bodies go, if anywhere.
    pub(crate) store: Option<Arc<Store>>,
    /// Takes the records of malformed lines.
    pub(crate) writer: Writer,
    /// Takes a message for stderr.
    pub(crate) tell: Box<dyn Fn(&str) + Send>,
    pub(crate) seq: u64,
}

impl Reader {
    /// Starts the thread. It ends with the sources, or when the receiver is dropped.
    pub(crate) fn start(mut self, sources: Vec<Source>) -> io::Result<Receiver<Vec<Request>>> {
        let (sender, receiver) = async_channel::bounded(BATCHES);
        let run = move || {
            for source in sources {
                if self.read(source, &sender).is_none() {
                    break;
                }
            }
            self.shared.finished.store(true, Relaxed);
        };
        std::thread::Builder::new()
            .name("reader".into())
            .spawn(run)?;
        Ok(receiver)
    }

    /// `None` if nobody wants more.
    fn read(&mut self, source: Source, sender: &Sender<Vec<Request>>) -> Option<()> {
        let mut lines = Lines::new(source.reader);
        loop {
            let mut batch = Vec::new();
            let read = lines.read(|number, line| {
                let line = trim(number, line);
                let ignored = line.is_empty() || line.starts_with(b"#");
                if (ignored && !source.arguments) || self.shared.stopped.load(Relaxed) {
                    return;
                }
                self.line(&source.name, number, line, &mut batch);
            });
            // Before it waits for more input or for room, what is known must be on its way.
            self.writer.flush_blocking()?;
            if !batch.is_empty() {
                sender.send_blocking(batch).ok()?;
            }
            match read {
                Ok(true) if !self.shared.stopped.load(Relaxed) => {}
                Ok(true) => return None,
                Ok(false) => return Some(()),
                Err(error) => {
                    (self.tell)(&format!("{}: cannot be read further: {error}", source.name));
                    self.shared.worst.note(Code::File);
                    self.shared.unread.store(true, Relaxed);
                    return Some(());
                }
            }
        }
    }

    fn line(&mut self, source: &str, number: u64, line: &[u8], batch: &mut Vec<Request>) {
        self.seq += 1;
        if !self.is_wanted(line) {
            return;
        }
        let made = check(line).map_err(str::to_owned).and_then(|text| {
            self.feed.request(text).map_err(|error| {
                error
                    .detail()
                    .map_or_else(|| error.to_string(), ToOwned::to_owned)
            })
        });
        match made {
            Ok(request) => {
                if self.skip(&request) {
                    return;
                }
                self.shared.urls.fetch_add(1, Relaxed);
                let request = request.tag(self.seq);
                batch.push(match &self.store {
                    Some(store) => store.save(request),
                    None => request,
                });
            }
            Err(why) => self.malformed(source, number, line, &why),
        }
    }

    /// Whether this is to be fetched, and was not before.
    fn is_wanted(&self, line: &[u8]) -> bool {
        let Some(ledger) = &self.ledger else {
            return true;
        };
        ledger
            .claim(&self.writer.id(line), self.seq)
            .unwrap_or_else(|error| {
                let lost = self.shared.state_lost.lock();
                *lost.unwrap_or_else(PoisonError::into_inner) = Some(error);
                self.shared.unread.store(true, Relaxed);
                self.shared.stopped.store(true, Relaxed);
                false
            })
    }

    /// Whether its file is there already, which is told then.
    fn skip(&mut self, request: &Request) -> bool {
        let store = self.store.as_ref();
        let Some(file) = store.and_then(|store| store.existing(request.url(), self.seq, None))
        else {
            return false;
        };
        self.shared.skipped.fetch_add(1, Relaxed);
        self.writer.tell(&Told::Skipped {
            file: &file,
            seq: self.seq,
            url: &Redacted(request.url()).to_string(),
        });
        true
    }

    fn malformed(&mut self, source: &str, number: u64, line: &[u8], why: &str) {
        let text = shown(line);
        let message = format!("{source}:{number}: {why}: {text}");
        let before = self.shared.malformed.fetch_add(1, Relaxed);
        self.shared.worst.note(Code::Usage);
        if before < MAX_TOLD {
            (self.tell)(&message);
        } else if before == MAX_TOLD {
            (self.tell)("more lines are no URLs: they are counted, and the records tell each");
        }
        self.writer.tell(&Told::Invalid {
            message: &message,
            seq: self.seq,
            text: &text,
        });
        if self.fail_early {
            self.shared.failed_early.store(true, Relaxed);
            self.shared.stopped.store(true, Relaxed);
        }
    }
}
