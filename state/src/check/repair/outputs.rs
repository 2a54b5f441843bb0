//! The outputs of a damaged state: requests are read from their records, and records are removed.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Repair;
use super::journal::{JournalContent, OutputEnd, UnmarkedRange};
use crate::completed::CompletionKind;
use crate::disk::{count_of, sync_directory, with_name};
use crate::files::entry::{RetryRound, StateEntries, StateEntry};
use crate::files::manifest::StateManifest;

/// The requests of a range of records.
struct ReadRecords {
    /// The number of records that complete a request.
    count: u64,
    requests: Vec<([u8; 16], CompletionKind)>,
    /// The length of the range's complete lines, in bytes.
    length: u64,
}

impl Repair<'_> {
    /// Restores lost entries from the records of the outputs, and removes records whose requests
    /// cannot be read.
    pub(super) fn restore(
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

    pub(super) fn output_path(&self, output: usize) -> PathBuf {
        self.directory
            .join(&self.inspection.manifest.outputs[output].path)
    }
}

fn copy_range(file: &mut File, from: u64, to: u64, out: &mut impl Write) -> io::Result<()> {
    file.seek(SeekFrom::Start(from))?;
    io::copy(&mut file.take(to - from), out).map(drop)
}

/// Calls `visit` with the lines of a range, until it returns false. Returns whether it never did.
pub(super) fn for_each_line(
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
