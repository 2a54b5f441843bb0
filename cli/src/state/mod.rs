//! `--state`: the record of completed requests, from which a later run resumes.
//!
//! # Guarantees
//!
//! A request (method, body, URL: the record's `id`) is *completed* when its record is durable,
//! together with everything that belongs to it. A completed request is not fetched again; a request
//! that is not completed has no record. So after a stop of any kind at any byte, the same command
//! resumes: it repeats at most the requests that were in flight or not committed yet, and the output
//! has every request once. Over a pipe, durable can only mean written.
//!
//! # Design
//!
//! An embedded store would maintain a tree of random keys: each commit touches as many pages as it
//! has entries. Here nothing is ever deleted or read in order, so an append-only journal and sorted
//! files are enough, with two sequential writes per commit, 16 bytes per entry, and code that a test
//! can interrupt at each byte.
//!
//! - The writing thread writes records as they arrive. Every 25 ms it syncs the output, and then
//!   appends a block to the *journal* ([`journal`]): the entries that became completed, the position
//!   of their records in the output, and the digest of these. A block has a checksum: it is complete
//!   or ignored.
//! - A journal of 458,752 entries becomes a sorted *segment* ([`segment`]), and a new journal
//!   begins. A thread merges segments of similar size ([`merge`]), so there are few.
//! - The *manifest* ([`manifest`]) names the current files. It is replaced atomically.
//! - The *ledger* ([`ledger`]) answers the thread that reads lists: the journal's entries are in a
//!   hash table, and a segment takes one read of 4 KiB. Its memory is 9 MiB, and 8 bytes for each 255
//!   entries: another 320 KiB for ten million.
//! - The *lock* ([`lock`]) belongs to the process, so it cannot be left behind.
//!
//! On opening, the torn end of the journal is removed, and the output ([`records`]) is truncated to
//! the last block's position. Its last 8 MiB are verified: blocks whose records differ from what was
//! written, because a disk lost them, are dropped.
//!
//! # Rounds
//!
//! `--retry-failed` fetches failures again. A run with it may be stopped, too, and then the same
//! command must not repeat what has failed again. So failures have the number of their round; a new
//! round begins if the last run had no `--retry-failed`, or reached the end of its lists.

mod disk;
mod entry;
mod journal;
mod ledger;
mod lock;
mod manifest;
mod merge;
mod records;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::ValueEnum;

use crate::exit::CliError;
use crate::output::format::RecordFormat;
use crate::output::target::OutputTarget;
use crate::save::BodyStore;
use entry::{RetryRound, StateEntries};
use journal::{Journal, JournalBlock, JournalCommit, NO_OUTPUT, RunStart};
pub(crate) use ledger::StateLedger;
use lock::StateLock;
use manifest::{ManifestOutput, StateManifest};
use records::ResumedOutput;
use segment::Segment;
pub(crate) use writer::StateWriter;

/// The run that a state is opened for.
pub(crate) struct StateOptions {
    pub(crate) directory: PathBuf,
    pub(crate) format: RecordFormat,
    pub(crate) output: Option<PathBuf>,
    /// The properties that all requests share, by name.
    pub(crate) request: BTreeMap<String, String>,
    pub(crate) retry_failed: bool,
}

/// The part of a state for other threads than the writing one.
#[derive(Clone)]
pub(crate) struct StateView {
    pub(crate) directory: PathBuf,
    pub(crate) ledger: Arc<StateLedger>,
}

/// An open state.
pub(crate) struct ResumeState {
    /// The bodies that must be durable before their records.
    pub(crate) archives: Option<Arc<BodyStore>>,
    pub(crate) writer: StateWriter,
    pub(crate) view: StateView,
    pub(crate) notes: Vec<String>,
}

