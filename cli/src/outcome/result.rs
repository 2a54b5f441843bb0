//! An outcome with all that is told of it.

use fetch_driver::Outcome;

use crate::outcome::origin::host;
use crate::outcome::saved_body::{Kept, Trouble};
use crate::outcome::verdict::Verdict;

/// One end of a fetch, as every form of output sees it.
#[derive(Clone, Copy)]
pub(crate) struct Ended<'a> {
    pub(crate) kept: Option<&'a Kept>,
    pub(crate) outcome: &'a Outcome,
    pub(crate) verdict: Verdict,
}

impl<'a> Ended<'a> {
    /// `verdict` is that of the outcome alone: what became of the body is added.
    pub(crate) fn new(outcome: &'a Outcome, verdict: Verdict, kept: Option<&'a Kept>) -> Self {
        let trouble = kept.and_then(|kept| kept.error.as_ref());
        Self {
            kept,
            outcome,
            verdict: match trouble {
                Some(Trouble::Checksum(_)) => Verdict::CHECKSUM,
                Some(Trouble::Save(_)) => Verdict::SAVE,
                None => verdict,
            },
        }
    }

    /// The host that was asked first, with its port if that is not the scheme's own.
    pub(crate) fn host(&self) -> Option<&'a str> {
        let url = &self.outcome.attempts.first()?.url;
        Some(host(url))
    }

    /// What went wrong with the body, after it had come.
    pub(crate) fn trouble(&self) -> Option<&'a str> {
        Some(match self.kept?.error.as_ref()? {
            Trouble::Checksum(message) | Trouble::Save(message) => message,
        })
    }
}
