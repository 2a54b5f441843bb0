//! The repair of a damaged state.
//!
//! The entries of all valid blocks become a new segment, beside those that are valid, and a new
//! journal begins. The old files are copied to a backup first, and are valid until the manifest is
//! replaced.
//!
//! Requests of damaged blocks have records in the output. If these can be read, the requests stay
//! completed. If not, the records are removed from the output, because their requests are fetched
//! again.

mod journal;
mod outputs;
mod segments;

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::check::inspect::{self, Inspection};
use crate::completed::CompletionKind;
use crate::disk::{count_of, sync_directory, with_name};
use crate::error::StateError;
use crate::files::archive::ArchiveMark;
use crate::files::entry::{RetryRound, StateEntries};
use crate::files::journal::{BlockDefect, Journal, JournalBlock, JournalScan};
use crate::files::manifest::StateManifest;
use crate::files::segment::{Segment, SegmentReport};
use crate::run::body_log;
use crate::{MANIFEST_COPY_NAME, MANIFEST_NAME};

/// Reads a line of an output, of the format given first: the digests that its request was claimed
/// with, and how it ended. Empty if the line completes no request, `None` if it cannot be read.
pub type RecordParser<'a> = dyn Fn(&str, &[u8]) -> Option<Vec<([u8; 16], CompletionKind)>> + 'a;

/// What [`repair`] did. Its `Display` has one line for each change.
#[derive(Clone, Debug, Default)]
pub struct StateRepair {
    /// The directory with the files as they were. `None` if nothing was changed.
    pub backup: Option<PathBuf>,
    /// What was done, one sentence each.
    pub changes: Vec<String>,
    /// What is still damaged, because it cannot be repaired.
    pub remaining: Vec<String>,
}

impl fmt::Display for StateRepair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.changes {
            writeln!(f, "{line}")?;
        }
        for line in &self.remaining {
            writeln!(f, "not repaired: {line}")?;
        }
        match &self.backup {
            Some(backup) => writeln!(f, "the files as they were are in {}", backup.display()),
            None if self.remaining.is_empty() => {
                writeln!(f, "nothing is damaged, nothing was changed")
            }
            None => Ok(()),
        }
    }
}

/// Repairs a state: keeps all valid blocks, and reads the requests of damaged ones from the records
/// of the outputs with `parse`. Requests that cannot be read are no longer completed, and their
/// records are removed. Does nothing if nothing is damaged.
///
/// # Errors
///
/// If there is no state, it is in use, a file cannot be read or written, or the manifest and its
/// copy are damaged.
///
/// ```
/// use fetch_state::{State, StateOptions, check, repair};
///
/// # let directory = tempfile::tempdir()?;
/// let directory = directory.path().join("state");
/// State::open(&StateOptions::new(&directory))?;
/// std::fs::write(directory.join("state.json"), "damaged")?;
/// assert!(check(&directory)?.is_damaged());
/// let repaired = repair(&directory, &|_format, _line| None)?;
/// assert!(repaired.backup.is_some());
/// assert!(!check(&directory)?.is_damaged());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn repair(
    directory: impl AsRef<Path>,
    parse: &RecordParser<'_>,
) -> Result<StateRepair, StateError> {
    let directory = directory.as_ref();
    let _lock = inspect::lock(directory)?;
    let inspection = Inspection::new(directory)?;
    refuse_other_version(&inspection)?;
    let mut repair = Repair {
        directory,
        done: StateRepair::default(),
        inspection,
        parse,
    };
    repair.run().map_err(StateError::Read)?;
    Ok(repair.done)
}

/// Blocks of another version are not dropped.
fn refuse_other_version(inspection: &Inspection) -> Result<(), StateError> {
    let damage = inspection.journal.iter().flat_map(|scan| &scan.damage);
    let mut damage = damage.filter(|range| matches!(range.defect, BlockDefect::UnknownKind(_)));
    match damage.next() {
        Some(range) => Err(StateError::Read(io::Error::other(format!(
            "{}: at byte {}: {}: use that version",
            Journal::name(inspection.manifest.journal),
            range.offset,
            range.defect
        )))),
        None => Ok(()),
    }
}

struct Repair<'a> {
    directory: &'a Path,
    done: StateRepair,
    inspection: Inspection,
    parse: &'a RecordParser<'a>,
}

