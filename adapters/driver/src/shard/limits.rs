//! What one driver of several has of the limits over all hosts.

use std::task::{Context, Poll};

use fetch_proto::{Config, Timestamp};

use super::divided::Divided;

/// Its parts. They are apart, since a rate must not wait until a retry counts no more.
pub(crate) struct Limits {
    pub(crate) budget: Divided,
    pub(crate) rates: Divided,
}

impl Limits {
    /// For so many drivers.
    pub(crate) fn new(drivers: usize) -> impl Iterator<Item = Self> {
        let both = Divided::new(drivers).into_iter().zip(Divided::new(drivers));
        both.map(|(budget, rates)| Self { budget, rates })
    }

    /// When to settle again at the latest.
    pub(crate) fn settles_at(&self) -> Option<Timestamp> {
        let both = [self.budget.settles_at(), self.rates.settles_at()];
        both.into_iter().flatten().min()
    }

    /// Waits until another driver's part of one of them changed, or is to change.
    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let both = [self.budget.poll_changed(cx), self.rates.poll_changed(cx)];
        match both.contains(&Poll::Ready(())) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// Whether there is a rate that several hosts have together.
pub(crate) fn has_rate(config: &Config) -> bool {
    let rules = config.rules_ref();
    let policies = rules.iter().map(|(_, policy)| policy);
    let mut policies = policies.chain([rules.default_policy()]);
    config.rate_limit().is_some() || policies.any(|policy| policy.rate_limit().is_some())
}
