//! The content of a state's directory, read without changing it.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::disk::count_of;
use crate::error::StateError;
use crate::files::journal::{InvalidRange, Journal, JournalBlock, JournalScan};
use crate::files::lock::StateLock;
use crate::files::manifest::StateManifest;
use crate::files::segment::{SegmentDamage, SegmentReport, SegmentSalvage};
use crate::run::body_log;
use crate::run::history::JournalHistory;
use crate::{MANIFEST_COPY_NAME, MANIFEST_NAME};

/// Checks all files of a state, without changing any but the lock.
///
/// # Errors
///
/// If there is no state, it is in use, or its files cannot be read.
///
/// ```
/// use fetch_state::{State, StateOptions, check};
///
/// # let directory = tempfile::tempdir()?;
/// let directory = directory.path().join("state");
/// State::open(&StateOptions::new(&directory))?;
/// assert!(!check(&directory)?.is_damaged());
/// # let journal = directory.join("journal-1");
/// # let mut bytes = std::fs::read(&journal)?.repeat(2);
/// State::open(&StateOptions::new(&directory))?;
/// # bytes = std::fs::read(&journal)?;
/// # bytes[9] ^= 1;
/// # std::fs::write(&journal, bytes)?;
/// // After a byte of the first block was changed:
/// let found = check(&directory)?;
/// assert!(found.is_damaged());
/// assert!(found.to_string().contains("journal-1: is damaged at byte 0"), "{found}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check(directory: impl AsRef<Path>) -> Result<StateCheck, StateError> {
    let directory = directory.as_ref();
    let _lock = lock(directory)?;
    Ok(Inspection::new(directory)?.check())
}

/// Takes the lock of a directory that has a state.
pub(crate) fn lock(directory: &Path) -> Result<StateLock, StateError> {
    let exists = |name: &str| directory.join(name).exists();
    match exists(MANIFEST_NAME) || exists(MANIFEST_COPY_NAME) {
        true => StateLock::take(directory),
        false => Err(StateError::NoState),
    }
}

/// What [`check`] found. Its `Display` has one line per file, and one per problem.
#[derive(Clone, Debug)]
pub struct StateCheck {
    /// The manifest, the segments, the journal, then the outputs.
    pub files: Vec<CheckedFile>,
}

/// A file of a state, or an output.
#[derive(Clone, Debug)]
pub struct CheckedFile {
    /// Its name, relative to the directory.
    pub name: String,
    /// What is valid in it, in words.
    pub content: String,
    /// What is damaged: a run is refused. Empty if nothing is.
    pub problems: Vec<String>,
    /// What the next run corrects by itself.
    pub notes: Vec<String>,
}

impl StateCheck {
    /// Whether any file is damaged, so that a run is refused.
    pub fn is_damaged(&self) -> bool {
        self.files.iter().any(|file| !file.problems.is_empty())
    }
}

impl fmt::Display for StateCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for CheckedFile {
            name,
            content,
            problems,
            notes,
        } in &self.files
        {
            writeln!(f, "{name}: {content}")?;
            for line in problems.iter().chain(notes) {
                writeln!(f, "{name}: {line}")?;
            }
        }
        Ok(())
    }
}

/// The content of a state's directory.
pub(crate) struct Inspection {
    pub(crate) manifest: StateManifest,
    /// Why the manifest was read from its copy.
    pub(crate) manifest_error: Option<String>,
    /// `None` if the file is missing.
    pub(crate) journal: Option<JournalScan>,
    /// The segments by number; `None` if the file is missing.
    pub(crate) segments: Vec<(u64, Option<SegmentReport>)>,
    /// The offset and length of each damaged line in the log of bodies.
    pub(crate) damaged_body_lines: Vec<(usize, usize)>,
    /// The length of each output, if it exists.
    pub(crate) output_lengths: Vec<Option<u64>>,
}

