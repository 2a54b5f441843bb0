//! The message from writers to the state.

use super::CompletionKind;

/// A request whose record is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompletedRequest {
    pub(crate) kind: CompletionKind,
    pub(crate) tag: u64,
}
