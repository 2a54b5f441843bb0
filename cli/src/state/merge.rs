//! Several segments become one, on a thread of its own, so that a look-up has few to search.

use std::io;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use super::entry::Entry;
use super::segment::Segment;

/// The first of the segments that are worth merging with all after them: each is at most twice as
/// large as what comes after it together. So every entry is written again a number of times that is
/// logarithmic in the number of segments, and so is what stays: at most three or four for ten
/// million.
pub(crate) fn worth(counts: &[u64]) -> Option<usize> {
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

/// A merge that is under way.
#[derive(Debug)]
pub(crate) struct Merging {
    /// What becomes one.
    pub(crate) parts: Vec<Arc<Segment>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<Segment>>>,
}

impl Merging {
    /// Begins it; of equal entries that of the last segment stays.
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

    /// The new segment, and those that it stands for.
    pub(crate) fn finish(mut self) -> io::Result<(Segment, Vec<Arc<Segment>>)> {
        let panicked = |_| Err(io::Error::other("the merging thread panicked"));
        let thread = self.thread.take().expect("only this and the drop take it");
        let segment = thread.join().unwrap_or_else(panicked)?;
        Ok((segment, std::mem::take(&mut self.parts)))
    }
}

/// What is not needed any more must not go on writing: the lock is about to be given back.
impl Drop for Merging {
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
    Segment::write(directory, number, Merge { sources, stop })
}

struct Merge<'a, I: Iterator<Item = io::Result<Entry>>> {
    sources: Vec<Peekable<I>>,
    stop: &'a AtomicBool,
}

impl<I: Iterator<Item = io::Result<Entry>>> Iterator for Merge<'_, I> {
    type Item = io::Result<Entry>;

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
    use super::super::entry::Kind;
    use super::super::segment::tests::{sorted, spread};
    use super::*;

    #[test]
    fn what_is_small_beside_the_rest_is_merged() {
        assert_eq!(worth(&[]), None);
        assert_eq!(worth(&[5]), None);
        assert_eq!(worth(&[1, 1]), Some(0));
        assert_eq!(worth(&[3, 1]), None);
        assert_eq!(worth(&[9, 1, 1]), Some(1));
        assert_eq!(worth(&[3, 1, 1]), Some(0));
    }

    #[test]
    fn few_segments_stay_and_entries_are_rarely_written_again() {
        let (mut segments, mut written) = (Vec::new(), 0);
        for _ in 0..1000 {
            segments.push(1);
            if let Some(from) = worth(&segments) {
                let merged = segments.drain(from..).sum();
                segments.push(merged);
                written += merged;
            }
            assert!(segments.len() <= 8, "{segments:?}");
        }
        assert!(written < 10 * 1000, "{written}");
    }

    #[test]
    fn a_merge_has_every_entry_once_and_the_later_one_counts() {
        let dir = tempfile::tempdir().unwrap();
        let part = |number, range: std::ops::Range<u64>, kind| {
            let entries = sorted(range.map(|n| spread(n, kind)));
            Arc::new(Segment::write(dir.path(), number, entries.into_iter().map(Ok)).unwrap())
        };
        let parts = [part(1, 0..500, Kind::Failed), part(2, 300..900, Kind::Ok)];
        let merging = Merging::start(dir.path().to_owned(), 3, parts.to_vec()).unwrap();
        let (merged, _) = merging.finish().unwrap();
        assert_eq!(merged.count(), 900);
        for n in 0..900 {
            let kind = if n < 300 { Kind::Failed } else { Kind::Ok };
            assert_eq!(
                merged.find(spread(n, Kind::Ok)).unwrap().map(Entry::kind),
                Some(kind)
            );
        }
    }
}
