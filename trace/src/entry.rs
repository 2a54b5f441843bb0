//! The entries of a trace as they are in the file, in postcard's encoding.
//!
//! These types are the format. A variant or a field may be added at the end of its enum only, and
//! any other change needs a new [`VERSION`](crate::frame::VERSION).

use fetch_proto::{AttemptId, FetchId};
use serde::{Deserialize, Serialize};

/// One entry. Times are nanoseconds since the entry before that has one, and may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) enum Entry<'a> {
    /// Gives the next number, from 0, to a text in JSON that later entries refer to.
    DictionaryText(&'a str),
    /// The entries of inputs that follow are of this attempt.
    Attempt(AttemptId),

    /// A poll said [`Output::Abort`](fetch_proto::Output::Abort); likewise the next seven.
    Abort(PollEntry),
    Accept(PollEntry),
    Discard(PollEntry),
    Done(PollEntry),
    Event(PollEntry),
    Idle(PollEntry),
    Start(PollEntry),
    /// A poll said something that this version has no entry for.
    OtherOutput(PollEntry),
    /// So many more polls at the same time said the same kind of thing, the digest after the last.
    Repeat(u16, DigestByte),

    /// [`Input::Body`](fetch_proto::Input::Body): time, bytes.
    Body(i64, u64),
    /// [`Input::End`](fetch_proto::Input::End) with `Ok`: time.
    End(i64),
    /// The same with a failure: time, word of the failure.
    Failed(i64, u32),
    /// [`Input::Head`](fetch_proto::Input::Head) without its fields: time, status.
    Head(i64, u16),
    /// The same with its fields: time, status, `Location`, `Retry-After`, and the rest that
    /// `RateLimit` asks for.
    HeadWithFields(
        i64,
        u16,
        #[serde(borrow)] Option<&'a str>,
        Option<(u64, u32)>,
        Option<(u64, u32)>,
    ),
    /// [`Input::Mark`](fetch_proto::Input::Mark): time, word of the phase, how long ago.
    Mark(i64, u32, i64),
    /// [`Input::Paused`](fetch_proto::Input::Paused): time.
    Paused(i64),
    /// [`Input::Resumed`](fetch_proto::Input::Resumed): time.
    Resumed(i64),

    /// `cancel`: time, which.
    Cancel(i64, FetchId),
    /// `close`: time.
    Close(i64),
    /// `hold`.
    Hold,
    /// `release`.
    Release,
    /// `submit`.
    Submit(#[serde(borrow)] SubmitEntry<'a>),
    /// Any other call: time, the call in JSON.
    Call(i64, &'a str),

    /// The digest up to here, at the end of each frame.
    Digest([u8; 8]),
    /// The recording was ended in order, after so many calls.
    Finish(u64),
}

/// When a poll was, and the lowest byte of the digest after it.
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
    /// The request without what follows.
    #[serde(borrow)]
    pub(crate) template: TextRef<'a>,
    #[serde(borrow)]
    pub(crate) policy: PolicySource<'a>,
    /// Less the tag of the request before.
    pub(crate) tag: i64,
    #[serde(borrow)]
    pub(crate) url: PackedUrl<'a>,
}

/// Where a request's policy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) enum PolicySource<'a> {
    /// From the rules, by the URL.
    Rules,
    /// It brought its own.
    Own(#[serde(borrow)] TextRef<'a>),
    /// From the rules, by a part of the URL or of a pattern that is a secret and not in the file.
    Pinned(#[serde(borrow)] TextRef<'a>),
}

/// A URL as what it shares with the last one of the same host, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct PackedUrl<'a> {
    /// Which host, from 1; 0 is a new one.
    pub(crate) host: u32,
    /// So many bytes are the same.
    pub(crate) prefix_len: u32,
    pub(crate) suffix: &'a str,
}

/// A text in JSON: a word, or, when there are too many words, the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) enum TextRef<'a> {
    Index(u32),
    Inline(&'a str),
}

/// What is before the entries, in JSON: it is written once and must outlive any change of the core's
/// types that has a default.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct TraceHead<C> {
    /// The version of this crate that wrote it.
    pub(crate) version: String,
    pub(crate) seed: u64,
    /// The first `now`, in nanoseconds.
    pub(crate) start: u64,
    pub(crate) config: C,
}
