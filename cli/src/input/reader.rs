//! Reads the sources on a separate thread, so that slow input delays nothing else.

use std::borrow::Cow;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use async_channel::{Receiver, Sender};
use fetch_driver::Request;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_128;

use super::duplicates::DuplicateFilter;
use super::lines::{LineReader, MAX_LINE, check, complete, trim, with_scheme};
use super::progress::SharedProgress;
use super::rows::{CsvReader, JsonRows, ListRow, ParquetReader, ParsedRow, TableError};
use super::template::RequestTemplate;
use super::unpack::unpack;
use super::{ListFormat, UrlSource};
use crate::display::sanitize;
use crate::exit::ExitStatus;
use crate::mutex::lock;
use crate::outcome::row::RowAttachment;
use crate::output::RecordWriter;
use crate::output::record::{RecordId, RecordInput};
use crate::save::BodyStore;
use crate::upload::RequestPayload;
use fetch_state::StateLedger;

/// The most batches that wait for the fetcher.
const MAX_BATCHES: usize = 4;

/// The longest line of a JSONL list, in bytes.
pub(super) const MAX_JSON_LINE: usize = 1 << 20;

/// The rows of a Parquet file in a batch.
const PARQUET_BATCH: usize = 256;

/// The bytes of a CSV file read at once.
const CSV_CHUNK: usize = 16 << 10;

/// The most malformed lines that are reported on stderr. All are counted and have records.
const MAX_REPORTED: u64 = 20;

/// Reads sources, builds requests from their lines, and reports malformed lines.
pub(crate) struct ListReader {
    /// The body of the requests of this source, if it is not that of all.
    pub(crate) payload: Option<RequestPayload>,
    pub(crate) template: RequestTemplate,
    /// The completed requests of `--state`.
    pub(crate) ledger: Option<Arc<StateLedger>>,
    /// The number of failures that stops the run.
    pub(crate) max_errors: Option<NonZeroU64>,
    /// Set if duplicates are skipped.
    pub(crate) duplicates: Option<DuplicateFilter>,
    pub(crate) shared: Arc<SharedProgress>,
    /// Where bodies are saved.
    pub(crate) store: Arc<BodyStore>,
    /// Writes the records of malformed and skipped lines.
    pub(crate) writer: RecordWriter,
    /// Prints a message on stderr.
    pub(crate) print: Box<dyn Fn(&str) + Send>,
    /// The number of the last line or row, without ignored lines.
    pub(crate) seq: u64,
    /// Whether a line, by its number, has a record already.
    pub(crate) is_done: Option<Box<dyn Fn(u64) -> bool + Send>>,
}

