//! The entries of a trace, as postcard encodes them in the file.
//!
//! These types define the file format. New variants go to the end of their enum; any other change
//! needs a new [`VERSION`](crate::format::frame::VERSION).

use fetch_proto::{AttemptId, FetchId, ResponseVerdict};
use serde::{Deserialize, Serialize};

/// One entry. Times are nanoseconds since the previous entry with a time, and may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) enum TraceEntry<'a> {
    /// A JSON text that later entries refer to by its index: 0 for the first such entry, and so on.
    DictionaryText(&'a str),
    /// The attempt of all input entries up to the next entry of this kind.
    Attempt(AttemptId),

    /// A poll returned [`EngineOutput::Abort`](fetch_proto::EngineOutput::Abort). The next six are alike.
    Abort(PollEntry),
    Accept(PollEntry),
    Discard(PollEntry),
    Done(PollEntry),
    Event(PollEntry),
    Idle(PollEntry),
    Start(PollEntry),
    /// A poll returned an output that has no entry in this version.
    OtherOutput(PollEntry),
    /// Further polls at the same time that returned the same kind of output: their count, and the
    /// digest after the last.
    Repeat(u16, DigestByte),

    /// [`Input::Body`](fetch_proto::Input::Body): time, bytes.
    Body(i64, u64),
    /// [`Input::End`](fetch_proto::Input::End) with `Ok`: time.
    End(i64),
    /// The same with a failure: time, dictionary index of the failure.
    Failed(i64, u32),
    /// [`Input::Head`](fetch_proto::Input::Head) without fields: time, status.
    Head(i64, u16),
    /// The same with fields: time, status, `Location`, `Retry-After`, and the wait that `RateLimit`
    /// requests. Durations are seconds and nanoseconds.
    HeadWithFields(
        i64,
        u16,
        #[serde(borrow)] Option<&'a str>,
        Option<(u64, u32)>,
        Option<(u64, u32)>,
    ),
    /// [`Input::Mark`](fetch_proto::Input::Mark): time, dictionary index of the phase, nanoseconds since the mark.
    Mark(i64, u32, i64),
    /// [`Input::Paused`](fetch_proto::Input::Paused): time.
    Paused(i64),
    /// [`Input::Resumed`](fetch_proto::Input::Resumed): time.
    Resumed(i64),

    /// `cancel`: time, fetch.
    Cancel(i64, FetchId),
    /// `close`: time.
    Close(i64),
    /// `pause_starts`.
    PauseStarts,
    /// `resume_starts`.
    ResumeStarts,
    /// `submit`.
    Submit(#[serde(borrow)] SubmitEntry<'a>),
    /// Any other call: time, call in JSON.
    Call(i64, &'a str),

    /// The digest of all answers so far, at the end of each frame.
    Digest([u8; 8]),
    /// The recording was finished, with this number of calls.
    Finish(u64),

    /// [`Input::Head`](fetch_proto::Input::Head) of a response about which the caller decided: time,
    /// status, `Retry-After`, the wait that `RateLimit` requests, verdict.
    HeadWithVerdict(
        i64,
        u16,
        Option<(u64, u32)>,
        Option<(u64, u32)>,
        ResponseVerdict,
    ),
}

/// Time of a poll, and the lowest byte of the digest after it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct PollEntry {
    pub(crate) delta: i64,
    pub(crate) digest_byte: DigestByte,
}

/// The lowest byte of the digest.
pub(crate) type DigestByte = u8;

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct SubmitEntry<'a> {
    pub(crate) delta: i64,
    /// The request without policy, tag and URL.
    #[serde(borrow)]
    pub(crate) template: TextRef<'a>,
    #[serde(borrow)]
    pub(crate) policy: PolicySource<'a>,
    /// Difference from the tag of the previous request.
    pub(crate) tag: i64,
    #[serde(borrow)]
    pub(crate) url: PackedUrl<'a>,
}

/// Source of a request's policy.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) enum PolicySource<'a> {
    /// The rules in the file select it.
    Rules,
    /// The request has its own policy.
    Own(#[serde(borrow)] TextRef<'a>),
    /// The recorded engine's rules selected it by a secret that is not in the file.
    Pinned(#[serde(borrow)] TextRef<'a>),
}

/// A URL as the length of the prefix shared with the previous URL of the same host, and the suffix.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct PackedUrl<'a> {
    /// Number of the host, from 1; 0 for a new host.
    pub(crate) host: u32,
    /// Bytes shared with the previous URL of the host.
    pub(crate) prefix_len: u32,
    pub(crate) suffix: &'a str,
}

/// A JSON text: an index into the dictionary, or the text itself if the dictionary is full.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) enum TextRef<'a> {
    Index(u32),
    Inline(&'a str),
}

/// The head of the file, before the entries. It is JSON, so that old files stay readable when the
/// core's types gain a field with a default.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct TraceHead<C> {
    /// Version of the crate that wrote the file.
    pub(crate) version: String,
    /// The number of the engine, which is part of each id. 0 in older files.
    #[serde(default)]
    pub(crate) engine_number: u16,
    pub(crate) seed: u64,
    /// Time of the engine's creation, in nanoseconds.
    pub(crate) start: u64,
    pub(crate) config: C,
}
