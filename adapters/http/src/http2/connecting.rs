//! A connection attempt for which several requests wait.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};

use fetch_driver::TransportError;

/// The state of a connection attempt, shared with the requests that wait for it.
#[derive(Default)]
pub(crate) struct PendingConnect(OnceLock<SharedError>);

impl PendingConnect {
    /// Why it failed: one error for each request that waited.
    pub(crate) fn failure(&self) -> Option<TransportError> {
        self.0.get().map(SharedError::to_transport_error)
    }

    /// Fails for all requests that wait. Returns the error of the one that connected.
    pub(super) fn fail(&self, error: TransportError) -> TransportError {
        let shared = self.0.get_or_init(|| SharedError(Arc::new(error)));
        shared.to_transport_error()
    }
}

/// One error that ends many requests.
#[derive(Clone, Debug)]
struct SharedError(Arc<TransportError>);

impl SharedError {
    fn to_transport_error(&self) -> TransportError {
        TransportError::new(self.0.kind(), self.clone()).with_reason(self.0.reason())
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(source) => fmt::Display::fmt(source, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Error for SharedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source().and_then(Error::source)
    }
}
