//! The repair of a damaged state.
//!
//! The entries of all valid blocks become a new segment, beside those that are valid, and a new
//! journal begins. The old files are copied to a backup first, and are valid until the manifest is
//! replaced.
//!
//! Requests of damaged blocks have records in the output. If these can be read, the requests stay
//! completed. If not, the records are removed from the output, because their requests are fetched
//! again.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::archive::ArchiveMark;
use crate::body_log;
use crate::completed::CompletionKind;
use crate::disk::{count_of, sync_directory, with_name};
use crate::entry::{RetryRound, StateEntries, StateEntry};
use crate::error::StateError;
use crate::inspect::{self, Inspection, key_range};
use crate::journal::{
    BlockDefect, Journal, JournalBlock, JournalCommit, JournalScan, NO_OUTPUT, RunStart,
};
use crate::manifest::StateManifest;
use crate::records::{count_valid, hash_range};
use crate::segment::{Segment, SegmentReport, SegmentSalvage};
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

/// A range of an output whose records belong to damaged blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct UnmarkedRange {
    output: usize,
    from: u64,
    to: u64,
    /// The index of the first commit behind it.
    next_commit: usize,
}

/// The valid blocks of a journal, with their outputs.
struct JournalContent<'a> {
    /// The commits, each with its output.
    commits: Vec<(u32, &'a JournalCommit)>,
    /// The last run, and whether it reached the end of its lists.
    last: Option<(RunStart, bool)>,
    unmarked: Vec<UnmarkedRange>,
}

