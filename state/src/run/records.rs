//! The output file: truncated to its durable length when a run resumes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use crate::error::{OutputError, OutputRepair};
use crate::files::journal::JournalCommit;

/// The number of bytes at the end of the output that are verified on resuming. It exceeds the
/// caches of disks, some of which report writes before they are durable.
const VERIFIED_LENGTH: u64 = 8 << 20;

/// An output after truncation.
pub(crate) struct ResumedOutput {
    /// Its length.
    pub(crate) durable: u64,
    pub(crate) file: File,
    /// The number of valid commits.
    pub(crate) hold: usize,
    pub(crate) repair: Option<OutputRepair>,
}

/// Opens the file, and truncates it to its durable length. `base` is that length before `commits`.
///
/// # Errors
///
/// If it cannot be opened, or is shorter than `base`.
pub(crate) fn reopen(
    path: &Path,
    base: u64,
    commits: &[&JournalCommit],
) -> Result<ResumedOutput, OutputError> {
    let broken = OutputError::Continue;
    let known = commits.last().map_or(base, |commit| commit.to);
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(known == 0)
        .truncate(false);
    let mut file = options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if known > 0 => OutputError::Missing,
        _ => broken(error),
    })?;
    let length = file.metadata().map_err(broken)?.len();
    let hold = count_valid(&mut file, length, commits).map_err(broken)?;
    let durable = hold.checked_sub(1).map_or(base, |last| commits[last].to);
    if length < durable {
        return Err(OutputError::Shorter { length, durable });
    }
    file.set_len(durable).map_err(broken)?;
    file.seek(SeekFrom::End(0)).map_err(broken)?;
    let lost: usize = commits[hold..]
        .iter()
        .map(|commit| commit.entries.len())
        .sum();
    let repair = match (lost, length - durable) {
        (0, 0) => None,
        (0, cut) => Some(OutputRepair::RemovedUncommitted(cut)),
        (lost, _) => Some(OutputRepair::DroppedDamaged(lost as u64)),
    };
    Ok(ResumedOutput {
        durable,
        file,
        hold,
        repair,
    })
}

/// The number of commits whose records are in the file, verified from its end.
pub(crate) fn count_valid(
    file: &mut File,
    length: u64,
    commits: &[&JournalCommit],
) -> io::Result<usize> {
    let (mut hold, mut checked) = (commits.len(), 0);
    for (index, commit) in commits.iter().enumerate().rev() {
        let good = commit.to <= length && hash_range(file, commit.from, commit.to)? == commit.hash;
        if !good {
            hold = index;
        }
        checked += commit.to.saturating_sub(commit.from);
        if good && checked >= VERIFIED_LENGTH {
            break;
        }
    }
    Ok(hold)
}

pub(crate) fn hash_range(file: &mut File, from: u64, to: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = file.take(to.saturating_sub(from));
    let (mut hash, mut buffer) = (Xxh3::new(), vec![0; 64 << 10]);
    loop {
        match bytes.read(&mut buffer)? {
            0 => return Ok(hash.digest()),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// The path of a file relative to a directory. The directory must exist, and the file's; the file need
/// not.
///
/// # Errors
///
/// If a directory does not exist.
///
/// ```
/// # let root = tempfile::tempdir()?;
/// # std::fs::create_dir(root.path().join("run.state"))?;
/// let (state, file) = (root.path().join("run.state"), root.path().join("a.warc"));
/// let relative = fetch_state::relative_path(&state, &file)?;
/// assert_eq!(relative, std::path::Path::new("../a.warc"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn relative_path(directory: &Path, file: &Path) -> io::Result<PathBuf> {
    let directory = directory.canonicalize()?;
    let file = file.canonicalize().or_else(|_| {
        let parent = file
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new(".")).canonicalize()?;
        Ok::<_, io::Error>(parent.join(file.file_name().unwrap_or_default()))
    })?;
    let common = |(a, b): &(Component<'_>, Component<'_>)| a == b;
    let common = directory
        .components()
        .zip(file.components())
        .take_while(common)
        .count();
    if common == 0 {
        return Ok(file);
    }
    let up = directory
        .components()
        .skip(common)
        .map(|_| Component::ParentDir);
    Ok(up.chain(file.components().skip(common)).collect())
}
