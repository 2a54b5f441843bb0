//! Appends entries to a frame.

use fetch_proto::{Output, Timestamp};

use crate::entry::{Entry, PollEntry};
use crate::frame::Frame;

/// Polls not yet written: they have the time and the output kind of the last poll entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct RepeatedPoll {
    pub(super) at: Timestamp,
    pub(super) digest_byte: u8,
    pub(super) count: u16,
    pub(super) name: &'static str,
}

/// Appends the counted polls, then `entry`.
pub(super) fn append(frame: &mut Frame, repeat: &mut Option<RepeatedPoll>, entry: &Entry<'_>) {
    if let Some(repeat) = repeat.take().filter(|repeat| repeat.count > 0) {
        push(frame, &Entry::Repeat(repeat.count, repeat.digest_byte));
    }
    push(frame, entry);
}

fn push(frame: &mut Frame, entry: &Entry<'_>) {
    let bytes = std::mem::take(frame.content());
    // Infallible: the target is memory and every entry type can be serialized.
    *frame.content() = postcard::to_extend(entry, bytes).unwrap_or_default();
}

/// Returns the name of an output's kind and the constructor of its poll entry.
pub(super) fn poll_entry(output: &Output) -> (&'static str, fn(PollEntry) -> Entry<'static>) {
    (
        output_kind(output),
        match output {
            Output::Abort(_) => Entry::Abort,
            Output::Accept(_) => Entry::Accept,
            Output::Discard(_) => Entry::Discard,
            Output::Done(..) => Entry::Done,
            Output::Event(..) => Entry::Event,
            Output::Idle(_) => Entry::Idle,
            Output::Start(_) => Entry::Start,
            _ => Entry::OtherOutput,
        },
    )
}

/// Returns the name of an output's kind.
pub(crate) fn output_kind(output: &Output) -> &'static str {
    match output {
        Output::Abort(_) => "abort",
        Output::Accept(_) => "accept",
        Output::Discard(_) => "discard",
        Output::Done(..) => "done",
        Output::Event(..) => "event",
        Output::Idle(_) => "idle",
        Output::Start(_) => "start",
        _ => "other",
    }
}
