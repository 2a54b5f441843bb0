//! Opening of a state and its output.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::disk;
use crate::error::{ChangedProperty, JournalCut, OutputError, OutputRepair, StateError};
use crate::files::archive::ArchiveEnd;
use crate::files::journal::Journal;
use crate::files::lock::StateLock;
use crate::files::manifest::{ManifestArchive, ManifestOutput, StateManifest};
use crate::files::segment::Segment;
use crate::run::body_log::BodyLog;
use crate::run::history::JournalHistory;
use crate::run::ledger::StateLedger;
use crate::run::records;
use crate::run::writer::{self, StateWriter};

/// The run that a state is opened for.
#[derive(Clone, Debug)]
pub struct StateOptions {
    /// The directory of the state. It is created if it does not exist.
    pub directory: PathBuf,
    /// The file that records are appended to. With `None`, `-`, a device or a pipe, records are not
    /// verified, and nothing is truncated.
    pub output: Option<PathBuf>,
    /// The name of the output's format. All runs with the same output must have the same.
    pub format: String,
    /// The properties that all requests share, by name. All runs must have the same.
    pub request: BTreeMap<String, String>,
    /// Whether the failures of earlier rounds can be claimed again.
    pub retry_failed: bool,
    /// The archives of bodies that this run appends to, each by the path of its first file or its
    /// directory.
    pub archives: Vec<PathBuf>,
}

impl StateOptions {
    /// A run without an output and without properties.
    ///
    /// ```
    /// let mut options = fetch_state::StateOptions::new("run.state");
    /// options.output = Some("records.jsonl".into());
    /// options.format = "jsonl".into();
    /// ```
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            output: None,
            format: String::new(),
            request: BTreeMap::new(),
            retry_failed: false,
            archives: Vec::new(),
        }
    }
}

/// An open state. No other process can open it before the writer is dropped.
#[derive(Debug)]
pub struct State {
    /// For the thread that writes records.
    pub writer: StateWriter,
    /// For the thread that decides what is fetched.
    pub ledger: Arc<StateLedger>,
    /// The output, positioned at its end. `None` if it is not a regular file.
    pub output: Option<File>,
    /// What was repaired at the end of the output.
    pub repair: Option<OutputRepair>,
    /// The incomplete block that was removed from the end of the journal.
    pub journal_cut: Option<JournalCut>,
    /// The ends of [`StateOptions::archives`]. What is behind them, or anything if there is none,
    /// belongs to requests that will be fetched again, and must be removed.
    pub archive_ends: Vec<Option<ArchiveEnd>>,
    /// The files of bodies that a stopped run may have left without a record.
    pub bodies: Arc<BodyLog>,
}

impl State {
    /// Opens or creates the state and its output. Removes the uncommitted end of the output.
    ///
    /// # Errors
    ///
    /// If one of them cannot be used, or belongs to another kind of run.
    ///
    /// ```
    /// use fetch_state::{State, StateError, StateOptions};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let options = StateOptions::new(directory.path().join("state"));
    /// let state = State::open(&options)?;
    /// assert!(matches!(State::open(&options), Err(StateError::InUse(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(options: &StateOptions) -> Result<Self, StateError> {
        let directory = options.directory.as_path();
        let read = StateError::Read;
        create_directory(directory)?;
        // Checked first, so that no lock file is created in a directory with other files.
        StateManifest::read(directory)?;
        let lock = StateLock::take(directory)?;
        let mut manifest = match StateManifest::read(directory)? {
            Some(manifest) => manifest,
            None => create_state(directory, options).map_err(read)?,
        };
        check_request(&manifest, options)?;
        let segments = manifest
            .segments
            .iter()
            .map(|number| Segment::open(directory, *number));
        let segments = segments.collect::<Result<Vec<_>, _>>().map_err(read)?;
        let (journal, scan) = Journal::open(directory, manifest.journal).map_err(read)?;
        manifest.complete_copy(directory).map_err(read)?;
        let output = select_output(&mut manifest, options)?;
        let mut history = JournalHistory::new(&manifest, &scan.blocks);
        let (mut file, mut repair, mut dropped) = (None, None, false);
        if let (Some(index), Some(path)) = (output, &options.output) {
            let resumed = history.resume(index, path, &manifest)?;
            dropped = history.drop_commits(index, resumed.hold);
            history.durable[index] = resumed.durable;
            (file, repair) = (Some(resumed.file), resumed.repair);
        }
        let run_archives = select_archives(&mut manifest, options)?;
        manifest.remove_stale_files(directory);
        let begin = history.run_start(output, options.retry_failed);
        let retrying = options.retry_failed.then_some(begin.round);
        let ledger = Arc::new(StateLedger::new(history.entries(), segments, retrying));
        let archive_ends = history.archive_ends(&manifest);
        let bodies = Arc::new(BodyLog::open(directory, ledger.clone()).map_err(read)?);
        let to = output.map_or(0, |index| history.durable[index]);
        let journal_name = Journal::name(manifest.journal);
        let of_run = run_archives
            .iter()
            .map(|index| archive_ends[*index as usize]);
        let of_run = of_run.collect();
        let mut writer = StateWriter {
            archive_ends,
            begin,
            bodies: bodies.clone(),
            directory: directory.to_owned(),
            durable: history.durable,
            file: file
                .as_ref()
                .map(File::try_clone)
                .transpose()
                .map_err(read)?,
            from: to,
            hash: Default::default(),
            journal,
            last: Instant::now(),
            ledger: ledger.clone(),
            manifest,
            merging: None,
            pending: Vec::new(),
            pending_archives: Vec::new(),
            run_archives,
            seal_at: writer::MAX_JOURNAL_ENTRIES,
            to,
            _lock: lock,
        };
        writer.start(dropped).map_err(read)?;
        Ok(Self {
            writer,
            ledger,
            output: file,
            repair,
            journal_cut: scan.torn_tail.map(|tail| JournalCut {
                file: journal_name,
                offset: tail.offset,
                length: tail.length,
            }),
            archive_ends: of_run,
            bodies,
        })
    }
}

