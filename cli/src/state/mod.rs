//! `--state`: what is done, kept so that any later run can go on from it.
//!
//! # What is promised
//!
//! *Done* is a request (method, body, URL: the record's `id`) whose record is durable, with whatever
//! belongs to it. What is done is not fetched again; what is not done has no record. So after a stop
//! of any kind at any byte the same command goes on: it fetches again at most what was in flight or
//! not yet committed, and the file of records has every request once. Over a pipe, durable can mean
//! no more than handed over.
//!
//! # How
//!
//! An embedded store would keep a tree of random keys up to date: each commit touches as many pages
//! as it has entries. But nothing here is ever deleted or read in order, so an append-only journal
//! and sorted files do with two sequential writes for a commit, 16 bytes for an entry, and code that
//! can be cut off at each byte in a test.
//!
//! - The writing thread writes records as they come. Every 25 ms it makes the file durable, and then
//!   appends a block to the *journal* ([`journal`]): the entries that became done, where their
//!   records end in the file, and their digest. A block has a checksum: it is whole or not there.
//! - A journal of 458,752 entries becomes a sorted *segment* ([`segment`]), and a new one begins. A
//!   thread merges segments of about one size ([`merge`]), so there are few.
//! - The *manifest* ([`manifest`]) names the files that count. It is replaced as a whole.
//! - The *ledger* ([`ledger`]) answers for the thread that reads lists: the journal's entries are in
//!   a hash table, and a segment takes one read of 4 KiB. Memory is 9 MiB, and 8 bytes for each 255
//!   entries: another 320 KiB for ten million.
//! - The *lock* ([`lock`]) is the system's, so it cannot stay behind.
//!
//! On opening, the torn end of the journal is cut off, and the file of records ([`records`]) is cut
//! at what the last block says. The end of it, 8 MiB, is read again: blocks whose records are not
//! there as they were written, because a disk lied, do not count.
//!
//! # Rounds
//!
//! `--retry-failed` fetches again what failed. A run with it may be stopped too, and then the same
//! command must not fetch again what has failed again. So failures have the number of their round; a
//! new one begins when the last run had no `--retry-failed`, or came to the end of its lists.

mod disk;
mod done;
mod entry;
mod journal;
mod keeper;
mod ledger;
mod lock;
mod manifest;
mod merge;
mod records;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::ValueEnum;

use crate::args::Format;
use crate::exit::CliError;
use crate::output::target::Target;
use crate::save::Store;
pub(crate) use done::Done;
pub(crate) use entry::Kind;
use entry::{Entries, Round};
use journal::{Begin, Block, Commit, Journal, NO_OUTPUT};
pub(crate) use keeper::Keeper;
pub(crate) use ledger::Ledger;
use lock::Lock;
use manifest::{Manifest, Output};
use records::Resumed;
use segment::Segment;

/// What a state is opened for.
pub(crate) struct Wanted {
    pub(crate) directory: PathBuf,
    pub(crate) format: Format,
    pub(crate) output: Option<PathBuf>,
    /// What all requests have, by name.
    pub(crate) request: BTreeMap<String, String>,
    pub(crate) retry_failed: bool,
}

/// What a run looks at while the writing thread has the state.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) directory: PathBuf,
    pub(crate) ledger: Arc<Ledger>,
}

/// A state that is open.
pub(crate) struct State {
    /// Where bodies are that must be durable before their records are.
    pub(crate) archives: Option<Arc<Store>>,
    pub(crate) keeper: Keeper,
    pub(crate) kept: Kept,
    pub(crate) notes: Vec<String>,
}

