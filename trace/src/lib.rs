//! Records what fetch-all's core saw, replays it bit for bit, and asks what if.
//!
//! The core, [`fetch_proto::Engine`], decides by its settings, its seed and its calls, with their
//! times, and by nothing else. A *trace* is a file of these:
//!
//! - [`RecordedEngine`] is an engine that writes one, for a driver to hold in the engine's place.
//! - [`replay`] makes the calls again and proves that every decision is the same, or names the first
//!   that is not; [`TraceReplay`] does it step by step.
//! - [`what_if`] runs the recorded requests under another policy, with ranges where the trace cannot
//!   know what would have been.
//! - [`explain`] tells the story of one URL, with the reason of every decision.
//!
//! ```
//! use fetch_proto::{Config, Head, Input, Output, Request, Timestamp};
//! use fetch_trace::{RecordedEngine, explain, replay, what_if};
//!
//! let now = Timestamp::START;
//! let mut engine = RecordedEngine::recording(Config::default(), 7, now, Vec::new(), |error| {
//!     eprintln!("the recording ended: {error}");
//! });
//! engine.submit(Request::get("http://a.test/?token=secret".parse()?), now)?;
//! let Output::Start(attempt) = engine.poll(now) else { unreachable!() };
//! engine.handle(attempt.id, Input::Head(Head::status(200)), now);
//! engine.handle(attempt.id, Input::End(Ok(())), now);
//! while !matches!(engine.poll(now), Output::Idle(_)) {}
//! let file = engine.finish().expect("memory takes everything");
//!
//! assert!(replay(&file[..])?.is_identical());
//! println!("{}", explain(&file[..], "http://a.test/?token=secret")?);
//! println!("{}", what_if(&file[..], |recorded| recorded.concurrency(1))?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is in a trace
//!
//! Every call with its time; of requests what the core knows of them: method, URL, policy, and whether
//! they have a body; of responses their status, `Location` and `Retry-After`. Neither bodies nor other
//! header fields ever reach the core. What the engine said is not stored but hashed.
//!
//! URLs are stored without user name, password and fragment, and the values of query parameters with
//! [secret names](is_secret) are replaced by placeholders: `REDACTED-` and a hash with a key that is
//! drawn for each recording and never stored. So equal values stay equal, different ones different,
//! and the core decides about the redacted URLs as it did about the true ones. Two things depend on
//! more of a URL:
//!
//! - Rules may match on a query. Where the redacted URL would get another policy than the true one,
//!   the policy goes into the trace with the request. A rule whose own pattern has a secret in it is
//!   stored with one that matches nothing.
//! - Outputs contain URLs. They are redacted before they are hashed, and so a replay, whose URLs are
//!   redacted already, hashes the same.
//!
//! A secret in a path, or under a name that tells nothing, is not found.
//!
//! # The format
//!
//! | part | content |
//! |---|---|
//! | magic | `89 46 45 54 43 48 0D 0A`: `\x89FETCH\r\n` |
//! | version | 2 bytes, little-endian: 1 |
//! | head | a frame of JSON: this crate's version, seed, first time, [`Config`](fetch_proto::Config) |
//! | frames | entries, at most 16 MiB in each |
//!
//! A frame is its content's length (4 bytes, little-endian), XXH3 hash (8 bytes, little-endian) and
//! content. It is written in one piece when it has 32 KiB or is a second old. So a file can be used up
//! to wherever it was cut, by a killed process or a full disk; a byte that was changed is found.
//!
//! An entry is in [postcard](https://postcard.jamesmunns.com)'s encoding: the number of its kind, then
//! its fields, all numbers as variable-length integers. Times are differences from the entry before, in
//! nanoseconds. A URL is what it shares with the last one of its host, and the rest. What comes again
//! and again (failures, phases, policies, the shape of requests) is written once, in JSON, and referred
//! to by number: JSON has names, so a field or a kind that is added to the core's types later does not
//! change what an old file means.
//!
//! A poll's entry tells what kind of thing it said, and the lowest byte of the digest after it; polls at
//! one time that say the same kind of thing are counted in one entry. The whole digest is at the end of
//! each frame. It is XXH3 over each answer, seeded with the digest before; an answer's fields are hashed
//! by name, without those that are zero, so that here too a new field that is not used changes nothing.
//! Events are left out. The last entry says how many calls there were: without it the file was cut.
//!
//! A fetch takes 55 to 100 bytes, by its URL and how even the times are, and about 2 µs to write:
//! `cargo bench -p fetch-trace`.
//!
//! # Adding an input to the core
//!
//! See [`TraceCall`]: a variant, a line and a method; it is then recorded in JSON. What
//! [`Input`](fetch_proto::Input) or [`Output`](fetch_proto::Output) gains works without a change.

mod call;
mod canonical;
mod digest;
mod entry;
mod error;
mod explain;
mod frame;
mod reader;
mod recorded_engine;
mod recorder;
mod redact;
mod replay;
#[cfg(test)]
mod tests;
mod urls;
mod virtual_run;
mod what_if;

pub use call::{TraceAnswer, TraceCall};
pub use error::TraceError;
pub use explain::{FetchHistory, HistoryLine, UrlHistory, explain};
pub use reader::TraceEnd;
pub use recorded_engine::RecordedEngine;
pub use recorder::TraceRecorder;
pub use redact::is_secret;
pub use replay::{ReplayDifference, ReplayReport, ReplayStep, TraceReplay, replay};
pub use what_if::{RunComparison, RunTotals, what_if};

/// Durations in JSON, for people and their tools.
fn serialize_seconds<S: serde::Serializer>(
    duration: &std::time::Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
