//! Appends entries to a frame.

use fetch_proto::{EngineOutput, Timestamp};

use crate::format::entry::{PollEntry, TraceEntry};
use crate::format::frame::FrameBuffer;

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
pub(super) fn poll_entry(
    output: &EngineOutput,
) -> (&'static str, fn(PollEntry) -> TraceEntry<'static>) {
    (
        output_kind(output),
        match output {
            EngineOutput::Abort(_) => TraceEntry::Abort,
            EngineOutput::Accept(_) => TraceEntry::Accept,
            EngineOutput::Discard(_) => TraceEntry::Discard,
            EngineOutput::Done(..) => TraceEntry::Done,
            EngineOutput::Event(..) => TraceEntry::Event,
            EngineOutput::Idle(_) => TraceEntry::Idle,
            EngineOutput::Start(_) => TraceEntry::Start,
            _ => TraceEntry::OtherOutput,
        },
    )
}

/// Returns the name of an output's kind.
pub(crate) fn output_kind(output: &EngineOutput) -> &'static str {
    match output {
        EngineOutput::Abort(_) => "abort",
        EngineOutput::Accept(_) => "accept",
        EngineOutput::Discard(_) => "discard",
        EngineOutput::Done(..) => "done",
        EngineOutput::Event(..) => "event",
        EngineOutput::Idle(_) => "idle",
        EngineOutput::Start(_) => "start",
        _ => "other",
    }
}