impl ResumeState {
    /// Opens or creates the state and its output.
    ///
    /// # Errors
    ///
    /// If one of them cannot be used, or belongs to another kind of run.
    pub(crate) fn open(options: &StateOptions) -> Result<(Self, OutputTarget), CliError> {
        let directory = options.directory.as_path();
        let broken = |error| state_error(directory, &error, "cannot be used");
        create_directory(directory)?;
        // No lock is created in a directory without a state.
        StateManifest::read(directory)?;
        let lock = StateLock::take(directory)?;
        let mut manifest = match StateManifest::read(directory)? {
            Some(manifest) => manifest,
            None => create_state(directory, options).map_err(broken)?,
        };
        check_request(directory, &manifest, options)?;
        let segments = manifest
            .segments
            .iter()
            .map(|number| Segment::open(directory, *number));
        let segments = segments.collect::<Result<Vec<_>, _>>().map_err(broken)?;
        let (journal, blocks) = Journal::open(directory, manifest.journal).map_err(broken)?;
        let output = select_output(&mut manifest, options)?;
        let mut history = JournalHistory::new(&manifest, &blocks);
        let mut notes = Vec::new();
        let (mut file, mut dropped) = (None, false);
        if let (Some(index), Some(path)) = (output, &options.output) {
            let resumed = history.resume(index, path, &manifest)?;
            dropped = history.drop_commits(index, resumed.hold);
            history.durable[index] = resumed.durable;
            notes.extend(resumed.note);
            file = Some(resumed.file);
        }
        manifest.remove_stale_files(directory);
        let begin = history.run_start(output, options.retry_failed);
        let retrying = options.retry_failed.then_some(begin.round);
        let ledger = Arc::new(StateLedger::new(history.entries(), segments, retrying));
        let to = output.map_or(0, |index| history.durable[index]);
        let mut writer = StateWriter {
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
            seal_at: writer::MAX_JOURNAL_ENTRIES,
            to,
            _lock: lock,
        };
        writer.start(dropped).map_err(broken)?;
        let target = match (file, options.output.as_deref()) {
            (Some(file), Some(path)) => OutputTarget::File(OutputTarget::display_name(path), file),
            (_, path) => OutputTarget::open(path)?,
        };
        let directory = directory.to_owned();
        let view = StateView { directory, ledger };
        Ok((
            Self {
                archives: None,
                writer,
                view,
                notes,
            },
            target,
        ))
    }
}

/// The error of a state that cannot be used.
pub(crate) fn state_error(directory: &Path, error: &std::io::Error, what: &str) -> CliError {
    let hint = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            ": make room, then run the same command again"
        }
        std::io::ErrorKind::InvalidData => {
            ": restore it from a copy, or use another directory and fetch everything again"
        }
        _ => "",
    };
    CliError::file(format!(
        "--state {}: {what}: {error}{hint}",
        directory.display()
    ))
}

fn create_directory(directory: &Path) -> Result<(), CliError> {
    let shown = directory.display();
    if directory.exists() && !directory.is_dir() {
        return Err(CliError::file(format!(
            "--state {shown}: is not a directory: use an existing or a new directory"
        )));
    }
    fs::create_dir_all(directory)
        .map_err(|error| CliError::file(format!("--state {shown}: cannot be created: {error}")))
}

/// Creates a state with an empty journal.
fn create_state(directory: &Path, options: &StateOptions) -> std::io::Result<StateManifest> {
    let manifest = StateManifest::new(options.request.clone());
    Journal::create(directory, manifest.journal, None)?;
    manifest.write(directory)?;
    if let Some(parent) = directory.canonicalize()?.parent() {
        disk::sync_directory(parent)?;
    }
    Ok(manifest)
}

/// Another kind of requests in the same directory is most likely a mistake.
fn check_request<'a>(
    directory: &Path,
    manifest: &'a StateManifest,
    options: &'a StateOptions,
) -> Result<(), CliError> {
    let (before, now) = (&manifest.request, &options.request);
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
            "--state {}: was created with other requests: {}: use another directory",
            directory.display(),
            other.join("; ")
        ))),
    }
}

/// The index of the output in the manifest. A new output is added.
fn select_output(
    manifest: &mut StateManifest,
    options: &StateOptions,
) -> Result<Option<usize>, CliError> {
    check_appendable(options.format)?;
    let directory = options.directory.as_path();
    let is_special = |path: &Path| fs::metadata(path).is_ok_and(|meta| !meta.is_file());
    let path = options
        .output
        .as_deref()
        .filter(|path| path.as_os_str() != "-" && !is_special(path));
    let Some(path) = path else {
        return Ok(None);
    };
    let shown = OutputTarget::display_name(path);
    let refuse = |what: String| CliError::file(format!("--output {shown}: {what}"));
    let format = options.format.to_possible_value();
    let format = format.map_or(String::new(), |value| value.get_name().to_owned());
    let relative = records::relative_path(directory, path).map_err(|error| {
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
                "has records of --format {before} by --state, not {format}: use another file"
            )));
        }
        return Ok(Some(index));
    }
    if fs::metadata(path).is_ok_and(|meta| meta.len() > 0) {
        return Err(refuse(
            "is not empty and not part of --state: use another file, or remove it".into(),
        ));
    }
    // Before the manifest, so that it never names an output that cannot be created.
    let created = File::options().append(true).create(true).open(path);
    created.map_err(|error| refuse(format!("cannot be written: {error}")))?;
    manifest.outputs.push(ManifestOutput {
        path: relative,
        format,
        durable: 0,
    });
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    disk::sync_directory(parent.unwrap_or_else(|| Path::new(".")))
        .and_then(|()| manifest.write(directory))
        .map_err(|error| state_error(directory, &error, "cannot be written"))?;
    Ok(Some(manifest.outputs.len() - 1))
}

