//! Whether a request body is left to send.

use crate::fetch::request::RequestBodyKind;

/// Whether a fetch can send its request body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub(crate) enum BodyState {
    /// In every attempt. No body counts as one.
    Replayable,
    /// In one attempt more.
    Unread,
    /// In no further attempt.
    Consumed,
}

impl BodyState {
    /// An attempt starts.
    pub(crate) fn consume(&mut self) {
        if *self == Self::Unread {
            *self = Self::Consumed;
        }
    }

    /// The attempt has left the body unread.
    pub(crate) fn restore(&mut self) {
        if *self == Self::Consumed {
            *self = Self::Unread;
        }
    }
}

impl From<RequestBodyKind> for BodyState {
    fn from(kind: RequestBodyKind) -> Self {
        match kind {
            RequestBodyKind::None | RequestBodyKind::Replayable => Self::Replayable,
            RequestBodyKind::Once => Self::Unread,
        }
    }
}
