//! Adding entries to a frame.

use fetch_proto::{EngineOutput, Timestamp};

use crate::entry::{Entry, PollEntry};
use crate::frame::Frame;

/// Polls at the time of the last poll's entry that said the same kind of thing.
#[derive(Clone, Copy, Debug)]
pub(super) struct RepeatedPoll {
    pub(super) at: Timestamp,
    pub(super) check: u8,
    pub(super) count: u16,
    pub(super) name: &'static str,
}

/// Adds an entry, and before it the polls that are still counted.
pub(super) fn append(frame: &mut Frame, repeat: &mut Option<RepeatedPoll>, entry: &Entry<'_>) {
    if let Some(repeat) = repeat.take().filter(|repeat| repeat.count > 0) {
        push(frame, &Entry::Repeat(repeat.count, repeat.check));
    }
    push(frame, entry);
}

fn push(frame: &mut Frame, entry: &Entry<'_>) {
    let bytes = std::mem::take(frame.content());
    // Memory takes everything, and every entry can be written.
    *frame.content() = postcard::to_extend(entry, bytes).unwrap_or_default();
}

/// The entry of a poll that said this, and its name.
pub(super) fn kind(output: &EngineOutput) -> (&'static str, fn(PollEntry) -> Entry<'static>) {
    (
        name(output),
        match output {
            EngineOutput::Abort(_) => Entry::Abort,
            EngineOutput::Accept(_) => Entry::Accept,
            EngineOutput::Discard(_) => Entry::Discard,
            EngineOutput::Done(..) => Entry::Done,
            EngineOutput::Event(..) => Entry::Event,
            EngineOutput::Idle(_) => Entry::Idle,
            EngineOutput::Start(_) => Entry::Start,
            _ => Entry::OtherOutput,
        },
    )
}

/// What kind of output this is.
pub(crate) fn name(output: &EngineOutput) -> &'static str {
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
