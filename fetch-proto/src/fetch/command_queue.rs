//! What a fetch has decided and not yet told.

use alloc::boxed::Box;

use crate::inline_vec::InlineVec;
use crate::model::attempt::Attempt;
use crate::model::id::AttemptId;

/// Words about attempts, in order.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Outbox(InlineVec<Word>);

/// What the driver is to do with an attempt.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) enum Word {
    Abort(AttemptId),
    Accept(AttemptId),
    Discard(AttemptId),
    /// Send it: it was held back.
    Start(Box<Attempt>),
}

impl Word {
    fn about(&self) -> AttemptId {
        match self {
            Self::Abort(id) | Self::Accept(id) | Self::Discard(id) => *id,
            Self::Start(attempt) => attempt.id,
        }
    }
}

impl Outbox {
    pub(super) fn push(&mut self, word: Word) {
        self.0.push(word);
    }

    pub(super) fn pop(&mut self) -> Option<Word> {
        self.0.pop_front()
    }

    /// Takes back what was not yet told about an attempt, since it ends now. Whether the driver
    /// knows nothing of it, because it was never told to send it.
    pub(super) fn withdraw(&mut self, id: AttemptId) -> bool {
        let mut unsent = false;
        while let Some(word) = self.0.remove_first(|word| word.about() == id) {
            unsent |= matches!(word, Word::Start(_));
        }
        unsent
    }
}