/// Checks that records can be appended to a file that was truncated after any of them.
fn check_appendable(format: RecordFormat) -> Result<(), CliError> {
    match format {
        RecordFormat::Csv | RecordFormat::Jsonl | RecordFormat::Text | RecordFormat::None => Ok(()),
        RecordFormat::Har | RecordFormat::Parquet => {
            let name = format.to_possible_value();
            let name = name.as_ref().map_or("", |value| value.get_name());
            Err(CliError::usage(format!(
                "--state: --format {name} cannot be resumed: use jsonl or csv"
            )))
        }
    }
}

/// The contents of the journal.
struct JournalHistory<'a> {
    blocks: &'a [JournalBlock],
    /// The indexes of dropped commits.
    dropped: Vec<usize>,
    /// The durable length of each output.
    durable: Vec<u64>,
    /// The last run, and whether it reached the end of its lists.
    last: Option<(RunStart, bool)>,
}

impl<'a> JournalHistory<'a> {
    fn new(manifest: &StateManifest, blocks: &'a [JournalBlock]) -> Self {
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
                JournalBlock::Start(begin) => history.last = Some((*begin, false)),
                JournalBlock::Finished => {
                    history.last = history.last.map(|(begin, _)| (begin, true));
                }
                JournalBlock::Commit(_) => {}
            }
        }
        for (output, _, commit) in commits(blocks) {
            if let Some(durable) = history.durable.get_mut(output as usize) {
                *durable = commit.to;
            }
        }
        history
    }

    /// Truncates an output to its durable length.
    fn resume(
        &self,
        index: usize,
        path: &Path,
        manifest: &StateManifest,
    ) -> Result<ResumedOutput, CliError> {
        let to_output = commits(self.blocks).filter(|(output, ..)| *output as usize == index);
        let to_output: Vec<_> = to_output.map(|(_, _, commit)| commit).collect();
        records::reopen(path, manifest.outputs[index].durable, &to_output)
    }

    /// Drops all commits to this output but the first `hold`. True if there are any.
    fn drop_commits(&mut self, index: usize, hold: usize) -> bool {
        let to_output = commits(self.blocks).filter(|(output, ..)| *output as usize == index);
        self.dropped = to_output.skip(hold).map(|(_, at, _)| at).collect();
        !self.dropped.is_empty()
    }

    /// The completed requests. Later entries replace earlier ones.
    fn entries(&self) -> StateEntries {
        let mut entries = StateEntries::default();
        for (_, at, commit) in commits(self.blocks) {
            if self.dropped.binary_search(&at).is_err() {
                for entry in &commit.entries {
                    entries.replace(*entry);
                }
            }
        }
        entries
    }

    /// The start block of this run.
    fn run_start(&self, output: Option<usize>, retry_failed: bool) -> RunStart {
        let round = match self.last {
            Some((last, finished)) if retry_failed && (finished || !last.retry_failed) => {
                last.round.next()
            }
            Some((last, _)) => last.round,
            None => RetryRound::default(),
        };
        RunStart {
            output: output.map_or(NO_OUTPUT, |index| index as u32),
            retry_failed,
            round,
        }
    }
}

/// All commits, each with its output and its index among the blocks.
fn commits(blocks: &[JournalBlock]) -> impl Iterator<Item = (u32, usize, &JournalCommit)> {
    let mut output = NO_OUTPUT;
    blocks
        .iter()
        .enumerate()
        .filter_map(move |(at, block)| match block {
            JournalBlock::Start(begin) => {
                output = begin.output;
                None
            }
            JournalBlock::Commit(commit) => Some((output, at, commit)),
            JournalBlock::Finished => None,
        })
}
