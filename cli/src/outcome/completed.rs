//! The message from record writers to the resume state.

/// A request whose record is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompletedRequest {
    pub(crate) kind: CompletionKind,
    pub(crate) tag: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum CompletionKind {
    /// The outcome is a failure.
    Failed = 0,
    /// The line is not a request.
    Invalid = 1,
    Ok = 2,
}
