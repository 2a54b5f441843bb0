//! What a state is told of each record.

use super::Kind;

/// A request has its record: its tag, and how it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) kind: Kind,
    pub(crate) tag: u64,
}
