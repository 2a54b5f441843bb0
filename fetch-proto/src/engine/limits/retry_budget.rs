//! The budget of retries and hedges over all hosts.

use crate::guards::budget::{RetryBudget, RetryTokens};

/// The tokens of the budget over all hosts. If several engines share them, they are present only
/// while the driver lends them.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct SharedRetryBudget {
    is_shared: bool,
    tokens: Option<RetryTokens>,
}

impl SharedRetryBudget {
    pub(crate) fn new(budget: Option<RetryBudget>) -> Self {
        Self {
            is_shared: false,
            tokens: budget.map(RetryTokens::new),
        }
    }

    pub(crate) fn tokens(&self) -> Option<&RetryTokens> {
        self.tokens.as_ref()
    }

    pub(crate) fn tokens_mut(&mut self) -> Option<&mut RetryTokens> {
        self.tokens.as_mut()
    }

    /// Sets the budget and keeps its fill level: see `RetryTokens::set_config`. No effect on a
    /// shared budget, which is configured outside the engine.
    pub(crate) fn set_budget(&mut self, budget: Option<RetryBudget>) {
        match (&mut self.tokens, budget) {
            _ if self.is_shared => {}
            (Some(tokens), Some(budget)) => tokens.set_config(budget),
            (tokens, budget) => *tokens = budget.map(RetryTokens::new),
        }
    }

    /// Marks the budget as shared by several engines.
    pub(crate) fn share(&mut self) {
        self.is_shared = true;
        self.tokens = None;
    }

    pub(crate) fn lend(&mut self, tokens: RetryTokens) {
        if self.is_shared {
            self.tokens = Some(tokens);
        }
    }

    /// Gives the lent tokens back.
    pub(crate) fn take_lent(&mut self) -> Option<RetryTokens> {
        self.tokens.take_if(|_| self.is_shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_tokens_are_here_only_while_they_are_lent() {
        let tokens = RetryTokens::new(RetryBudget::CAPACITY);
        let mut budget = SharedRetryBudget::new(Some(RetryBudget::CAPACITY));
        assert_eq!(budget.take_lent(), None);
        budget.share();
        budget.set_budget(Some(RetryBudget::CAPACITY));
        assert!(budget.tokens_mut().is_none());
        budget.lend(tokens.clone());
        assert!(budget.tokens_mut().is_some());
        assert_eq!(budget.take_lent(), Some(tokens));
        assert_eq!(budget.take_lent(), None);
    }
}
