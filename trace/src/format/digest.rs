//! A 64-bit digest of all answers of an engine.

use fetch_proto::{EngineOutput, FetchId, InputEffect, RejectedRequest};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::canonical;
use crate::redact::UrlRedactor;

/// A digest of every answer so far, each hashed with the digest before it as the seed.
///
/// Events are left out, so that switching them on does not change the digest.
#[derive(Debug, Default)]
pub(crate) struct AnswerDigest {
    scratch: Vec<u8>,
    sum: u64,
}

impl AnswerDigest {
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    pub(crate) fn low_byte(&self) -> u8 {
        self.sum as u8
    }

    pub(crate) fn add_handled(&mut self, handled: InputEffect) {
        self.add_bool(handled == InputEffect::Applied);
    }

    pub(crate) fn add_submitted(&mut self, result: &Result<FetchId, RejectedRequest>) {
        match result {
            Ok(id) => self.add_value(id, None),
            Err(rejected) => self.add_bool(rejected.why == fetch_proto::RejectReason::Full),
        }
    }

    pub(crate) fn add_output(&mut self, output: &EngineOutput, redactor: Option<&UrlRedactor>) {
        if !matches!(output, EngineOutput::Event(..)) {
            self.add_value(output, redactor);
        }
    }

    fn add_bool(&mut self, value: bool) {
        self.sum = xxh3_64_with_seed(&[value.into()], self.sum);
    }

    fn add_value(&mut self, value: &impl serde::Serialize, redactor: Option<&UrlRedactor>) {
        self.scratch.clear();
        canonical::write(&mut self.scratch, value, redactor);
        self.sum = xxh3_64_with_seed(&self.scratch, self.sum);
    }
}