impl ListReader {
    /// Starts the thread, which ends with the sources or when the receiver is dropped.
    pub(crate) fn start(mut self, sources: Vec<UrlSource>) -> io::Result<Receiver<Vec<Request>>> {
        let (sender, receiver) = async_channel::bounded(MAX_BATCHES);
        let run = move || {
            for source in sources {
                if self.read_source(source, &sender).is_none() {
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

    /// Reads a source. `None` if the receiver has been dropped or reading should stop.
    fn read_source(&mut self, source: UrlSource, sender: &Sender<Vec<Request>>) -> Option<()> {
        let reader = match unpack(source.reader) {
            Ok(reader) => reader,
            Err(error) => {
                self.report_unreadable(&source.name, &error);
                return Some(());
            }
        };
        let mut source = UrlSource { reader, ..source };
        self.payload = source.payload.take();
        match source.format {
            ListFormat::Csv { delimiter } => self.read_csv(source, delimiter, sender),
            ListFormat::Jsonl => self.read_jsonl(source, sender),
            ListFormat::Lines => self.read_lines(source, None, sender),
            ListFormat::Parquet => self.read_parquet(source, sender),
        }
    }

    fn read_jsonl(&mut self, source: UrlSource, sender: &Sender<Vec<Request>>) -> Option<()> {
        match JsonRows::new(source.url_column.as_ref(), source.columns.clone()) {
            Ok(rows) => self.read_lines(source, Some(rows), sender),
            Err(error) => {
                self.report_unreadable(&source.name, &io::Error::other(error.0));
                Some(())
            }
        }
    }

    /// Reads lines, or with `rows` a JSONL list.
    fn read_lines(
        &mut self,
        source: UrlSource,
        mut rows: Option<JsonRows>,
        sender: &Sender<Vec<Request>>,
    ) -> Option<()> {
        let max_length = match rows.is_some() {
            true => MAX_JSON_LINE,
            false => MAX_LINE,
        };
        let mut lines = LineReader::new(source.reader, max_length);
        let scheme = self.template.default_scheme;
        let mut expected = 0;
        loop {
            let mut batch = Vec::with_capacity(expected);
            let read = lines.read(|number, line| {
                let line = trim(number, line);
                let ignored = line.is_empty() || line.starts_with(b"#");
                if (ignored && !source.is_arguments) || self.shared.stopped.load(Relaxed) {
                    return;
                }
                if source.is_arguments {
                    self.add_line(&source.name, number, &with_scheme(line, scheme), &mut batch);
                    return;
                }
                let Some(rows) = &mut rows else {
                    self.add_line(&source.name, number, &complete(line, scheme), &mut batch);
                    return;
                };
                let row = match line.len() > max_length {
                    true => ParsedRow {
                        error: Some("longer than 1 MiB".to_owned()),
                        line: number,
                        raw: line.to_vec(),
                        ..ParsedRow::default()
                    },
                    false => rows.parse(number, line),
                };
                self.print_notes(&source.name, rows.notes.drain(..));
                self.add_row(&source.name, row, &mut batch);
            });
            expected = batch.len();
            self.send(batch, sender)?;
            match read {
                Ok(true) if !self.shared.stopped.load(Relaxed) => {}
                Ok(true) => return None,
                Ok(false) => return Some(()),
                Err(error) => {
                    self.report_unreadable(&source.name, &error);
                    return Some(());
                }
            }
        }
    }

    fn read_csv(
        &mut self,
        mut source: UrlSource,
        delimiter: u8,
        sender: &Sender<Vec<Request>>,
    ) -> Option<()> {
        let url = source.url_column.take();
        let mut table = CsvReader::new(delimiter, url, source.columns.clone());
        let mut chunk = vec![0; CSV_CHUNK];
        loop {
            let length = match source.reader.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.report_unreadable(&source.name, &error);
                    return Some(());
                }
                Ok(length) => length,
            };
            let mut batch = Vec::new();
            let read = table.read(&chunk[..length], |read| {
                if !self.shared.stopped.load(Relaxed) {
                    self.add_row(&source.name, read, &mut batch);
                }
            });
            self.print_notes(&source.name, table.take_notes().into_iter());
            self.send(batch, sender)?;
            if let Err(broken) = read {
                self.report_unreadable(&source.name, &io::Error::other(broken.0));
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

    fn read_parquet(&mut self, mut source: UrlSource, sender: &Sender<Vec<Request>>) -> Option<()> {
        let broken = |broken: TableError| io::Error::other(broken.0);
        let opened = source.file.take().map(|file| {
            let reader = ParquetReader::new(file, source.url_column.as_ref(), &source.columns);
            reader.map_err(broken)
        });
        let mut rows = match opened? {
            Ok(rows) => rows,
            Err(error) => {
                self.report_unreadable(&source.name, &error);
                return Some(());
            }
        };
        self.print_notes(&source.name, rows.notes.drain(..));
        loop {
            let mut batch = Vec::new();
            let mut ended = false;
            for _ in 0..PARQUET_BATCH {
                match rows.next() {
                    Ok(Some(read)) => {
                        self.add_row(&source.name, read, &mut batch);
                    }
                    Ok(None) => ended = true,
                    Err(error) => {
                        self.report_unreadable(&source.name, &broken(error));
                        ended = true;
                    }
                }
                if ended {
                    break;
                }
            }
            self.send(batch, sender)?;
            if self.shared.stopped.load(Relaxed) {
                return None;
            }
            if ended {
                return Some(());
            }
        }
    }

    /// Flushes the records, then sends a batch. Both may block.
    fn send(&mut self, batch: Vec<Request>, sender: &Sender<Vec<Request>>) -> Option<()> {
        self.writer.flush_blocking()?;
        if batch.is_empty() {
            return Some(());
        }
        if let Some(backlog) = &self.shared.backlog {
            backlog.add(&batch);
        }
        sender.send_blocking(batch).ok()
    }

    fn report_unreadable(&self, source: &str, error: &io::Error) {
        (self.print)(&format!("{source}: cannot be read further: {error}"));
        self.shared.exit_status.record(ExitStatus::File);
        self.shared.unread.store(true, Relaxed);
    }

    fn add_line(&mut self, source: &str, number: u64, line: &[u8], batch: &mut Vec<Request>) {
        if let Some(payload) = self.payload.clone() {
            let url = String::from_utf8_lossy(line).into_owned();
            let row = ListRow {
                body: Some(payload),
                url,
                ..ListRow::default()
            };
            let parsed = ParsedRow {
                error: None,
                line: number,
                raw: line.to_vec(),
                row,
            };
            return self.add_row(source, parsed, batch);
        }
        self.seq += 1;
        let completed = self.template.complete_url(line, &self.template.payload);
        let (raw, line) = (line, &*completed);
        let text = check(line).map_err(str::to_owned);
        match text.and_then(|text| self.template.request(text)) {
            Ok(request) => {
                // Before the body, whose header fields all requests have.
                let item = self.writer.attachment(&request).map(Arc::new);
                let request = self
                    .template
                    .payload
                    .attach_to(request, self.template.asks_before_bodies);
                self.push_wanted(request, item, batch);
            }
            Err(_) if !self.is_wanted(|writer| writer.line_id(line)) => {}
            Err(why) => self.report_malformed(source, number, raw, Some(raw), None, &why),
        }
    }

    fn add_row(&mut self, source: &str, parsed: ParsedRow, batch: &mut Vec<Request>) {
        let ParsedRow {
            error,
            line,
            raw,
            mut row,
        } = parsed;
        if let Cow::Owned(url) = complete(row.url.trim().as_bytes(), self.template.default_scheme) {
            row.url = String::from_utf8_lossy(&url).into_owned();
        }
        if error.is_none() && row.is_plain() {
            return self.add_line(source, line, row.url.as_bytes(), batch);
        }
        self.seq += 1;
        let has_url = !row.url.is_empty();
        row.url = self.template.complete_row_url(&row);
        let url = has_url.then(|| row.url.clone());
        // Kept for the record of a row that turns out not to be valid.
        let carried = row.carried.clone();
        let made = match error {
            Some(why) => Err(why),
            None => check(row.url.as_bytes())
                .map(|_| ())
                .map_err(str::to_owned)
                .and_then(|()| self.template.row_request(row)),
        };
        match made {
            Ok((request, item)) => self.push_wanted(request, Some(Arc::new(item)), batch),
            Err(why) if self.is_wanted(|writer| writer.line_id(&raw)) => {
                let carried = carried.as_deref();
                let url = url.as_deref().map(str::as_bytes);
                self.report_malformed(source, line, &raw, url, carried, &why);
            }
            Err(_) => {}
        }
    }

    fn print_notes(&self, source: &str, notes: impl Iterator<Item = String>) {
        notes.for_each(|note| (self.print)(&format!("{source}: {note}")));
    }

    /// Adds a request to the batch, unless it is not wanted, or its file exists.
    fn push_wanted(
        &mut self,
        request: Request,
        attached: Option<Arc<RowAttachment>>,
        batch: &mut Vec<Request>,
    ) {
        let item = attached.as_deref();
        if !self.is_wanted(|writer| writer.request_id(&request, item)) {
            return;
        }
        let request = match attached.clone() {
            Some(attached) => request.attach(attached),
            None => request,
        };
        if self.skip_existing(&request, item) {
            return;
        }
        self.shared.urls.fetch_add(1, Relaxed);
        let request = request.tag(self.seq);
        let digest = |request: &Request| self.writer.request_id(request, item).state_key();
        batch.push(self.store.attach_to(request, digest, self.seq, item));
    }

    /// Whether the request is to be fetched: neither a duplicate nor completed according to the
    /// state, in which it is claimed.
    fn is_wanted<'a>(&mut self, id: impl FnOnce(&RecordWriter) -> RecordId<'a>) -> bool {
        if self
            .is_done
            .as_ref()
            .is_some_and(|is_done| is_done(self.seq))
        {
            return false;
        }
        if self.duplicates.is_none() && self.ledger.is_none() {
            return true;
        }
        let id = id(&self.writer);
        if let Some(duplicates) = &mut self.duplicates
            && duplicates.is_duplicate(xxh3_128(&id.key()))
        {
            self.shared.duplicates.fetch_add(1, Relaxed);
            return false;
        }
        let Some(ledger) = &self.ledger else {
            return true;
        };
        ledger
            .claim(id.state_key(), self.seq)
            .unwrap_or_else(|error| {
                *lock(&self.shared.state_lost) = Some(error);
                self.shared.unread.store(true, Relaxed);
                self.shared.stopped.store(true, Relaxed);
                false
            })
    }

    /// Writes a record if the file of the request exists, and returns whether it does.
    fn skip_existing(&mut self, request: &Request, item: Option<&RowAttachment>) -> bool {
        let Some(file) = self.store.existing_file(request.url(), self.seq, item) else {
            return false;
        };
        self.shared.skipped.fetch_add(1, Relaxed);
        self.writer.push(&RecordInput::Skipped {
            file: &file,
            row: item,
            seq: self.seq,
            url: request.text(),
        });
        true
    }

    /// Reports a line that cannot be fetched, with its URL and its columns as far as they are known.
    fn report_malformed(
        &mut self,
        source: &str,
        number: u64,
        line: &[u8],
        url: Option<&[u8]>,
        carried: Option<&RawValue>,
        why: &str,
    ) {
        let text = sanitize(line);
        let message = format!("{source}:{number}: {why}: {text}");
        let before = self.shared.malformed.fetch_add(1, Relaxed);
        self.shared.exit_status.record(ExitStatus::Usage);
        if before < MAX_REPORTED {
            (self.print)(&message);
        } else if before == MAX_REPORTED {
            (self.print)("more malformed lines follow: they are counted, and each has a record");
        }
        // A shortened or escaped text may be another URL.
        let unchanged = |url: &&[u8]| sanitize(url).as_bytes() == *url;
        let url = url.filter(unchanged).map(sanitize);
        self.writer.push(&RecordInput::Invalid {
            carried,
            line,
            message: &message,
            seq: self.seq,
            url: url.as_deref(),
        });
        if self.shared.count_failure(self.max_errors) {
            self.shared.failed_early.store(true, Relaxed);
            self.shared.stopped.store(true, Relaxed);
        }
    }
}
