//! Appends entries to a frame.

use fetch_proto::{Output, Timestamp};

use crate::entry::{PollEntry, TraceEntry};
use crate::frame::FrameBuffer;

/// Polls not yet written: they have the time and the output kind of the last poll entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct RepeatedPoll {
    pub(super) at: Timestamp,
    pub(super) digest_byte: u8,
    pub(super) count: u16,
    pub(super) name: &'static str,
}

/// Appends the counted polls, then `entry`.
pub(super) fn append(
    frame: &mut FrameBuffer,
    repeat: &mut Option<RepeatedPoll>,
    entry: &TraceEntry<'_>,
) {
    if let Some(repeat) = repeat.take().filter(|repeat| repeat.count > 0) {
        push(frame, &TraceEntry::Repeat(repeat.count, repeat.digest_byte));
    }
    push(frame, entry);
}

fn push(frame: &mut FrameBuffer, entry: &TraceEntry<'_>) {
    let bytes = std::mem::take(frame.content());
    // Infallible: the target is memory and every entry type can be serialized.
    *frame.content() = postcard::to_extend(entry, bytes).unwrap_or_default();
}

/// Returns the name of an output's kind and the constructor of its poll entry.
pub(super) fn poll_entry(output: &Output) -> (&'static str, fn(PollEntry) -> TraceEntry<'static>) {
    (
        output_kind(output),
        match output {
            Output::Abort(_) => TraceEntry::Abort,
            Output::Accept(_) => TraceEntry::Accept,
            Output::Discard(_) => TraceEntry::Discard,
            Output::Done(..) => TraceEntry::Done,
            Output::Event(..) => TraceEntry::Event,
            Output::Idle(_) => TraceEntry::Idle,
            Output::Start(_) => TraceEntry::Start,
            _ => TraceEntry::OtherOutput,
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
