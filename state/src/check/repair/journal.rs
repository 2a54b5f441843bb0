//! The valid blocks of a damaged journal: which output each belongs to, and what is missing between them.

use std::fs::File;
use std::io;

use super::Repair;
use crate::disk::{count_of, with_name};
use crate::files::journal::{
    Journal, JournalBlock, JournalCommit, JournalScan, NO_OUTPUT, RunStart,
};
use crate::files::manifest::StateManifest;
use crate::run::records::{count_valid, hash_range};

/// A range of an output whose records belong to damaged blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct UnmarkedRange {
    pub(super) output: usize,
    pub(super) from: u64,
    pub(super) to: u64,
    /// The index of the first commit behind it.
    pub(super) next_commit: usize,
}

/// The valid blocks of a journal, with their outputs.
pub(super) struct JournalContent<'a> {
    /// The commits, each with its output.
    pub(super) commits: Vec<(u32, &'a JournalCommit)>,
    /// The last run, and whether it reached the end of its lists.
    pub(super) last: Option<(RunStart, bool)>,
    pub(super) unmarked: Vec<UnmarkedRange>,
}

impl JournalContent<'_> {
    /// Whether archives keep the bodies of a range's records: not if a lost block may have had the
    /// last end of an archive, which is cut at the end before it.
    pub(super) fn has_bodies_of(&self, range: &UnmarkedRange, manifest: &StateManifest) -> bool {
        let later = || {
            let later = self.commits.iter().skip(range.next_commit);
            later.flat_map(|(_, commit)| &commit.archives)
        };
        (0..manifest.archives.len())
            .all(|archive| later().any(|mark| mark.archive as usize == archive))
    }
}

/// Where an output ends.
pub(super) struct OutputEnd {
    /// The index of the first commit whose records differ from what was written.
    pub(super) drop_from: usize,
    pub(super) durable: u64,
}

impl Repair<'_> {
    pub(super) fn describe_journal(&mut self, scan: &JournalScan, missing: bool, number: u64) {
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
    pub(super) fn read_journal<'b>(
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
    pub(super) fn find_output(
        &self,
        commit: &JournalCommit,
        current: u32,
        ends: &[u64],
    ) -> io::Result<u32> {
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
    pub(super) fn end_outputs(&self, content: &JournalContent<'_>) -> io::Result<Vec<OutputEnd>> {
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
}