impl State {
    /// Opens the state, or makes it, and the file of records with it.
    ///
    /// # Errors
    ///
    /// If one of them cannot be used, or was made for something else.
    pub(crate) fn open(wanted: &Wanted) -> Result<(Self, Target), CliError> {
        let directory = wanted.directory.as_path();
        let broken = |error| stop(directory, &error, "cannot be used");
        make(directory)?;
        // A directory of something else gets no lock.
        Manifest::read(directory)?;
        let lock = Lock::take(directory)?;
        let mut manifest = match Manifest::read(directory)? {
            Some(manifest) => manifest,
            None => begin(directory, wanted).map_err(broken)?,
        };
        check_request(directory, &manifest, wanted)?;
        let segments = manifest
            .segments
            .iter()
            .map(|number| Segment::open(directory, *number));
        let segments = segments.collect::<Result<Vec<_>, _>>().map_err(broken)?;
        let (journal, blocks) = Journal::open(directory, manifest.journal).map_err(broken)?;
        let output = output(&mut manifest, wanted)?;
        let mut history = History::new(&manifest, &blocks);
        let mut notes = Vec::new();
        let (mut file, mut dropped) = (None, false);
        if let (Some(index), Some(path)) = (output, &wanted.output) {
            let resumed = history.resume(index, path, &manifest)?;
            dropped = history.drop_from(index, resumed.hold);
            history.durable[index] = resumed.durable;
            notes.extend(resumed.note);
            file = Some(resumed.file);
        }
        manifest.clean(directory);
        let begin = history.begin(output, wanted.retry_failed);
        let retrying = wanted.retry_failed.then_some(begin.round);
        let ledger = Arc::new(Ledger::new(history.entries(), segments, retrying));
        let to = output.map_or(0, |index| history.durable[index]);
        let mut keeper = Keeper {
            begin,
            directory: directory.to_owned(),
            durable: history.durable,
            file: file
                .as_ref()
                .map(File::try_clone)
                .transpose()
                .map_err(broken)?,
            from: to,
            hash: Default::default(),
            journal,
            last: Instant::now(),
            ledger: ledger.clone(),
            manifest,
            merging: None,
            pending: Vec::new(),
            seal_at: keeper::SEAL,
            to,
            _lock: lock,
        };
        keeper.start(dropped).map_err(broken)?;
        let target = match (file, wanted.output.as_deref()) {
            (Some(file), Some(path)) => Target::File(Target::name(path), file),
            (_, path) => Target::open(path)?,
        };
        let directory = directory.to_owned();
        let kept = Kept { directory, ledger };
        Ok((
            Self {
                archives: None,
                keeper,
                kept,
                notes,
            },
            target,
        ))
    }
}

/// Why the state cannot be used further.
pub(crate) fn stop(directory: &Path, error: &std::io::Error, what: &str) -> CliError {
    let hint = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            ": make room, then run the same command again"
        }
        std::io::ErrorKind::InvalidData => {
            ": put it back from a copy, or name another directory and fetch all anew"
        }
        _ => "",
    };
    CliError::file(format!(
        "--state {}: {what}: {error}{hint}",
        directory.display()
    ))
}

fn make(directory: &Path) -> Result<(), CliError> {
    let shown = directory.display();
    if directory.exists() && !directory.is_dir() {
        return Err(CliError::file(format!(
            "--state {shown}: is not a directory: name one, or one that is not there yet"
        )));
    }
    fs::create_dir_all(directory)
        .map_err(|error| CliError::file(format!("--state {shown}: cannot be made: {error}")))
}

/// The manifest of a state that begins, with its empty journal.
fn begin(directory: &Path, wanted: &Wanted) -> std::io::Result<Manifest> {
    let manifest = Manifest::new(wanted.request.clone());
    Journal::create(directory, manifest.journal, None)?;
    manifest.write(directory)?;
    if let Some(parent) = directory.canonicalize()?.parent() {
        disk::sync_directory(parent)?;
    }
    Ok(manifest)
}

/// The same directory for other requests is most likely a mistake.
fn check_request<'a>(
    directory: &Path,
    manifest: &'a Manifest,
    wanted: &'a Wanted,
) -> Result<(), CliError> {
    let (before, now) = (&manifest.request, &wanted.request);
    let names: std::collections::BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let other = names.into_iter().filter_map(|name| {
        let get = |from: &'a BTreeMap<_, String>| from.get(name).map_or("none", String::as_str);
        let (before, now) = (get(before), get(now));
        (before != now).then(|| format!("{name} was {before} and is {now}"))
    });
    let other: Vec<_> = other.collect();
    match other.is_empty() {
        true => Ok(()),
        false => Err(CliError::usage(format!(
            "--state {}: was made with other requests: {}: name another directory",
            directory.display(),
            other.join("; ")
        ))),
    }
}

