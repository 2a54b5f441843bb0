//! The message from the writer of records to the store.

/// A request whose record is written.
#[derive(Clone, Copy, Debug)]
pub struct CompletedRequest {
    /// How it ended.
    pub kind: CompletionKind,
    /// The tag that it was claimed under.
    pub tag: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum CompletionKind {
    /// The outcome is a failure.
    Failed = 0,
    /// The line is not a request.
    Invalid = 1,
    /// The outcome is a success.
    Ok = 2,
}
