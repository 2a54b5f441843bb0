//! The limits of an engine and of its hosts, with the state that each limit needs.

pub(crate) mod concurrency;
pub(crate) mod host_guards;
pub(crate) mod rates;
pub(crate) mod retry_budget;
pub(crate) mod rule_rates;
pub(crate) mod spacing;
pub(crate) mod start_rate;
