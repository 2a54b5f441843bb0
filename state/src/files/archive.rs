//! Archives of bodies, such as WARC or tar files: how far each is completed.

use serde::{Deserialize, Serialize};

/// A position in an archive of numbered files: the end of the last body that has a record. Everything
/// behind it belongs to requests that are not completed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ArchiveEnd {
    /// The number of the file.
    pub file: u32,
    /// The length of this file, in bytes.
    pub length: u64,
}

/// The end of one of the archives that the manifest names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ArchiveMark {
    /// The index in the manifest.
    pub(crate) archive: u32,
    pub(crate) end: ArchiveEnd,
}

/// The size of a mark in a file, in bytes.
pub(crate) const MARK_SIZE: usize = 16;

impl ArchiveMark {
    pub(crate) fn to_bytes(self) -> [u8; MARK_SIZE] {
        let archive = u128::from(self.archive);
        let file = u128::from(self.end.file) << 32;
        let length = u128::from(self.end.length) << 64;
        (archive | file | length).to_le_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; MARK_SIZE]) -> Self {
        let number = u128::from_le_bytes(bytes);
        Self {
            archive: number as u32,
            end: ArchiveEnd {
                file: (number >> 32) as u32,
                length: (number >> 64) as u64,
            },
        }
    }
}
