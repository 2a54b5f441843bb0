//! Protection of hosts and of this machine from overload. Each guard is a state machine that can be
//! used alone.

pub(crate) mod balance;
pub(crate) mod breaker;
pub(crate) mod budget;
pub(crate) mod health;
pub(crate) mod hedge;
pub(crate) mod latency;
pub(crate) mod limiter;
pub(crate) mod outage;
pub(crate) mod pacing;
pub(crate) mod rate;
mod rolling_window;
pub(crate) mod shedding;
pub(crate) mod stall;
pub(crate) mod throttle;
