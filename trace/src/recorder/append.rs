//! Adding entries to a frame.

use fetch_proto::{Output, Timestamp};

use crate::entry::{Entry, PollEntry};
use crate::frame::Frame;

/// Polls at the time of the last poll's entry that said the same kind of thing.
#[derive(Clone, Copy, Debug)]
pub(super) struct RepeatedPoll {
    pub(super) at: Timestamp,
    pub(super) digest_byte: u8,
    pub(super) count: u16,
    pub(super) name: &'static str,
}

/// Adds an entry, and before it the polls that are still counted.
pub(super) fn append(frame: &mut Frame, repeat: &mut Option<RepeatedPoll>, entry: &Entry<'_>) {
    if let Some(repeat) = repeat.take().filter(|repeat| repeat.count > 0) {
        push(frame, &Entry::Repeat(repeat.count, repeat.digest_byte));
    }
    push(frame, entry);
}

fn push(frame: &mut Frame, entry: &Entry<'_>) {
    let bytes = std::mem::take(frame.content());
    // Memory takes everything, and every entry can be written.
    *frame.content() = postcard::to_extend(entry, bytes).unwrap_or_default();
}

/// The entry of a poll that said this, and its name.
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

/// What kind of output this is.
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
