//! Connecting to a Unix socket.

use std::io;
use std::path::Path;

use fetch_driver::{Failure, TransportError};

use crate::connect;
use crate::error::told;
use crate::runtime::Runtime;
use crate::transport::Inner;

impl<R: Runtime> Inner<R> {
    pub(crate) async fn dial_unix(&self, path: &Path) -> Result<R::Stream, TransportError> {
        self.runtime.connect_unix(path).await.map_err(|error| {
            let kind = if connect::is_exhausted(&error) {
                self.pool.clear();
                Failure::Exhausted
            } else if error.kind() == io::ErrorKind::Unsupported {
                Failure::Unsupported
            } else {
                Failure::Connect
            };
            let text = format!("to the Unix socket {}", path.display());
            told(kind, text, error)
        })
    }
}
