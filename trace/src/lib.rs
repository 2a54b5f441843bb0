//! Records the calls of fetch-all's core, replays them bit for bit, and answers what-if questions.
//!
//! The decisions of the core, [`fetch_proto::Engine`], depend only on its settings, its seed and the
//! calls made to it, with their times. A *trace* is a file of these:
//!
//! - [`RecordedEngine`] is an engine that writes a trace. A driver uses it in place of the engine.
//! - [`replay`] makes the calls again and verifies that every decision is the same, or names the first
//!   one that differs. [`TraceReplay`] does so step by step.
//! - [`what_if`] simulates the recorded requests under other settings, with ranges for everything that
//!   is not in the trace.
//! - [`explain`] lists the history of one URL, with the reason for every decision.
//!
//! ```
//! use fetch_proto::{EngineConfig, HeadSummary, Input, EngineOutput, FetchRequest, Timestamp};
//! use fetch_trace::{RecordedEngine, explain, replay, what_if};
//!
//! let now = Timestamp::START;
//! let mut engine = RecordedEngine::recording(EngineConfig::default(), 7, now, Vec::new(), |error| {
//!     eprintln!("the recording ended: {error}");
//! });
//! engine.submit(FetchRequest::get("http://a.test/?token=secret".parse()?), now)?;
//! let EngineOutput::Start(attempt) = engine.poll(now) else { unreachable!() };
//! engine.handle(attempt.id, Input::Head(HeadSummary::status(200)), now);
//! engine.handle(attempt.id, Input::End(Ok(())), now);
//! while !matches!(engine.poll(now), EngineOutput::Idle(_)) {}
//! let file = engine.finish().expect("writing to memory cannot fail");
//!
//! assert!(replay(&file[..])?.is_identical());
//! println!("{}", explain(&file[..], "http://a.test/?token=secret")?);
//! println!("{}", what_if(&file[..], |recorded| recorded.concurrency(1))?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Content of a trace
//!
//! A trace contains every call with its time: of requests their method, URL and policy, and whether
//! they have a body; of responses their status, `Location`, `Retry-After` and the wait that
//! `RateLimit` fields request. Bodies and other header fields never reach the core. The answers of
//! the engine are not stored but hashed.
//!
//! URLs are stored without user name, password and fragment. The values of query parameters with
//! [secret names](fetch_proto::is_secret_parameter) are replaced by `REDACTED-` and a hash, with a random key per recording
//! that is never stored. Equal values therefore stay equal, different ones stay different, and the core
//! makes the same decisions about the redacted URLs as about the original ones. Two cases need more:
//!
//! - Rules may match on a query. If the rules select another policy for the redacted URL than for the
//!   original one, the policy is stored with the request. A rule with a secret in its pattern is
//!   replaced by one that matches nothing.
//! - Outputs contain URLs. They are redacted before they are hashed, so a replay, whose URLs are
//!   redacted already, has the same hashes.
//!
//! A secret that neither its name nor its form shows is not removed.
//!
//! # File format
//!
//! | part | content |
//! |---|---|
//! | magic | `89 46 45 54 43 48 0D 0A`: `\x89FETCH\r\n` |
//! | version | 2 bytes, little-endian: 2 |
//! | head | a frame of JSON: version of this crate, seed, start time, [`EngineConfig`](fetch_proto::EngineConfig) |
//! | frames | entries, at most 16 MiB in each |
//!
//! A frame is the length of its content (4 bytes, little-endian), the XXH3 hash of its content (8 bytes,
//! little-endian) and the content. It is written with one call when it has 32 KiB or is a second old.
//! If a process was killed or a disk was full, the file is usable up to its last complete frame. A
//! changed byte is detected.
//!
//! An entry is encoded by [postcard](https://postcard.jamesmunns.com): the number of its kind, then its
//! fields, with variable-length integers. Times are nanoseconds since the previous entry. A URL is the
//! length of the prefix it shares with the previous URL of its host, and the suffix. Recurring values
//! (failures, phases, policies, request templates) are written once, in JSON, and referred to by index.
//! JSON has field names, so a field or variant that is added to the core's types later does not change
//! the meaning of an old file.
//!
//! The entry of a poll has the kind of its output and the lowest byte of the digest after it.
//! Consecutive polls at one time with the same kind of output are counted in one entry. The whole digest
//! is at the end of each frame. It is XXH3 over each answer, with the previous digest as the seed.
//! Fields of an answer are hashed by name, without fields that are zero, so that a new unused field does
//! not change the digest. Events are left out. The last entry has the number of calls; without it the
//! file is cut off.
//!
//! A fetch takes 55 to 100 bytes, depending on its URL and its times, and about 2 µs to write:
//! `cargo bench -p fetch-trace`.
//!
//! # Adding an input to the core
//!
//! A new method of the engine needs a variant, a line and a method: see [`TraceCall`]. New variants of
//! [`Input`](fetch_proto::Input) and [`EngineOutput`](fetch_proto::EngineOutput) need no change here.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod call;
mod error;
mod explain;
mod format;
mod reader;
mod recorded_engine;
mod recorder;
mod redact;
mod replay;
#[cfg(test)]
mod tests;
mod virtual_run;
mod what_if;

pub use call::{TraceAnswer, TraceCall};
pub use error::TraceError;
pub use explain::{FetchHistory, HistoryLine, UrlHistory, explain};
pub use reader::TraceEnd;
pub use recorded_engine::RecordedEngine;
pub use recorder::TraceRecorder;
pub use replay::{ReplayDifference, ReplayReport, ReplayStep, TraceReplay, replay};
pub use what_if::{RunComparison, RunTotals, what_if};

/// Serializes a duration as a number of seconds.
fn serialize_seconds<S: serde::Serializer>(
    duration: &std::time::Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
