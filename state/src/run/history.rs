//! The history of earlier runs, from the blocks of the journal.

use std::path::Path;

use crate::error::OutputError;
use crate::files::archive::ArchiveEnd;
use crate::files::entry::{RetryRound, StateEntries};
use crate::files::journal::{JournalBlock, JournalCommit, NO_OUTPUT, RunStart};
use crate::files::manifest::StateManifest;
use crate::run::records::{self, ResumedOutput};

/// The contents of the journal.
pub(crate) struct JournalHistory<'a> {
    blocks: &'a [JournalBlock],
    /// The indexes of dropped commits.
    dropped: Vec<usize>,
    /// The durable length of each output.
    pub(crate) durable: Vec<u64>,
    /// The last run, and whether it reached the end of its lists.
    last: Option<(RunStart, bool)>,
}

impl<'a> JournalHistory<'a> {
    pub(crate) fn new(manifest: &StateManifest, blocks: &'a [JournalBlock]) -> Self {
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

    /// Opens an output, and truncates it to its durable length.
    pub(crate) fn resume(
        &self,
        index: usize,
        path: &Path,
        manifest: &StateManifest,
    ) -> Result<ResumedOutput, OutputError> {
        let to_output = commits(self.blocks).filter(|(output, ..)| *output as usize == index);
        let to_output: Vec<_> = to_output.map(|(_, _, commit)| commit).collect();
        records::reopen(path, manifest.outputs[index].durable, &to_output)
    }

    /// Drops all commits to this output but the first `hold`. True if any are dropped.
    pub(crate) fn drop_commits(&mut self, index: usize, hold: usize) -> bool {
        let to_output = commits(self.blocks).filter(|(output, ..)| *output as usize == index);
        self.dropped = to_output.skip(hold).map(|(_, at, _)| at).collect();
        !self.dropped.is_empty()
    }

    /// The ends of the archives, after [`Self::drop_commits`].
    pub(crate) fn archive_ends(&self, manifest: &StateManifest) -> Vec<Option<ArchiveEnd>> {
        let mut ends: Vec<_> = manifest.archives.iter().map(|a| a.end).collect();
        for (_, at, commit) in commits(self.blocks) {
            if self.dropped.binary_search(&at).is_err() {
                for mark in &commit.archives {
                    if let Some(end) = ends.get_mut(mark.archive as usize) {
                        *end = Some(mark.end);
                    }
                }
            }
        }
        ends
    }

    /// The completed requests. Later entries replace earlier ones.
    pub(crate) fn entries(&self) -> StateEntries {
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
    pub(crate) fn run_start(&self, output: Option<usize>, retry_failed: bool) -> RunStart {
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
