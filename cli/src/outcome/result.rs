//! An outcome with everything that is reported about it.

use fetch_driver::Outcome;

use super::class::OutcomeClass;
use super::saved_body::{SaveError, SavedBody};

/// The end of a fetch, as every output format sees it.
#[derive(Clone, Copy)]
pub(crate) struct FetchResult<'a> {
    pub(crate) class: OutcomeClass,
    pub(crate) outcome: &'a Outcome,
    pub(crate) saved: Option<&'a SavedBody>,
}

impl<'a> FetchResult<'a> {
    /// `class` is that of the outcome alone. A body that could not be saved changes it.
    pub(crate) fn new(
        outcome: &'a Outcome,
        class: OutcomeClass,
        saved: Option<&'a SavedBody>,
    ) -> Self {
        let class = match saved.and_then(|saved| saved.error.as_ref()) {
            Some(SaveError::Checksum(_)) => OutcomeClass::CHECKSUM,
            Some(SaveError::Write(_)) => OutcomeClass::SAVE,
            None => class,
        };
        Self {
            class,
            outcome,
            saved,
        }
    }

    /// The host of the first request, with its port unless that is the scheme's default.
    pub(crate) fn host(&self) -> Option<&'a str> {
        let url = &self.outcome.attempts.first()?.url;
        Some(fetch_proto::url_host(url))
    }

    /// Why the body was not saved, although it was received.
    pub(crate) fn save_error(&self) -> Option<&'a str> {
        Some(match self.saved?.error.as_ref()? {
            SaveError::Checksum(message) | SaveError::Write(message) => message,
        })
    }
}