impl Repair<'_> {
    fn run(&mut self) -> io::Result<()> {
        let check = self.inspection.check();
        let names: Vec<_> = self.inspection.manifest.outputs.iter().collect();
        for file in &check.files {
            if names
                .iter()
                .any(|output| output.path.display().to_string() == file.name)
            {
                let problems = file.problems.iter();
                let named = problems.map(|problem| format!("{}: {problem}", file.name));
                self.done.remaining.extend(named);
            }
        }
        let has_lost_blocks = self.inspection.has_lost_blocks();
        let body_lines = self.inspection.damaged_body_lines.clone();
        let is_replaced = self.inspection.manifest_error.is_some() || has_lost_blocks;
        if !is_replaced && body_lines.is_empty() {
            return Ok(());
        }
        self.back_up()?;
        if !body_lines.is_empty() {
            body_log::remove_lines(self.directory, &body_lines)?;
            self.done.changes.push(format!(
                "{}: removed {}; a file of a body that has no record may be left over",
                body_log::NAME,
                count_of(body_lines.len() as u64, "invalid line", "invalid lines")
            ));
        }
        if !is_replaced {
            return Ok(());
        }
        let mut manifest = self.inspection.manifest.clone();
        if self.inspection.manifest_error.is_some() {
            let text =
                format!("{MANIFEST_NAME}: restored from {MANIFEST_COPY_NAME}: nothing is lost");
            self.done.changes.push(text);
        }
        if has_lost_blocks {
            self.replace_files(&mut manifest)?;
        }
        manifest.write(self.directory)?;
        manifest.remove_stale_files(self.directory);
        Ok(())
    }

    /// Copies the files that are replaced.
    fn back_up(&mut self) -> io::Result<()> {
        let backups = (1..).map(|number| self.directory.join(format!("backup-{number}")));
        let backup = backups.into_iter().find(|path| !path.exists());
        let backup = backup.ok_or_else(|| io::Error::other("too many backups"))?;
        fs::create_dir(&backup).map_err(with_name(&backup))?;
        let mut names = vec![
            MANIFEST_NAME.to_owned(),
            MANIFEST_COPY_NAME.to_owned(),
            Journal::name(self.inspection.manifest.journal),
            body_log::NAME.to_owned(),
        ];
        for (number, report) in &self.inspection.segments {
            if report.as_ref().is_some_and(SegmentReport::is_damaged) {
                names.push(format!("segment-{number}"));
            }
        }
        for name in names {
            let (from, to) = (self.directory.join(&name), backup.join(&name));
            if from.exists() {
                fs::copy(&from, &to)
                    .and_then(|_| File::open(&to)?.sync_all())
                    .map_err(with_name(&from))?;
            }
        }
        sync_directory(&backup)?;
        sync_directory(self.directory)?;
        self.done.backup = Some(backup);
        Ok(())
    }

    /// Replaces the journal and damaged segments.
    fn replace_files(&mut self, manifest: &mut StateManifest) -> io::Result<()> {
        let lost_in_segments = self.replace_segments(manifest)?;
        let empty = JournalScan::default();
        // Taken, because the rest of the inspection is used meanwhile.
        let journal = self.inspection.journal.take();
        let scan = journal.as_ref().unwrap_or(&empty);
        let content = self.read_journal(scan, journal.is_none())?;
        let round = content
            .last
            .map_or_else(RetryRound::default, |(start, _)| start.round);
        let mut entries = StateEntries::default();
        let mut archive_marks: Vec<ArchiveMark> = Vec::new();
        let mut durable = self.end_outputs(&content)?;
        for (index, (output, commit)) in content.commits.iter().enumerate() {
            let is_dropped = durable
                .get(*output as usize)
                .is_some_and(|end| index >= end.drop_from);
            if !is_dropped {
                archive_marks.extend(&commit.archives);
                commit.entries.iter().for_each(|entry| {
                    entries.replace(*entry);
                });
            }
        }
        self.describe_journal(scan, journal.is_none(), manifest.journal);
        self.restore(
            manifest,
            &content,
            &lost_in_segments,
            round,
            &mut entries,
            &mut durable,
        )?;
        for (output, end) in manifest.outputs.iter_mut().zip(&durable) {
            output.durable = end.durable;
        }
        for mark in archive_marks {
            if let Some(archive) = manifest.archives.get_mut(mark.archive as usize) {
                archive.end = Some(mark.end);
            }
        }
        let mut sorted: Vec<_> = entries.into_iter().collect();
        sorted.sort_unstable_by_key(|entry| entry.digest());
        let (segment, number) = (manifest.next, manifest.next + 1);
        manifest.next += 2;
        Segment::write(self.directory, segment, sorted.into_iter().map(Ok))?;
        manifest.segments.push(segment);
        let mut blocks = Vec::new();
        if let Some((start, finished)) = content.last {
            blocks.push(JournalBlock::Start(start));
            blocks.extend(finished.then_some(JournalBlock::Finished));
        }
        Journal::create_with(self.directory, number, &blocks)?;
        manifest.journal = number;
        sync_directory(self.directory)
    }
}
