//! The thread that reads the sources, so that slow input holds up nothing.

use std::io;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use async_channel::{Receiver, Sender};
use fetch_driver::{Redacted, Request};
use xxhash_rust::xxh3::xxh3_128;

use super::columnar::ParquetReader;
use super::feed::RequestTemplate;
use super::lines::{LineReader, MAX_LINE, check, trim};
use super::row::ListRow;
use super::seen::DuplicateFilter;
use super::table::{CsvReader, TableError};
use super::unpack::unpack;
use super::{ListFormat, UrlSource};
use crate::display::shown;
use crate::exit::{ExitStatus, WorstStatus};
use crate::input::backlog::HostBacklog;
use crate::outcome::item::Item;
use crate::output::Writer;
use crate::output::record::{Id, Told};
use crate::save::Store;
use crate::state::Ledger;

/// So many batches wait between the reader and the fetcher.
const BATCHES: usize = 4;

/// The longest line of a JSONL list, in bytes.
const MAX_OBJECT: usize = 1 << 20;

/// So many rows of a Parquet file are taken at once.
const ROWS: usize = 256;

/// What is read at once of a table.
const PIECE: usize = 16 << 10;

/// So many malformed lines are told on stderr; all are counted and have records.
const MAX_TOLD: u64 = 20;

/// What the reader and the rest of the command tell each other.
#[derive(Debug, Default)]
pub(crate) struct SharedProgress {
    /// What waits at which host, if somebody wants to know.
    pub(crate) backlog: Option<HostBacklog>,
    /// Whether no more is to be read.
    pub(crate) stopped: AtomicBool,
    /// Whether all was read.
    pub(crate) finished: AtomicBool,
    /// How many URLs were read, malformed lines not counted.
    pub(crate) urls: AtomicU64,
    /// How many lines are no URLs.
    pub(crate) malformed: AtomicU64,
    /// How many URLs were there before.
    pub(crate) duplicates: AtomicU64,
    /// How many URLs robots.txt does not allow.
    pub(crate) disallowed: AtomicU64,
    /// How many URLs were not fetched, as their files exist.
    pub(crate) skipped: AtomicU64,
    /// How many have failed.
    failures: AtomicU64,
    /// Whether so many have failed that everything stops.
    pub(crate) failed_early: AtomicBool,
    pub(crate) worst: WorstStatus,
    /// Whether a list could not be read to its end.
    pub(crate) unread: AtomicBool,
    /// Why the state cannot be asked further.
    pub(crate) state_lost: Mutex<Option<io::Error>>,
}

impl SharedProgress {
    pub(crate) fn new(backlog: Option<HostBacklog>) -> Self {
        Self {
            backlog,
            ..Self::default()
        }
    }

    /// Counts a failure. Whether there are as many as may be.
    pub(crate) fn one_more_failed(&self, most: Option<NonZeroU64>) -> bool {
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        most.is_some_and(|most| failures >= most.get())
    }
}

/// Reads sources, makes requests of their lines and reports those that are none.
pub(crate) struct ListReader {
    pub(crate) feed: RequestTemplate,
    /// What is done, where that is kept.
    pub(crate) ledger: Option<Arc<Ledger>>,
    /// After how many failures to stop.
    pub(crate) max_errors: Option<NonZeroU64>,
    /// What was read before, if that is to be left out.
    pub(crate) seen: Option<DuplicateFilter>,
    pub(crate) shared: Arc<SharedProgress>,
    /// Where bodies go, if anywhere.
    pub(crate) store: Option<Arc<Store>>,
    /// Takes the records of malformed lines.
    pub(crate) writer: Writer,
    /// Takes a message for stderr.
    pub(crate) tell: Box<dyn Fn(&str) + Send>,
    pub(crate) seq: u64,
}