impl Inspection {
    pub(crate) fn new(directory: &Path) -> Result<Self, StateError> {
        let (manifest, manifest_error) = match StateManifest::read(directory) {
            Ok(Some(manifest)) => (manifest, None),
            Ok(None) => return Err(StateError::NoState),
            Err(StateError::InvalidManifest(reason)) => match StateManifest::read_copy(directory) {
                Some(copy) => (copy, Some(reason)),
                None => return Err(StateError::InvalidManifest(reason)),
            },
            Err(error) => return Err(error),
        };
        let read = StateError::Read;
        let journal_exists = Journal::path(directory, manifest.journal).exists();
        let scan = || JournalScan::read(directory, manifest.journal);
        let journal = journal_exists.then(scan).transpose().map_err(read)?;
        let mut segments = Vec::new();
        for number in &manifest.segments {
            let report = match SegmentSalvage::open(directory, *number) {
                Ok(mut salvage) => {
                    salvage.by_ref().for_each(drop);
                    Some(salvage.finish().map_err(read)?)
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(read(error)),
            };
            segments.push((*number, report));
        }
        let length = |path| {
            fs::metadata(directory.join(path))
                .ok()
                .map(|meta| meta.len())
        };
        let output_lengths = manifest.outputs.iter().map(|output| length(&output.path));
        Ok(Self {
            damaged_body_lines: body_log::damaged_lines(directory).map_err(read)?,
            output_lengths: output_lengths.collect(),
            manifest,
            manifest_error,
            journal,
            segments,
        })
    }

    /// Whether journal or segments are damaged.
    pub(crate) fn has_lost_blocks(&self) -> bool {
        let is_damaged = |(_, report): &(u64, Option<SegmentReport>)| {
            report.as_ref().is_none_or(SegmentReport::is_damaged)
        };
        self.segments.iter().any(is_damaged)
            || self
                .journal
                .as_ref()
                .is_none_or(|journal| !journal.damage.is_empty())
    }

    pub(crate) fn check(&self) -> StateCheck {
        let mut files = vec![self.check_manifest()];
        for (number, report) in &self.segments {
            files.push(check_segment(&format!("segment-{number}"), report.as_ref()));
        }
        files.push(check_journal(
            Journal::name(self.manifest.journal),
            self.journal.as_ref(),
        ));
        files.extend(self.check_body_log());
        files.extend((0..self.manifest.outputs.len()).map(|index| self.check_output(index)));
        StateCheck { files }
    }

    fn check_manifest(&self) -> CheckedFile {
        let properties: Vec<_> = self
            .manifest
            .request
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let problem = |reason| format!("is damaged: {reason}; {MANIFEST_COPY_NAME} is valid");
        CheckedFile {
            name: MANIFEST_NAME.to_owned(),
            content: match properties.is_empty() {
                true => "the manifest".to_owned(),
                false => format!("the manifest: {}", properties.join(", ")),
            },
            problems: self.manifest_error.iter().map(problem).collect(),
            notes: Vec::new(),
        }
    }

    /// The log of bodies, if it is damaged.
    fn check_body_log(&self) -> Option<CheckedFile> {
        let problem = |(offset, length): &(usize, usize)| {
            format!("is damaged at byte {offset}: a line of {length} bytes is invalid")
        };
        let problems: Vec<_> = self.damaged_body_lines.iter().map(problem).collect();
        (!problems.is_empty()).then(|| CheckedFile {
            name: body_log::NAME.to_owned(),
            content: "files of bodies that may lack a record".to_owned(),
            problems,
            notes: Vec::new(),
        })
    }

    fn check_output(&self, index: usize) -> CheckedFile {
        let output = &self.manifest.outputs[index];
        let no_blocks = JournalScan::default();
        let blocks = &self.journal.as_ref().unwrap_or(&no_blocks).blocks;
        let durable = JournalHistory::new(&self.manifest, blocks).durable[index];
        let (mut problems, mut notes) = (Vec::new(), Vec::new());
        match self.output_lengths[index] {
            None if durable > 0 => problems.push(format!(
                "is missing, and by the state it has {}: restore it",
                count_of(durable, "byte", "bytes")
            )),
            Some(length) if length < output.durable => problems.push(format!(
                "is shorter ({length} bytes) than it was ({durable} by the state): restore it"
            )),
            Some(length) if length < durable => notes.push(format!(
                "is shorter ({length} bytes) than it was ({durable} by the state): the next run \
                 fetches the missing records again"
            )),
            Some(length) if length > durable => notes.push(format!(
                "{} not committed: the next run removes them, and fetches their requests again",
                count_of(length - durable, "byte is", "bytes are")
            )),
            _ => {}
        }
        CheckedFile {
            name: output.path.display().to_string(),
            content: format!(
                "output{}, {} durable",
                match output.format.as_str() {
                    "" => String::new(),
                    format => format!(" of format {format}"),
                },
                count_of(durable, "byte", "bytes")
            ),
            problems,
            notes,
        }
    }
}

fn check_journal(name: String, journal: Option<&JournalScan>) -> CheckedFile {
    let Some(journal) = journal else {
        return CheckedFile {
            name,
            content: "the journal".to_owned(),
            problems: vec!["is missing".to_owned()],
            notes: Vec::new(),
        };
    };
    let requests: usize = journal
        .blocks
        .iter()
        .map(|block| match block {
            JournalBlock::Commit(commit) => commit.entries.len(),
            _ => 0,
        })
        .sum();
    let content = format!(
        "the journal: {} with {}, durable up to byte {}",
        count_of(journal.blocks.len() as u64, "valid block", "valid blocks"),
        count_of(requests as u64, "request", "requests"),
        journal.valid_length
    );
    let tail = |tail: &InvalidRange| {
        format!(
            "{} at byte {} are an incomplete block: the next run removes them, and fetches their \
             requests again",
            count_of(tail.length, "last byte", "last bytes"),
            tail.offset
        )
    };
    CheckedFile {
        name,
        content,
        problems: journal.damage.iter().map(journal_problem).collect(),
        notes: journal.torn_tail.iter().map(tail).collect(),
    }
}

fn journal_problem(range: &InvalidRange) -> String {
    format!(
        "is damaged at byte {}: {}; {} invalid, {} in them, and valid blocks follow",
        range.offset,
        range.defect,
        count_of(range.length, "byte is", "bytes are"),
        at_most(range.max_requests()),
    )
}

fn check_segment(name: &str, report: Option<&SegmentReport>) -> CheckedFile {
    let (content, problems) = match report {
        None => ("a segment".to_owned(), vec!["is missing".to_owned()]),
        Some(report) => {
            let content = format!(
                "a segment: {}, {}",
                count_of(report.valid, "valid request", "valid requests"),
                count_of(report.length, "byte", "bytes")
            );
            // The message already has the file's name.
            let end = report.invalid_end.iter();
            let end = end.map(|text| {
                text.trim_start_matches(name)
                    .trim_start_matches(": ")
                    .to_owned()
            });
            (
                content,
                end.chain(report.damage.iter().map(segment_problem))
                    .collect(),
            )
        }
    };
    CheckedFile {
        name: name.to_owned(),
        content,
        problems,
        notes: Vec::new(),
    }
}

fn segment_problem(damage: &SegmentDamage) -> String {
    format!(
        "is damaged at byte {}: {} invalid, {} in them, with ids {}",
        damage.offset,
        count_of(damage.length, "byte is", "bytes are"),
        damage
            .entries
            .map_or_else(|| "an unknown number of requests".to_owned(), at_most),
        key_range(damage),
    )
}

/// The ids that the lost requests of a segment are between.
pub(crate) fn key_range(damage: &SegmentDamage) -> String {
    format!(
        "between {:016x}… and {:016x}…",
        damage.keys.0, damage.keys.1
    )
}

fn at_most(requests: u64) -> String {
    match requests {
        0 => "no request".to_owned(),
        requests => format!("at most {}", count_of(requests, "request", "requests")),
    }
}