fn create_directory(directory: &Path) -> Result<(), StateError> {
    if directory.exists() && !directory.is_dir() {
        return Err(StateError::NotDirectory);
    }
    fs::create_dir_all(directory).map_err(StateError::Create)
}

/// Creates a state with an empty journal.
fn create_state(directory: &Path, options: &StateOptions) -> io::Result<StateManifest> {
    let mut manifest = StateManifest::new(options.request.clone());
    Journal::create(directory, manifest.journal, None)?;
    manifest.write(directory)?;
    if let Some(parent) = directory.canonicalize()?.parent() {
        disk::sync_directory(parent)?;
    }
    Ok(manifest)
}

/// Checks that the properties of requests have not changed: another kind of run in the same
/// directory is most likely a mistake.
fn check_request(manifest: &StateManifest, options: &StateOptions) -> Result<(), StateError> {
    let (before, now) = (&manifest.request, &options.request);
    let names: BTreeSet<_> = before.keys().chain(now.keys()).collect();
    let changed = names.into_iter().filter_map(|name| {
        let (before, now) = (before.get(name), now.get(name));
        (before != now).then(|| ChangedProperty {
            name: name.clone(),
            before: before.cloned(),
            now: now.cloned(),
        })
    });
    let changed: Vec<_> = changed.collect();
    match changed.is_empty() {
        true => Ok(()),
        false => Err(StateError::OtherRequest(changed)),
    }
}

/// The index of the output in the manifest. A new output is added.
fn select_output(
    manifest: &mut StateManifest,
    options: &StateOptions,
) -> Result<Option<usize>, StateError> {
    let directory = options.directory.as_path();
    let is_special = |path: &Path| fs::metadata(path).is_ok_and(|meta| !meta.is_file());
    let path = options
        .output
        .as_deref()
        .filter(|path| path.as_os_str() != "-" && !is_special(path));
    let Some(path) = path else {
        return Ok(None);
    };
    let relative = records::relative_path(directory, path).map_err(OutputError::Directory)?;
    let known = |output: &ManifestOutput| output.path == relative;
    if let Some(index) = manifest.outputs.iter().position(known) {
        let before = &manifest.outputs[index].format;
        if *before != options.format {
            let (before, now) = (before.clone(), options.format.clone());
            return Err(OutputError::OtherFormat { before, now }.into());
        }
        return Ok(Some(index));
    }
    if fs::metadata(path).is_ok_and(|meta| meta.len() > 0) {
        return Err(OutputError::NotEmpty.into());
    }
    // Before the manifest, so that it never names an output that cannot be created.
    let created = File::options().append(true).create(true).open(path);
    created.map_err(OutputError::Create)?;
    manifest.outputs.push(ManifestOutput {
        path: relative,
        format: options.format.clone(),
        durable: 0,
    });
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    disk::sync_directory(parent.unwrap_or_else(|| Path::new(".")))
        .and_then(|()| manifest.write(directory))
        .map_err(StateError::Write)?;
    Ok(Some(manifest.outputs.len() - 1))
}

/// The indexes of the run's archives in the manifest. New archives are added.
fn select_archives(
    manifest: &mut StateManifest,
    options: &StateOptions,
) -> Result<Vec<u32>, StateError> {
    let (known, mut indexes) = (manifest.archives.len(), Vec::new());
    for path in &options.archives {
        let path = records::relative_path(&options.directory, path).map_err(StateError::Write)?;
        let index = manifest.archives.iter().position(|old| old.path == path);
        indexes.push(index.unwrap_or(manifest.archives.len()) as u32);
        if index.is_none() {
            manifest.archives.push(ManifestArchive { path, end: None });
        }
    }
    if manifest.archives.len() > known || manifest.is_older() {
        manifest
            .write(&options.directory)
            .map_err(StateError::Write)?;
    }
    Ok(indexes)
}
