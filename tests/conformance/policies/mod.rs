//! Decisions of the core, as the server sees them.

pub(crate) mod request_limits;
pub(crate) mod resilience;
pub(crate) mod retries;
pub(crate) mod time_limits;
