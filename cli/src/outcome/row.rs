//! The columns of a list's row other than its URL.

use fetch_driver::{Outcome, Request};
use fetch_proto::Method;

use crate::outcome::checksum::Checksum;

/// Attached to the request of a row, and so to its outcome.
#[derive(Clone, Debug)]
pub(crate) struct RowAttachment {
    /// The expected digest of the body.
    pub(crate) checksum: Option<Checksum>,
    pub(crate) id: Option<String>,
    pub(crate) method: Method,
    /// The name of the body's file.
    pub(crate) out: Option<String>,
    pub(crate) body_digest: [u8; 32],
}

impl RowAttachment {
    pub(crate) fn of(outcome: &Outcome) -> Option<&Self> {
        outcome.attached.as_ref()?.downcast_ref()
    }

    pub(crate) fn of_request(request: &Request) -> Option<&Self> {
        request.attached()?.downcast_ref()
    }
}
