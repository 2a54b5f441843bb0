//! The machinery of the suite: adapters under test, behaviours, checks and the results table.

pub(crate) mod adapter;
pub(crate) mod behaviour;
pub(crate) mod context;
pub(crate) mod decision_log;
pub(crate) mod results_table;
