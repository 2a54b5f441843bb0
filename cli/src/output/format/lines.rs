//! Forms with a line for each record: for programs, for people, for nobody.

use super::Encoder;
use super::text;
use crate::output::record::{Recorder, Told};

/// A JSON object on each line.
pub(super) struct Jsonl;

impl Encoder for Jsonl {
    fn add(&self, out: &mut Vec<u8>, recorder: &Recorder, told: &Told<'_>) {
        recorder.write(out, told);
    }
}

/// Nothing.
pub(super) struct Nothing;

impl Encoder for Nothing {
    fn add(&self, _: &mut Vec<u8>, _: &Recorder, _: &Told<'_>) {}
}

/// A line for people.
pub(super) struct Text {
    /// Whether only those lines are written that tell something.
    pub(super) notable_only: bool,
}

impl Encoder for Text {
    fn add(&self, out: &mut Vec<u8>, _: &Recorder, told: &Told<'_>) {
        match *told {
            Told::Ended(ended)
                if self.notable_only
                    && ended.verdict.outcome == "ok"
                    && ended.outcome.retries == 0 => {}
            Told::Ended(ended) => text::write(out, ended),
            Told::Disallowed { request, .. } => {
                text::write_unfetched(out, "robots", request.text());
            }
            Told::Invalid { text, .. } => text::write_unfetched(out, "invalid", text),
            Told::Skipped { url, .. } => text::write_unfetched(out, "skipped", url),
        }
    }
}