impl JournalContent<'_> {
    /// Whether archives keep the bodies of a range's records: not if a lost block may have had the
    /// last end of an archive, which is cut at the end before it.
    fn has_bodies_of(&self, range: &UnmarkedRange, manifest: &StateManifest) -> bool {
        let later = || {
            let later = self.commits.iter().skip(range.next_commit);
            later.flat_map(|(_, commit)| &commit.archives)
        };
        (0..manifest.archives.len())
            .all(|archive| later().any(|mark| mark.archive as usize == archive))
    }
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

    /// Writes the valid blocks of damaged segments to new ones. Returns the number of lost entries
    /// for each damage; `None` if it is unknown.
    fn replace_segments(&mut self, manifest: &mut StateManifest) -> io::Result<Vec<Option<u64>>> {
        let (mut lost, mut numbers) = (Vec::new(), Vec::new());
        for (number, report) in &self.inspection.segments {
            let Some(report) = report else {
                lost.push(None);
                let text = "is missing: its requests are no longer completed";
                self.done
                    .changes
                    .push(format!("segment-{number}: {text}, unless restored below"));
                continue;
            };
            if !report.is_damaged() {
                numbers.push(*number);
                continue;
            }
            let mut salvage = SegmentSalvage::open(self.directory, *number)?;
            let entries = salvage.by_ref().flatten().map(Ok);
            Segment::write(self.directory, manifest.next, entries)?;
            salvage.finish()?;
            numbers.push(manifest.next);
            manifest.next += 1;
            self.done.changes.push(format!(
                "segment-{number}: kept the {} of its valid blocks",
                count_of(report.valid, "request", "requests")
            ));
            for damage in &report.damage {
                lost.push(damage.entries);
                self.done.changes.push(format!(
                    "segment-{number}: {} at byte {} were damaged: {}, with ids {}",
                    count_of(damage.length, "byte", "bytes"),
                    damage.offset,
                    damage.entries.map_or_else(
                        || "an unknown number of requests".to_owned(),
                        |count| count_of(count, "request", "requests")
                    ),
                    key_range(damage)
                ));
            }
        }
        manifest.segments = numbers;
        Ok(lost)
    }

    fn describe_journal(&mut self, scan: &JournalScan, missing: bool, number: u64) {
        let name = Journal::name(number);
        if missing {
            self.done.changes.push(format!("{name}: was missing"));
            return;
        }
        let blocks = count_of(scan.blocks.len() as u64, "valid block", "valid blocks");
        self.done.changes.push(format!("{name}: kept {blocks}"));
        for range in scan.damage.iter().chain(&scan.torn_tail) {
            self.done.changes.push(format!(
                "{name}: {} at byte {} were damaged, with at most {}",
                count_of(range.length, "byte", "bytes"),
                range.offset,
                count_of(range.max_requests(), "request", "requests")
            ));
        }
    }

    /// Assigns the commits to their outputs, although the start of a run may be damaged, and finds
    /// the records without a commit.
    fn read_journal<'b>(
        &self,
        scan: &'b JournalScan,
        missing: bool,
    ) -> io::Result<JournalContent<'b>> {
        let outputs = &self.inspection.manifest.outputs;
        let mut ends: Vec<u64> = outputs.iter().map(|output| output.durable).collect();
        let mut content = JournalContent {
            commits: Vec::new(),
            last: None,
            unmarked: Vec::new(),
        };
        // Whether records may follow the last commit of each output, because a block is damaged.
        let mut open_ended = vec![missing; outputs.len()];
        let (mut output, mut uncertain) = (NO_OUTPUT, false);
        for (index, block) in scan.blocks.iter().enumerate() {
            if scan.damage.iter().any(|range| range.blocks_before == index) {
                uncertain = true;
                open_ended.fill(true);
            }
            let commit = match block {
                JournalBlock::Start(start) => {
                    content.last = Some((*start, false));
                    (output, uncertain) = (start.output, false);
                    continue;
                }
                JournalBlock::Finished => {
                    content.last = content.last.map(|(start, _)| (start, true));
                    continue;
                }
                JournalBlock::Commit(commit) => commit,
            };
            if uncertain {
                output = self.find_output(commit, output, &ends)?;
                uncertain = false;
                let round = commit.entries.last().map(|entry| entry.round());
                let last = content.last.map(|(start, _)| start);
                content.last = Some((
                    RunStart {
                        output,
                        retry_failed: last.is_some_and(|start| start.retry_failed),
                        round: round
                            .or_else(|| last.map(|start| start.round))
                            .unwrap_or_default(),
                    },
                    false,
                ));
            }
            content.commits.push((output, commit));
            let at = output as usize;
            if let Some(end) = ends.get_mut(at) {
                if commit.from > *end && open_ended[at] {
                    content.unmarked.push(UnmarkedRange {
                        output: at,
                        from: *end,
                        to: commit.from,
                        next_commit: content.commits.len() - 1,
                    });
                }
                *end = commit.to;
                open_ended[at] = false;
            }
        }
        for (output, (end, open_ended)) in ends.iter().zip(open_ended).enumerate() {
            if let Some(length) = self.inspection.output_lengths[output]
                && open_ended
                && length > *end
            {
                content.unmarked.push(UnmarkedRange {
                    output,
                    from: *end,
                    to: length,
                    next_commit: content.commits.len(),
                });
            }
        }
        Ok(content)
    }

    /// The output of a commit whose run is uncertain: the one that has its records.
    fn find_output(&self, commit: &JournalCommit, current: u32, ends: &[u64]) -> io::Result<u32> {
        if commit.to == commit.from {
            let fits = ends
                .get(current as usize)
                .is_some_and(|end| *end <= commit.from);
            return Ok(if fits { current } else { NO_OUTPUT });
        }
        let mut candidates: Vec<_> = (0..ends.len() as u32).collect();
        candidates.sort_by_key(|output| *output != current);
        for output in candidates {
            let path = self.output_path(output as usize);
            let fits = ends[output as usize] <= commit.from;
            if fits
                && let Ok(mut file) = File::open(&path)
                && hash_range(&mut file, commit.from, commit.to).map_err(with_name(&path))?
                    == commit.hash
            {
                return Ok(output);
            }
        }
        Ok(NO_OUTPUT)
    }

    /// Where each output ends: like a run that resumes, verifies the records at its end.
    fn end_outputs(&self, content: &JournalContent<'_>) -> io::Result<Vec<OutputEnd>> {
        let outputs = self.inspection.manifest.outputs.iter().enumerate();
        let ends = outputs.map(|(output, manifest)| {
            let own = content.commits.iter().enumerate();
            let own = own.filter(|(_, (of, _))| *of as usize == output);
            let (indexes, commits): (Vec<_>, Vec<_>) = own.map(|(at, (_, one))| (at, *one)).unzip();
            let path = self.output_path(output);
            let hold = match (File::open(&path), self.inspection.output_lengths[output]) {
                (Ok(mut file), Some(length)) => count_valid(&mut file, length, &commits)?,
                _ => commits.len(),
            };
            Ok(OutputEnd {
                drop_from: indexes.get(hold).copied().unwrap_or(usize::MAX),
                durable: match hold.checked_sub(1) {
                    Some(last) => commits[last].to,
                    None => manifest.durable,
                },
            })
        });
        ends.collect()
    }

    /// Restores lost entries from the records of the outputs, and removes records whose requests
    /// cannot be read.
    fn restore(
        &mut self,
        manifest: &StateManifest,
        content: &JournalContent<'_>,
        lost_in_segments: &[Option<u64>],
        round: RetryRound,
        entries: &mut StateEntries,
        ends: &mut [OutputEnd],
    ) -> io::Result<()> {
        let mut cuts = vec![Vec::new(); ends.len()];
        for range in &content.unmarked {
            let UnmarkedRange {
                output, from, to, ..
            } = *range;
            let end = &mut ends[output];
            let is_last = to > end.durable;
            if from > end.durable {
                continue;
            }
            let name = manifest.outputs[output].path.display().to_string();
            let found = match content.has_bodies_of(range, manifest) {
                true => self.read_records(output, from, to, is_last)?,
                false => None,
            };
            match found {
                Some(ReadRecords { requests, count, length }) => {
                    self.done.changes.push(format!(
                        "{name}: {} of damaged blocks restored from the records at byte {from}",
                        count_of(count, "request", "requests")
                    ));
                    for (digest, kind) in requests {
                        let entry = StateEntry::of(digest).with_result(kind, round);
                        if !entries.contains(&entry) {
                            entries.insert(entry);
                        }
                    }
                    if is_last {
                        end.durable = from + length;
                    }
                }
                None if is_last => self.done.changes.push(format!(
                    "{name}: the next run removes the {} at byte {from}, and fetches their URLs again",
                    count_of(to - from, "byte", "bytes")
                )),
                None => {
                    cuts[output].push((from, to));
                    self.done.changes.push(format!(
                        "{name}: removed {} at byte {from}, records of damaged blocks: their URLs \
                         are fetched again",
                        count_of(to - from, "byte", "bytes")
                    ));
                }
            }
        }
        if !lost_in_segments.is_empty() {
            self.restore_segments(manifest, lost_in_segments, round, entries)?;
        }
        for (output, cuts) in cuts.iter().enumerate().filter(|(_, cuts)| !cuts.is_empty()) {
            self.cut_output(output, cuts)?;
            ends[output].durable -= cuts.iter().map(|(from, to)| to - from).sum::<u64>();
        }
        Ok(())
    }

    /// The requests of the records in a range. `None` if a line cannot be read. `is_last`: the range may end within a line.
    fn read_records(
        &self,
        output: usize,
        from: u64,
        to: u64,
        is_last: bool,
    ) -> io::Result<Option<ReadRecords>> {
        let path = self.output_path(output);
        let format = &self.inspection.manifest.outputs[output].format;
        let (mut requests, mut count, mut length) = (Vec::new(), 0, 0);
        let complete = for_each_line(&path, from, to, |line| {
            let Some(complete) = line.strip_suffix(b"\n") else {
                return is_last;
            };
            let Some(found) = (self.parse)(format, complete) else {
                return false;
            };
            count += u64::from(!found.is_empty());
            requests.extend(found);
            length += line.len() as u64;
            true
        });
        Ok(complete.map_err(with_name(&path))?.then_some(ReadRecords {
            requests,
            count,
            length,
        }))
    }

    /// Restores entries of damaged segments from the records that were written before the journal.
    fn restore_segments(
        &mut self,
        manifest: &StateManifest,
        lost: &[Option<u64>],
        round: RetryRound,
        entries: &mut StateEntries,
    ) -> io::Result<()> {
        let segments = manifest.segments.iter();
        let segments = segments.map(|number| Segment::open(self.directory, *number));
        let segments = segments.collect::<io::Result<Vec<_>>>()?;
        let (mut restored, mut count) = (HashMap::new(), 0);
        for (output, before) in manifest.outputs.iter().enumerate() {
            let path = self.output_path(output);
            let mut failure = None;
            let mut visit = |line: &[u8]| -> io::Result<()> {
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                let found = (self.parse)(&before.format, line).unwrap_or_default();
                for (digest, _) in &found {
                    let entry = StateEntry::of(*digest);
                    let mut known = entries.contains(&entry);
                    for segment in &segments {
                        known = known || segment.find(entry)?.is_some();
                    }
                    if known {
                        return Ok(());
                    }
                }
                let mut is_new = !found.is_empty();
                for (digest, kind) in found {
                    // Of several records the later one counts.
                    let entry = StateEntry::of(digest).with_result(kind, round);
                    is_new &= restored.insert(entry.digest(), entry).is_none();
                }
                count += u64::from(is_new);
                Ok(())
            };
            let end = before.durable;
            let visited = for_each_line(&path, 0, end, |line| {
                failure = visit(line).err();
                failure.is_none()
            });
            match visited {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(with_name(&path)(error)),
                Ok(_) => {}
            }
            if let Some(error) = failure {
                return Err(error);
            }
        }
        entries.extend(restored.into_values());
        let lost = lost.iter().copied().sum::<Option<u64>>();
        self.done.changes.push(match lost.map(|lost| lost.saturating_sub(count)) {
            Some(0) => "segments: all requests of damaged blocks restored from the records".to_owned(),
            Some(rest) => format!(
                "segments: {count} of {} restored from the records; {} fetched again, and then have \
                 two records",
                count_of(count + rest, "lost request", "lost requests"),
                count_of(rest, "is", "are")
            ),
            None => format!(
                "segments: {} restored from the records; others are fetched again",
                count_of(count, "request", "requests")
            ),
        });
        Ok(())
    }

    /// Removes ranges from an output. The removed bytes are kept in the backup.
    fn cut_output(&self, output: usize, cuts: &[(u64, u64)]) -> io::Result<()> {
        let path = self.output_path(output);
        let file_name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let temporary = path.with_file_name(format!("{file_name}.repaired"));
        let write = || {
            let mut from = File::open(&path)?;
            let mut kept = BufWriter::new(File::create(&temporary)?);
            let mut at = 0;
            for (start, end) in cuts {
                copy_range(&mut from, at, *start, &mut kept)?;
                if let Some(backup) = &self.done.backup {
                    let name = backup.join(format!("{file_name}.from-byte-{start}"));
                    let mut removed = File::create(name)?;
                    copy_range(&mut from, *start, *end, &mut removed)?;
                    removed.sync_all()?;
                }
                at = *end;
            }
            copy_range(&mut from, at, u64::MAX, &mut kept)?;
            let kept = kept.into_inner().map_err(io::IntoInnerError::into_error)?;
            kept.set_permissions(from.metadata()?.permissions())?;
            kept.sync_all()?;
            fs::rename(&temporary, &path)?;
            let parent = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            sync_directory(parent.unwrap_or_else(|| Path::new(".")))
        };
        write().map_err(with_name(&path))
    }

    fn output_path(&self, output: usize) -> PathBuf {
        self.directory
            .join(&self.inspection.manifest.outputs[output].path)
    }
}

/// The requests of a range of records.
struct ReadRecords {
    /// The number of records that complete a request.
    count: u64,
    requests: Vec<([u8; 16], CompletionKind)>,
    /// The length of the range's complete lines, in bytes.
    length: u64,
}

/// Where an output ends.
struct OutputEnd {
    /// The index of the first commit whose records differ from what was written.
    drop_from: usize,
    durable: u64,
}

fn copy_range(file: &mut File, from: u64, to: u64, out: &mut impl Write) -> io::Result<()> {
    file.seek(SeekFrom::Start(from))?;
    io::copy(&mut file.take(to - from), out).map(drop)
}

/// Calls `visit` with the lines of a range, until it returns false. Returns whether it never did.
fn for_each_line(
    path: &Path,
    from: u64,
    to: u64,
    mut visit: impl FnMut(&[u8]) -> bool,
) -> io::Result<bool> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut lines = BufReader::with_capacity(64 << 10, file.take(to - from));
    let mut line = Vec::new();
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(true);
        }
        if !visit(&line) {
            return Ok(false);
        }
    }
}