impl ListReader {
    /// Starts the thread. It ends with the sources, or when the receiver is dropped.
    pub(crate) fn start(mut self, sources: Vec<UrlSource>) -> io::Result<Receiver<Vec<Request>>> {
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
    fn read(&mut self, source: UrlSource, sender: &Sender<Vec<Request>>) -> Option<()> {
        let reader = match unpack(source.reader) {
            Ok(reader) => reader,
            Err(error) => {
                self.unread(&source.name, &error);
                return Some(());
            }
        };
        let source = UrlSource { reader, ..source };
        match source.shape {
            ListFormat::Csv { delimiter } => self.table(source, delimiter, sender),
            ListFormat::Jsonl => self.lines(source, MAX_OBJECT, sender),
            ListFormat::Lines => self.lines(source, MAX_LINE, sender),
            ListFormat::Parquet => self.columnar(source, sender),
        }
    }

    fn lines(
        &mut self,
        source: UrlSource,
        longest: usize,
        sender: &Sender<Vec<Request>>,
    ) -> Option<()> {
        let mut lines = LineReader::new(source.reader, longest);
        let mut expected = 0;
        loop {
            let mut batch = Vec::with_capacity(expected);
            let read = lines.read(|number, line| {
                let line = trim(number, line);
                let ignored = line.is_empty() || line.starts_with(b"#");
                if (ignored && !source.arguments) || self.shared.stopped.load(Relaxed) {
                    return;
                }
                if source.shape == ListFormat::Lines {
                    self.line(&source.name, number, line, &mut batch);
                } else {
                    let row = match line.len() > longest {
                        true => Err("longer than 1 MiB".to_owned()),
                        false => ListRow::json(line),
                    };
                    self.row(&source.name, number, line, row, &mut batch);
                }
            });
            expected = batch.len();
            self.hand_over(batch, sender)?;
            match read {
                Ok(true) if !self.shared.stopped.load(Relaxed) => {}
                Ok(true) => return None,
                Ok(false) => return Some(()),
                Err(error) => {
                    self.unread(&source.name, &error);
                    return Some(());
                }
            }
        }
    }

    fn table(
        &mut self,
        mut source: UrlSource,
        delimiter: u8,
        sender: &Sender<Vec<Request>>,
    ) -> Option<()> {
        let mut table = CsvReader::new(delimiter, source.url_column.take());
        let mut piece = vec![0; PIECE];
        loop {
            let length = match source.reader.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.unread(&source.name, &error);
                    return Some(());
                }
                Ok(length) => length,
            };
            let mut batch = Vec::new();
            let read = table.read(&piece[..length], |read| {
                if !self.shared.stopped.load(Relaxed) {
                    self.row(&source.name, read.line, &read.raw, read.row, &mut batch);
                }
            });
            self.hand_over(batch, sender)?;
            if let Err(broken) = read {
                self.unread(&source.name, &io::Error::other(broken.0));
                return Some(());
            }
            if self.shared.stopped.load(Relaxed) {
                return None;
            }
            if length == 0 {
                return Some(());
            }
        }
    }

    fn columnar(&mut self, mut source: UrlSource, sender: &Sender<Vec<Request>>) -> Option<()> {
        let broken = |broken: TableError| io::Error::other(broken.0);
        let opened = source.file.take().map(|file| {
            let columnar = ParquetReader::new(file, source.url_column.as_ref());
            columnar.map_err(broken)
        });
        let mut rows = match opened? {
            Ok(rows) => rows,
            Err(error) => {
                self.unread(&source.name, &error);
                return Some(());
            }
        };
        loop {
            let mut batch = Vec::new();
            let mut ended = false;
            for _ in 0..ROWS {
                match rows.next() {
                    Ok(Some(read)) => {
                        self.row(&source.name, read.line, &read.raw, read.row, &mut batch);
                    }
                    Ok(None) => ended = true,
                    Err(error) => {
                        self.unread(&source.name, &broken(error));
                        ended = true;
                    }
                }
                if ended {
                    break;
                }
            }
            self.hand_over(batch, sender)?;
            if self.shared.stopped.load(Relaxed) {
                return None;
            }
            if ended {
                return Some(());
            }
        }
    }

    /// Before it waits for more input or for room, what is known must be on its way.
    fn hand_over(&mut self, batch: Vec<Request>, sender: &Sender<Vec<Request>>) -> Option<()> {
        self.writer.flush_blocking()?;
        if batch.is_empty() {
            return Some(());
        }
        if let Some(backlog) = &self.shared.backlog {
            backlog.read(&batch);
        }
        sender.send_blocking(batch).ok()
    }

    fn unread(&self, source: &str, error: &io::Error) {
        (self.tell)(&format!("{source}: cannot be read further: {error}"));
        self.shared.worst.note(ExitStatus::File);
        self.shared.unread.store(true, Relaxed);
    }

    fn line(&mut self, source: &str, number: u64, line: &[u8], batch: &mut Vec<Request>) {
        self.seq += 1;
        if !self.is_wanted(|writer| writer.id(line)) {
            return;
        }
        let text = check(line).map_err(str::to_owned);
        match text.and_then(|text| self.feed.request(text)) {
            Ok(request) => self.push(request, None, batch),
            Err(why) => self.malformed(source, number, line, &why),
        }
    }

    fn row(
        &mut self,
        source: &str,
        number: u64,
        raw: &[u8],
        row: Result<ListRow, String>,
        batch: &mut Vec<Request>,
    ) {
        match row {
            Ok(row) if row.is_plain() => {
                self.line(source, number, row.url.trim().as_bytes(), batch);
            }
            Ok(mut row) => {
                self.seq += 1;
                row.url = row.url.trim().to_owned();
                let url = row.url.clone();
                let made = check(url.as_bytes()).map_err(str::to_owned);
                match made.and_then(|_| self.feed.of_row(row)) {
                    Ok((request, item)) => {
                        if self.is_wanted(|writer| writer.id_of(&url, &item)) {
                            self.push(request, Some(&item), batch);
                        }
                    }
                    Err(why) if self.is_wanted(|writer| writer.id(raw)) => {
                        self.malformed(source, number, raw, &why);
                    }
                    Err(_) => {}
                }
            }
            Err(why) => {
                self.seq += 1;
                if self.is_wanted(|writer| writer.id(raw)) {
                    self.malformed(source, number, raw, &why);
                }
            }
        }
    }

    /// To the fetcher, unless its file is there already.
    fn push(&mut self, request: Request, item: Option<&Item>, batch: &mut Vec<Request>) {
        if self.skip(&request, item) {
            return;
        }
        self.shared.urls.fetch_add(1, Relaxed);
        let request = request.tag(self.seq);
        batch.push(match &self.store {
            Some(store) => store.save(request),
            None => request,
        });
    }

    /// Whether this is to be fetched, and was not before.
    fn is_wanted<'a>(&mut self, id: impl FnOnce(&Writer) -> Id<'a>) -> bool {
        if self.seen.is_none() && self.ledger.is_none() {
            return true;
        }
        let id = id(&self.writer);
        if let Some(seen) = &mut self.seen
            && seen.again(xxh3_128(id.key().as_ref()))
        {
            self.shared.duplicates.fetch_add(1, Relaxed);
            return false;
        }
        let Some(ledger) = &self.ledger else {
            return true;
        };
        ledger.claim(&id, self.seq).unwrap_or_else(|error| {
            let lost = self.shared.state_lost.lock();
            *lost.unwrap_or_else(PoisonError::into_inner) = Some(error);
            self.shared.unread.store(true, Relaxed);
            self.shared.stopped.store(true, Relaxed);
            false
        })
    }

    /// Whether its file is there already, which is told then.
    fn skip(&mut self, request: &Request, item: Option<&Item>) -> bool {
        let store = self.store.as_ref();
        let Some(file) = store.and_then(|store| store.existing(request.url(), self.seq, item))
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
        self.shared.worst.note(ExitStatus::Usage);
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
        if self.shared.one_more_failed(self.max_errors) {
            self.shared.failed_early.store(true, Relaxed);
            self.shared.stopped.store(true, Relaxed);
        }
    }
}
