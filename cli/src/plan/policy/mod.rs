//! The policy of each URL: options over the policy file over the defaults.

pub(crate) mod file;
pub(crate) mod overlay;
mod reload;
mod retry_conditions;
mod rules;

pub(crate) use reload::PolicyReload;
pub(super) use rules::rules;
