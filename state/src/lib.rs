#![doc = include_str!("../README.md")]

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

/// The version of all formats in the directory.
const FORMAT_VERSION: u64 = 1;

/// The manifest, which names the other files.
const MANIFEST_NAME: &str = "state.json";

/// The copy of the manifest, from which a damaged one is restored.
const MANIFEST_COPY_NAME: &str = "state.json.copy";

pub use completed::{CompletedRequest, CompletionKind};
pub use error::{ChangedProperty, JournalCut, OutputError, OutputRepair, StateError};
pub use inspect::{CheckedFile, StateCheck, check};
pub use ledger::StateLedger;
pub use repair::{RecordParser, StateRepair, repair};
pub use state::{State, StateOptions};
pub use writer::StateWriter;
