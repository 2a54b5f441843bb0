//! The columns of a list's row other than its URL.

use fetch_driver::{Outcome, Request};
use fetch_proto::Method;
use serde_json::value::RawValue;

use crate::outcome::checksum::Checksum;

/// Other columns of a row, as a JSON object on one line.
pub(crate) type CarriedRow = Box<RawValue>;

/// Attached to the request of a row, and so to its outcome; also to that of a URL that is not sent as it
/// is written.
#[derive(Clone, Debug)]
pub(crate) struct RowAttachment {
    /// The columns that are carried into the record.
    pub(crate) carried: Option<CarriedRow>,
    /// The expected digest of the body.
    pub(crate) checksum: Option<Checksum>,
    pub(crate) id: Option<String>,
    /// The digest by which requests are compared.
    pub(crate) identity: [u8; 32],
    pub(crate) method: Method,
    /// The name of the body's file.
    pub(crate) out: Option<String>,
}

impl RowAttachment {
    pub(crate) fn of(outcome: &Outcome) -> Option<&Self> {
        outcome.attached.as_ref()?.downcast_ref()
    }

    pub(crate) fn of_request(request: &Request) -> Option<&Self> {
        request.attached()?.downcast_ref()
    }
}