/// Which of the manifest's outputs the records go to; a new one is added.
fn output(manifest: &mut Manifest, wanted: &Wanted) -> Result<Option<usize>, CliError> {
    continuable(wanted.format)?;
    let directory = wanted.directory.as_path();
    let special = |path: &Path| fs::metadata(path).is_ok_and(|meta| !meta.is_file());
    let path = wanted
        .output
        .as_deref()
        .filter(|path| path.as_os_str() != "-" && !special(path));
    let Some(path) = path else {
        return Ok(None);
    };
    let shown = Target::name(path);
    let refuse = |what: String| CliError::file(format!("--output {shown}: {what}"));
    let format = wanted.format.to_possible_value();
    let format = format.map_or(String::new(), |value| value.get_name().to_owned());
    let relative = records::relative(directory, path).map_err(|error| {
        refuse(format!(
            "cannot be written: {error}: its directory must exist"
        ))
    })?;
    if let Some(index) = manifest
        .outputs
        .iter()
        .position(|output| output.path == relative)
    {
        let before = &manifest.outputs[index].format;
        if *before != format {
            return Err(refuse(format!(
                "has records of --format {before} by --state, not {format}: name another file"
            )));
        }
        return Ok(Some(index));
    }
    if fs::metadata(path).is_ok_and(|meta| meta.len() > 0) {
        return Err(refuse(
            "is not empty, and --state knows nothing of it: name another file, or remove it".into(),
        ));
    }
    // Before the manifest, so that no output is named that could not even be made.
    let made = File::options().append(true).create(true).open(path);
    made.map_err(|error| refuse(format!("cannot be written: {error}")))?;
    manifest.outputs.push(Output {
        path: relative,
        format,
        durable: 0,
    });
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    disk::sync_directory(parent.unwrap_or_else(|| Path::new(".")))
        .and_then(|()| manifest.write(directory))
        .map_err(|error| stop(directory, &error, "cannot be written"))?;
    Ok(Some(manifest.outputs.len() - 1))
}

/// Whether records of a form can be added to a file that was cut at the end of any of them.
fn continuable(format: Format) -> Result<(), CliError> {
    match format {
        Format::Csv | Format::Jsonl | Format::Text | Format::None => Ok(()),
        Format::Har | Format::Parquet => {
            let name = format.to_possible_value();
            let name = name.as_ref().map_or("", |value| value.get_name());
            Err(CliError::usage(format!(
                "--state: a file of --format {name} cannot be gone on with: use jsonl or csv"
            )))
        }
    }
}

/// What the journal tells.
struct History<'a> {
    blocks: &'a [Block],
    /// Those that do not count.
    dropped: Vec<usize>,
    /// How much of each output is durable.
    durable: Vec<u64>,
    /// The last run, and whether it came to the end of its lists.
    last: Option<(Begin, bool)>,
}

impl<'a> History<'a> {
    fn new(manifest: &Manifest, blocks: &'a [Block]) -> Self {
        let mut history = Self {
            blocks,
            dropped: Vec::new(),
            durable: manifest
                .outputs
                .iter()
                .map(|output| output.durable)
                .collect(),
            last: None,
        };
        for block in blocks {
            match block {
                Block::Begin(begin) => history.last = Some((*begin, false)),
                Block::Finished => history.last = history.last.map(|(begin, _)| (begin, true)),
                Block::Commit(_) => {}
            }
        }
        for (output, _, commit) in commits(blocks) {
            if let Some(durable) = history.durable.get_mut(output as usize) {
                *durable = commit.to;
            }
        }
        history
    }

    /// Brings an output back to what is durable.
    fn resume(&self, index: usize, path: &Path, manifest: &Manifest) -> Result<Resumed, CliError> {
        let of_it = commits(self.blocks).filter(|(output, ..)| *output as usize == index);
        let of_it: Vec<_> = of_it.map(|(_, _, commit)| commit).collect();
        records::resume(path, manifest.outputs[index].durable, &of_it)
    }

    /// Of the commits to this output only the first `hold` count. Whether that changes anything.
    fn drop_from(&mut self, index: usize, hold: usize) -> bool {
        let of_it = commits(self.blocks).filter(|(output, ..)| *output as usize == index);
        self.dropped = of_it.skip(hold).map(|(_, at, _)| at).collect();
        !self.dropped.is_empty()
    }

    /// What is done, later entries in the place of earlier ones.
    fn entries(&self) -> Entries {
        let mut entries = Entries::default();
        for (_, at, commit) in commits(self.blocks) {
            if self.dropped.binary_search(&at).is_err() {
                for entry in &commit.entries {
                    entries.replace(*entry);
                }
            }
        }
        entries
    }

    /// How this run begins.
    fn begin(&self, output: Option<usize>, retry_failed: bool) -> Begin {
        let round = match self.last {
            Some((last, finished)) if retry_failed && (finished || !last.retry_failed) => {
                last.round.next()
            }
            Some((last, _)) => last.round,
            None => Round::default(),
        };
        Begin {
            output: output.map_or(NO_OUTPUT, |index| index as u32),
            retry_failed,
            round,
        }
    }
}

/// All commits: their output, their place among the blocks, themselves.
fn commits(blocks: &[Block]) -> impl Iterator<Item = (u32, usize, &Commit)> {
    let mut output = NO_OUTPUT;
    blocks
        .iter()
        .enumerate()
        .filter_map(move |(at, block)| match block {
            Block::Begin(begin) => {
                output = begin.output;
                None
            }
            Block::Commit(commit) => Some((output, at, commit)),
            Block::Finished => None,
        })
}
