//! The result of saving the body of an outcome.

use fetch_state::ArchiveEnd;

use super::recorded_body::RecordedBody;

/// The ends of archives after a body was added; `None` for an archive that did not get it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ArchiveEnds {
    pub(crate) tar: Option<ArchiveEnd>,
    pub(crate) warc: Option<ArchiveEnd>,
}

/// Where a body was saved, and its digests.
#[derive(Clone, Debug, Default)]
pub(crate) struct SavedBody {
    pub(crate) archived: ArchiveEnds,
    /// The digest that `--checksum` asks for, as `md5:…`.
    pub(crate) checksum: Option<String>,
    /// Why it was not saved.
    pub(crate) error: Option<SaveError>,
    /// Its file, relative to the directory, or its member of a tar shard.
    pub(crate) file: Option<String>,
    /// With `--record-body`.
    pub(crate) recorded: Option<RecordedBody>,
    pub(crate) sha256: Option<String>,
}

/// Why a body was not saved.
#[derive(Clone, Debug)]
pub(crate) enum SaveError {
    /// It does not have the checksum of the list.
    Checksum(String),
    /// Its file could not be written.
    Write(String),
}
