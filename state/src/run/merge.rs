//! Merging of segments on a separate thread, so that a look-up searches only a few.

use std::io;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use crate::files::entry::StateEntry;
use crate::files::segment::Segment;

/// The first of the segments to merge with all later ones: each is at most twice as large as the
/// later ones together. So the number of times that an entry is rewritten, and the number of
/// segments, are logarithmic: at most three or four segments for ten million entries.
pub(crate) fn merge_start(counts: &[u64]) -> Option<usize> {
    let (mut from, mut after) = (counts.len(), 0_u64);
    for (index, count) in counts.iter().enumerate().rev() {
        if after > 0 && *count > after.saturating_mul(2) {
            break;
        }
        after += count;
        from = index;
    }
    (from + 1 < counts.len()).then_some(from)
}

/// A running merge.
#[derive(Debug)]
pub(crate) struct SegmentMerge {
    /// The segments to merge.
    pub(crate) parts: Vec<Arc<Segment>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<Segment>>>,
}

impl SegmentMerge {
    /// Starts the merge. Of equal entries, that of the last segment is used.
    pub(crate) fn start(
        directory: PathBuf,
        number: u64,
        parts: Vec<Arc<Segment>>,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, until) = (parts.clone(), stop.clone());
        let run = move || merge(&directory, number, &theirs, &until);
        let thread = std::thread::Builder::new()
            .name("merge".into())
            .spawn(run)?;
        let thread = Some(thread);
        Ok(Self {
            parts,
            stop,
            thread,
        })
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// The new segment, and those that it replaces.
    pub(crate) fn finish(mut self) -> io::Result<(Segment, Vec<Arc<Segment>>)> {
        let panicked = |_| Err(io::Error::other("the merging thread panicked"));
        let thread = self.thread.take().expect("only this and the drop take it");
        let segment = thread.join().unwrap_or_else(panicked)?;
        Ok((segment, std::mem::take(&mut self.parts)))
    }
}

/// Stops the thread and joins it, because it must not write after the state's lock is released.
impl Drop for SegmentMerge {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn merge(
    directory: &Path,
    number: u64,
    parts: &[Arc<Segment>],
    stop: &AtomicBool,
) -> io::Result<Segment> {
    let sources = parts.iter().map(|part| Ok(part.iter()?.peekable()));
    let sources = sources.collect::<io::Result<Vec<_>>>()?;
    Segment::write(directory, number, MergeIterator { sources, stop })
}

struct MergeIterator<'a, I: Iterator<Item = io::Result<StateEntry>>> {
    sources: Vec<Peekable<I>>,
    stop: &'a AtomicBool,
}

impl<I: Iterator<Item = io::Result<StateEntry>>> Iterator for MergeIterator<'_, I> {
    type Item = io::Result<StateEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stop.load(Relaxed) {
            return Some(Err(io::Error::other("the run has ended")));
        }
        let mut least: Option<u128> = None;
        for source in &mut self.sources {
            match source.peek() {
                Some(Ok(entry)) => {
                    least = Some(least.unwrap_or(u128::MAX).min(entry.digest()));
                }
                Some(Err(_)) => return source.next(),
                None => {}
            }
        }
        let least = least?;
        let is_least = |next: &I::Item| next.as_ref().is_ok_and(|next| next.digest() == least);
        let equal = self
            .sources
            .iter_mut()
            .filter_map(|source| source.next_if(is_least));
        equal.last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::completed::CompletionKind;
    use crate::files::segment::tests::{sorted, spread};

    #[test]
    fn small_segments_are_merged() {
        assert_eq!(merge_start(&[]), None);
        assert_eq!(merge_start(&[5]), None);
        assert_eq!(merge_start(&[1, 1]), Some(0));
        assert_eq!(merge_start(&[3, 1]), None);
        assert_eq!(merge_start(&[9, 1, 1]), Some(1));
        assert_eq!(merge_start(&[3, 1, 1]), Some(0));
    }

    #[test]
    fn few_segments_remain_and_entries_are_rarely_rewritten() {
        let (mut segments, mut written) = (Vec::new(), 0);
        for _ in 0..1000 {
            segments.push(1);
            if let Some(from) = merge_start(&segments) {
                let merged = segments.drain(from..).sum();
                segments.push(merged);
                written += merged;
            }
            assert!(segments.len() <= 8, "{segments:?}");
        }
        assert!(written < 10 * 1000, "{written}");
    }

    #[test]
    fn a_merge_has_every_entry_once_and_later_ones_win() {
        let dir = tempfile::tempdir().unwrap();
        let part = |number, range: std::ops::Range<u64>, kind| {
            let entries = sorted(range.map(|n| spread(n, kind)));
            Arc::new(Segment::write(dir.path(), number, entries.into_iter().map(Ok)).unwrap())
        };
        let parts = [
            part(1, 0..500, CompletionKind::Failed),
            part(2, 300..900, CompletionKind::Ok),
        ];
        let merging = SegmentMerge::start(dir.path().to_owned(), 3, parts.to_vec()).unwrap();
        let (merged, _) = merging.finish().unwrap();
        assert_eq!(merged.count(), 900);
        for n in 0..900 {
            let kind = if n < 300 {
                CompletionKind::Failed
            } else {
                CompletionKind::Ok
            };
            assert_eq!(
                merged
                    .find(spread(n, CompletionKind::Ok))
                    .unwrap()
                    .map(StateEntry::kind),
                Some(kind)
            );
        }
    }
}
