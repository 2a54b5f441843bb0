//! The opening of a connection that more than one request waits for.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};

use fetch_driver::TransportError;

use crate::origin::Origin;
use crate::pool::Pool;

/// A connection on its way, as those see it who wait for it.
#[derive(Default)]
pub(super) struct Flight(OnceLock<Shared>);

impl Flight {
    /// Why it failed, for each who waited.
    pub(super) fn failure(&self) -> Option<TransportError> {
        self.0.get().map(Shared::error)
    }
}

/// The duty to open a connection; when it is dropped, somebody else may.
pub(crate) struct Flying {
    pub(super) flight: Arc<Flight>,
    pub(super) origin: Arc<Origin>,
    pub(super) pool: Arc<Pool>,
}

impl Flying {
    /// Fails together with all who wait; unless other connections to the origin live, on which a
    /// place will come free: then it is `None`.
    pub(crate) fn failed(self, error: TransportError) -> Option<TransportError> {
        if self.pool.groups.is_cramped(&self.origin) {
            return None;
        }
        let shared = self.flight.0.get_or_init(|| Shared(Arc::new(error)));
        Some(shared.error())
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        self.pool.groups.landed(&self.origin, &self.flight);
    }
}

/// One error that many requests end with.
#[derive(Clone, Debug)]
struct Shared(Arc<TransportError>);

impl Shared {
    fn error(&self) -> TransportError {
        TransportError::new(self.0.kind(), self.clone())
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(source) => fmt::Display::fmt(source, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source().and_then(Error::source)
    }
}
