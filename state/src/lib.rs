#![doc = include_str!("../README.md")]

mod check;
mod completed;
mod disk;
mod error;
mod files;
mod run;
mod state;
#[cfg(test)]
mod tests;

/// The version of all formats in the directory. Version 2 adds archives to manifest and commits.
const FORMAT_VERSION: u64 = 2;

/// The oldest version that can be opened. The next run writes the current one.
const OLDEST_VERSION: u64 = 1;

/// The manifest, which names the other files.
const MANIFEST_NAME: &str = "state.json";

/// The copy of the manifest, from which a damaged one is restored.
const MANIFEST_COPY_NAME: &str = "state.json.copy";

pub use check::inspect::{CheckedFile, StateCheck, check};
pub use check::repair::{RecordParser, StateRepair, repair};
pub use completed::{CompletedRequest, CompletionKind};
pub use error::{ChangedProperty, JournalCut, OutputError, OutputRepair, StateError};
pub use files::archive::ArchiveEnd;
pub use run::body_log::{BodyLog, LoggedArchive, LoggedFile};
pub use run::ledger::{SkippedClaims, StateLedger};
pub use run::records::relative_path;
pub use run::writer::StateWriter;
pub use state::{State, StateOptions};
