//! What a row of a list says beside its URL.

use fetch_driver::{Outcome, Request};
use fetch_proto::Method;

use crate::outcome::checksum::Checksum;

/// What a request made of such a row carries.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// What the body must come to.
    pub(crate) checksum: Option<Checksum>,
    pub(crate) id: Option<String>,
    pub(crate) method: Method,
    /// The name of the body's file.
    pub(crate) out: Option<String>,
    pub(crate) body_digest: [u8; 32],
}

impl Item {
    pub(crate) fn of(outcome: &Outcome) -> Option<&Self> {
        outcome.attached.as_ref()?.downcast_ref()
    }

    pub(crate) fn of_request(request: &Request) -> Option<&Self> {
        request.attached()?.downcast_ref()
    }
}
