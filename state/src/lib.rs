//! The record of completed requests, from which a stopped run resumes: an embedded, crash-safe set of
//! digests beside an output file.
//!
//! # Guarantees
//!
//! A request is *completed* when its record in the output is durable, together with everything that
//! belongs to it. A completed request cannot be claimed again; a request that is not completed has no
//! record. So after a stop of any kind at any byte, the same run resumes: it repeats at most the requests
//! that were in flight or not committed yet, and the output has every request once. Over a pipe, durable
//! can only mean written.
//!
//! ```
//! use std::io::Write;
//!
//! use fetch_state::{CompletedRequest, CompletionKind, State, StateOptions};
//!
//! # let directory = tempfile::tempdir()?;
//! # std::env::set_current_dir(&directory)?;
//! let mut options = StateOptions::new("run.state");
//! options.output = Some("records.txt".into());
//! let mut state = State::open(&options)?;
//! // The digest of a request, and a number for it in this run.
//! let (digest, tag) = ([7; 16], 1);
//! assert!(state.ledger.claim(digest, tag)?);
//! let record = b"a record\n";
//! state.output.as_mut().expect("it is a file").write_all(record)?;
//! let kind = CompletionKind::Ok;
//! state.writer.add_written(record, &[CompletedRequest { kind, tag }]);
//! state.writer.commit()?;
//! drop(state);
//!
//! let state = State::open(&options)?;
//! assert!(!state.ledger.claim(digest, 1)?, "it is completed");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Design
//!
//! An embedded database would maintain a tree of random keys: each commit touches as many pages as it
//! has entries. Here nothing is ever deleted or read in order, so an append-only journal and sorted
//! files are enough, with two sequential writes per commit, 16 bytes per entry, and code that a test
//! can interrupt at each byte. `docs/state.md` in the repository has the measurements that decided this.
//!
//! - The writing thread writes records as they arrive. Every 25 ms it syncs the output, and then
//!   appends a block to the *journal*: the entries that became completed, the position of their records
//!   in the output, and the digest of these. A block has a checksum: it is complete or ignored.
//! - A journal of 458,752 entries becomes a sorted *segment*, and a new journal begins. A thread merges
//!   segments of similar size, so there are few.
//! - The *manifest* names the current files. It is replaced atomically.
//! - The [*ledger*](StateLedger) answers the thread that decides what is fetched: the journal's entries
//!   are in a hash table, and a segment takes one read of 4 KiB. Its memory is 9 MiB, and 8 bytes for
//!   each 255 entries: another 320 KiB for ten million.
//! - The *lock* belongs to the process, so it cannot be left behind.
//!
//! On opening, the torn end of the journal is removed, and the output is truncated to the last block's
//! position. Its last 8 MiB are verified: blocks whose records differ from what was written, because a
//! disk lost them, are dropped.
//!
//! # Rounds
//!
//! With [`StateOptions::retry_failed`], failures can be claimed again. A run with it may be stopped, too,
//! and then the same run must not repeat what has failed again. So failures have the number of their
//! round; a new round begins if the last run was without it, or reached the end of its lists.

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

/// The file that names the others.
const MANIFEST_NAME: &str = "state.json";

pub use completed::{CompletedRequest, CompletionKind};
pub use error::{ChangedProperty, OutputError, OutputRepair, StateError};
pub use ledger::StateLedger;
pub use state::{State, StateOptions};
pub use writer::StateWriter;
