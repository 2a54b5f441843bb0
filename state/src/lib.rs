#![doc = include_str!("../README.md")]

mod completed;
mod disk;
mod entry;
mod error;
mod history;
mod journal;
mod ledger;
mod lock;
mod manifest;
mod merge;
mod records;
mod segment;
mod state;
#[cfg(test)]
mod tests;
mod writer;

/// The version of all formats in the directory.
const FORMAT_VERSION: u64 = 1;

/// The manifest, which names the other files.
const MANIFEST_NAME: &str = "state.json";

pub use completed::{CompletedRequest, CompletionKind};
pub use error::{ChangedProperty, OutputError, OutputRepair, StateError};
pub use ledger::StateLedger;
pub use state::{State, StateOptions};
pub use writer::StateWriter;
