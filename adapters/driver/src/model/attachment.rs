//! Values that callers attach to requests.

use std::any::Any;
use std::sync::Arc;

/// A caller's value that is attached to a request and returned in its outcome.
pub type Attachment = Arc<dyn Any + Send + Sync>;
