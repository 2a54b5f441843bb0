//! Functions of the caller that decide about attempts and responses.

pub(crate) mod attempt_request;
pub(crate) mod attempt_response;
pub(crate) mod error;
pub(crate) mod verdict;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use self::attempt_request::AttemptRequest;
use self::attempt_response::AttemptResponse;
use self::error::HookError;
use self::verdict::Verdict;
use crate::model::attachment::Attachment;

/// The future of a hook that prepares an attempt.
pub(crate) type PreparedRequest =
    Pin<Box<dyn Future<Output = Result<AttemptRequest, HookError>> + Send>>;

/// The future of a hook that classifies a response.
pub(crate) type PendingVerdict = Pin<Box<dyn Future<Output = Verdict> + Send>>;

type BeforeAttempt = Arc<dyn Fn(AttemptRequest) -> PreparedRequest + Send + Sync>;
type Classify = Arc<dyn Fn(AttemptResponse) -> PendingVerdict + Send + Sync>;

/// The hooks of a fetcher.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    /// Called in this order.
    pub(crate) before_attempt: Vec<BeforeAttempt>,
    pub(crate) classify: Option<ClassifyHook>,
}

/// The hook that classifies responses.
#[derive(Clone)]
pub(crate) struct ClassifyHook {
    pub(crate) call: Classify,
    /// How many bytes of the body it looks at.
    pub(crate) first_bytes: usize,
}

/// To which fetch an attempt belongs.
#[derive(Clone, Default)]
pub(crate) struct AttemptContext {
    pub(crate) attached: Option<Attachment>,
    pub(crate) number: u16,
    pub(crate) tag: u64,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("before_attempt", &self.before_attempt.len())
            .field("classify", &self.classify.is_some())
            .finish()
    }
}

impl fmt::Debug for AttemptContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptContext")
            .field("number", &self.number)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}
