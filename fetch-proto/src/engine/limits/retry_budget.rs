//! How many retries and hedges there may be over all hosts.

use crate::guards::budget::{RetryBudget, RetryTokens};
use crate::guards::limit_fraction::LimitFraction;
use crate::model::time::Timestamp;

/// The tokens of the budget over all hosts. If several engines share it, this engine has a fraction.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct SharedRetryBudget {
    tokens: Option<RetryTokens>,
    fraction: LimitFraction,
}

impl SharedRetryBudget {
    pub(crate) fn new(budget: Option<RetryBudget>) -> Self {
        Self {
            tokens: budget.map(RetryTokens::new),
            fraction: LimitFraction::default(),
        }
    }

    pub(crate) fn tokens_mut(&mut self) -> Option<&mut RetryTokens> {
        self.tokens.as_mut()
    }

    /// Sets the budget. What was spent stays spent.
    pub(crate) fn set_budget(&mut self, budget: Option<RetryBudget>) {
        match (&mut self.tokens, budget) {
            (Some(tokens), Some(budget)) => tokens.set_config(budget),
            (tokens, budget) => {
                let new = |budget| RetryTokens::with_fraction(budget, self.fraction);
                *tokens = budget.map(new);
            }
        }
    }

    /// Sets this engine's fraction, and how full a bucket of that size is.
    pub(crate) fn set_fraction(&mut self, fraction: LimitFraction, fill: u64) {
        self.fraction = fraction;
        if let Some(tokens) = &mut self.tokens {
            tokens.set_fraction(fraction, fill);
        }
    }

    /// How full the bucket is, from 0 to [`RetryBudget::FULL`]: full if the budget has no bucket.
    pub(crate) fn fill(&self) -> u64 {
        self.tokens
            .as_ref()
            .map_or(RetryBudget::FULL, RetryTokens::fill_level)
    }

    /// When no earlier retry counts any more, if no other is made.
    pub(crate) fn idle_at(&self) -> Option<Timestamp> {
        self.tokens.as_ref().map(RetryTokens::reserve_free_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_is_set_later_has_the_engines_portion() {
        let mut budget = SharedRetryBudget::new(None);
        budget.set_fraction(LimitFraction::new(1, 2), 0);
        assert_eq!((budget.fill(), budget.idle_at()), (RetryBudget::FULL, None));
        budget.set_budget(Some(RetryBudget::CAPACITY));
        let mut whole = SharedRetryBudget::new(Some(RetryBudget::CAPACITY));
        let balance = |budget: &mut SharedRetryBudget| {
            let tokens = budget.tokens_mut().unwrap();
            tokens.available_retries(Timestamp::START)
        };
        assert_eq!(balance(&mut budget), balance(&mut whole) / 2);
    }
}
