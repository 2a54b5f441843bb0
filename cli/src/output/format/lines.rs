//! Formats of one line for each record: JSON, text, and none at all.

use super::{RecordEncoder, text};
use crate::display::sanitize;
use crate::outcome::kind::OutcomeKind;
use crate::output::record::{RecordBuilder, RecordInput};

/// A JSON object on each line.
pub(super) struct JsonlEncoder;

impl RecordEncoder for JsonlEncoder {
    fn encode(&self, out: &mut Vec<u8>, builder: &RecordBuilder, input: &RecordInput<'_>) {
        builder.write_line(out, input);
    }
}

/// Writes nothing.
pub(super) struct NullEncoder;

impl RecordEncoder for NullEncoder {
    fn encode(&self, _: &mut Vec<u8>, _: &RecordBuilder, _: &RecordInput<'_>) {}
}

/// Lines for people.
pub(super) struct TextEncoder {
    /// Whether successes without retries are left out.
    pub(super) notable_only: bool,
}

impl RecordEncoder for TextEncoder {
    fn encode(&self, out: &mut Vec<u8>, _: &RecordBuilder, input: &RecordInput<'_>) {
        match *input {
            RecordInput::Fetched(result)
                if self.notable_only
                    && result.class.kind == OutcomeKind::Ok
                    && result.outcome.retries == 0 => {}
            RecordInput::Fetched(result) => text::write_fetched(out, result),
            RecordInput::Disallowed { request, .. } => {
                text::write_unfetched(out, OutcomeKind::Robots, request.text());
            }
            RecordInput::Invalid { line, url, .. } => {
                let text = url.map_or_else(|| sanitize(line), str::to_owned);
                text::write_unfetched(out, OutcomeKind::Invalid, &text);
            }
            RecordInput::Skipped { url, .. } => {
                text::write_unfetched(out, OutcomeKind::Skipped, url);
            }
        }
    }
}
