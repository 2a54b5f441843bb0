//! All that an engine said, in 64 bits.

use fetch_proto::{EngineOutput, FetchId, InputEffect, RejectedRequest};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::canonical;
use crate::redact::Redactor;

/// A digest of every answer so far, each hashed with the digest before it as the seed.
///
/// Events are left out: they tell of decisions, and whether they are told may not matter.
#[derive(Debug, Default)]
pub(crate) struct AnswerDigest {
    scratch: Vec<u8>,
    sum: u64,
}

impl AnswerDigest {
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    pub(crate) fn check(&self) -> u8 {
        self.sum as u8
    }

    pub(crate) fn handled(&mut self, handled: InputEffect) {
        self.word(handled == InputEffect::Applied);
    }

    pub(crate) fn submitted(&mut self, result: &Result<FetchId, RejectedRequest>) {
        match result {
            Ok(id) => self.value(id, None),
            Err(rejected) => self.word(rejected.why == fetch_proto::RejectReason::Full),
        }
    }

    pub(crate) fn output(&mut self, output: &EngineOutput, redactor: Option<&Redactor>) {
        if !matches!(output, EngineOutput::Event(..)) {
            self.value(output, redactor);
        }
    }

    fn word(&mut self, word: bool) {
        self.sum = xxh3_64_with_seed(&[word.into()], self.sum);
    }

    fn value(&mut self, value: &impl serde::Serialize, redactor: Option<&Redactor>) {
        self.scratch.clear();
        canonical::write(&mut self.scratch, value, redactor);
        self.sum = xxh3_64_with_seed(&self.scratch, self.sum);
    }
}
