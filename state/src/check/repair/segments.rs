//! Damaged segments: their valid blocks are kept, and lost entries restored from the records.

use std::collections::HashMap;
use std::io;

use super::Repair;
use super::outputs::for_each_line;
use crate::check::inspect::key_range;
use crate::disk::{count_of, with_name};
use crate::files::entry::{RetryRound, StateEntries, StateEntry};
use crate::files::manifest::StateManifest;
use crate::files::segment::{Segment, SegmentSalvage};

impl Repair<'_> {
    /// Writes the valid blocks of damaged segments to new ones. Returns the number of lost entries
    /// for each damage; `None` if it is unknown.
    pub(super) fn replace_segments(
        &mut self,
        manifest: &mut StateManifest,
    ) -> io::Result<Vec<Option<u64>>> {
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

    /// Restores entries of damaged segments from the records that were written before the journal.
    pub(super) fn restore_segments(
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
}
