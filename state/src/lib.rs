#![doc = include_str!("../README.md")]

mod archive;
mod body_log;
mod completed;
mod disk;
mod entry;
mod error;
mod history;
mod inspect;
mod journal;
mod ledger;
mod lock;
mod manifest;
mod merge;
mod records;
mod repair;
mod segment;
mod state;
#[cfg(test)]
mod tests;
mod writer;

/// The version of all formats in the directory. Version 2 adds archives to manifest and commits.
const FORMAT_VERSION: u64 = 2;

/// The oldest version that can be opened. The next run writes the current one.
const OLDEST_VERSION: u64 = 1;

/// The manifest, which names the other files.
const MANIFEST_NAME: &str = "state.json";

/// The copy of the manifest, from which a damaged one is restored.
const MANIFEST_COPY_NAME: &str = "state.json.copy";

pub use archive::ArchiveEnd;
pub use body_log::{BodyLog, LoggedArchive, LoggedFile};
pub use completed::{CompletedRequest, CompletionKind};
pub use error::{ChangedProperty, JournalCut, OutputError, OutputRepair, StateError};
pub use inspect::{CheckedFile, StateCheck, check};
pub use ledger::{SkippedClaims, StateLedger};
pub use records::relative_path;
pub use repair::{RecordParser, StateRepair, repair};
pub use state::{State, StateOptions};
pub use writer::StateWriter;
