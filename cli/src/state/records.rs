//! The file of the records, brought back to what is known to be durable.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use super::journal::Commit;
use crate::exit::CliError;

/// So much of the end is read again when a run goes on, to see that it is what was written: more
/// than a disk keeps for itself when it says that all is written.
const CHECKED: u64 = 8 << 20;

/// What a file came to.
pub(crate) struct Resumed {
    /// Where it is written from now on.
    pub(crate) durable: u64,
    pub(crate) file: File,
    /// How many of the commits hold.
    pub(crate) hold: usize,
    /// What a person may want to know.
    pub(crate) note: Option<String>,
}

/// Opens the file, and cuts off what is not durable. `base` was durable before these commits.
///
/// # Errors
///
/// If it cannot be opened, or lacks what is no longer in the journal.
pub(crate) fn resume(path: &Path, base: u64, commits: &[&Commit]) -> Result<Resumed, CliError> {
    let shown = crate::display::shown(path.as_os_str().as_encoded_bytes());
    let refuse = |what: String| CliError::file(format!("--output {shown}: {what}"));
    let broken = |error: io::Error| refuse(format!("cannot be continued: {error}"));
    let known = commits.last().map_or(base, |commit| commit.to);
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(known == 0)
        .truncate(false);
    let mut file = options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if known > 0 => refuse(
            "is missing, and by --state it has records: put it back, or name a file that is not \
             there yet if you moved it"
                .into(),
        ),
        _ => broken(error),
    })?;
    let length = file.metadata().map_err(broken)?.len();
    let hold = holding(&mut file, length, commits).map_err(broken)?;
    let durable = hold.checked_sub(1).map_or(base, |last| commits[last].to);
    if length < durable {
        return Err(refuse(format!(
            "is shorter ({length} bytes) than it was ({durable} by --state): put back what it \
             was, or name another file and another --state"
        )));
    }
    file.set_len(durable).map_err(broken)?;
    file.seek(SeekFrom::End(0)).map_err(broken)?;
    let lost: usize = commits[hold..]
        .iter()
        .map(|commit| commit.entries.len())
        .sum();
    let note = match (lost, length - durable) {
        (0, 0) => None,
        (0, cut) => Some(format!(
            "--output {shown}: {cut} bytes are cut off that were not safe yet when the last run \
             stopped; their URLs are fetched again"
        )),
        (lost, _) => Some(format!(
            "--output {shown}: its end is not what was written; {lost} URLs are fetched again"
        )),
    };
    Ok(Resumed {
        durable,
        file,
        hold,
        note,
    })
}

/// How many of the commits have their records in the file, looking back from its end.
fn holding(file: &mut File, length: u64, commits: &[&Commit]) -> io::Result<usize> {
    let (mut hold, mut checked) = (commits.len(), 0);
    for (index, commit) in commits.iter().enumerate().rev() {
        let good = commit.to <= length && digest(file, commit.from, commit.to)? == commit.hash;
        if !good {
            hold = index;
        }
        checked += commit.to.saturating_sub(commit.from);
        if good && checked >= CHECKED {
            break;
        }
    }
    Ok(hold)
}

fn digest(file: &mut File, from: u64, to: u64) -> io::Result<u64> {
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

/// Where a file is, seen from a directory, which must be there; the file need not.
pub(crate) fn relative(directory: &Path, file: &Path) -> io::Result<PathBuf> {
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
