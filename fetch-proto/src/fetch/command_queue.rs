//! Commands of a fetch that were not polled yet.

use alloc::boxed::Box;

use crate::inline_vec::InlineVec;
use crate::model::attempt::Attempt;
use crate::model::id::AttemptId;

/// Commands about attempts, in order.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct CommandQueue(InlineVec<AttemptCommand>);

/// A command to the driver about an attempt.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) enum AttemptCommand {
    Abort(AttemptId),
    Accept(AttemptId),
    Discard(AttemptId),
    /// Send it: an injected fault had held it back.
    Start(Box<Attempt>),
}

impl AttemptCommand {
    fn attempt_id(&self) -> AttemptId {
        match self {
            Self::Abort(id) | Self::Accept(id) | Self::Discard(id) => *id,
            Self::Start(attempt) => attempt.id,
        }
    }
}

impl CommandQueue {
    pub(super) fn push(&mut self, command: AttemptCommand) {
        self.0.push(command);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<AttemptCommand> {
        self.0.pop_front()
    }

    /// Removes the commands about an attempt that ends now. Returns whether the command to send it was
    /// among them, so that the driver does not know of it.
    pub(super) fn withdraw(&mut self, id: AttemptId) -> bool {
        let mut unsent = false;
        while let Some(command) = self.0.remove_first(|command| command.attempt_id() == id) {
            unsent |= matches!(command, AttemptCommand::Start(_));
        }
        unsent
    }
}
