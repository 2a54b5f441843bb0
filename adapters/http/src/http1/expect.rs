//! `Expect: 100-continue` (RFC 9110, section 10.1.1): the body waits for the server's permission.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use fetch_driver::OutgoingRequest;
use fetch_transport_util::lock;
use hashbrown::HashSet;
use http::HeaderMap;
use http::header::EXPECT;

use crate::origin::Origin;

/// How many servers are remembered.
const MAX_REMEMBERED: usize = 4096;

/// Ends when the body is sent without permission.
pub(crate) type ContinueTimer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The servers that refused to be asked, with 417, by the digests of their origins.
#[derive(Debug, Default)]
pub(crate) struct ExpectRefusals(Mutex<HashSet<u64>>);

impl ExpectRefusals {
    /// Whether the body of `request` waits for permission. Otherwise the field is removed, because there
    /// is nothing to permit or the server refuses to be asked.
    pub(crate) fn prepare(&self, request: &mut OutgoingRequest, origin: &Origin) -> bool {
        if !expects_continue(&request.headers) {
            return false;
        }
        let has_body = request.body.length() != Some(0);
        if has_body && !lock(&self.0).contains(&origin.digest()) {
            return true;
        }
        Arc::make_mut(&mut request.headers).remove(EXPECT);
        false
    }

    /// Remembers that the server of `origin` refused.
    pub(crate) fn add(&self, origin: &Origin) {
        let mut refusals = lock(&self.0);
        if refusals.len() >= MAX_REMEMBERED {
            refusals.clear();
        }
        refusals.insert(origin.digest());
    }
}

fn expects_continue(headers: &HeaderMap) -> bool {
    let value = headers.get(EXPECT);
    value.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
