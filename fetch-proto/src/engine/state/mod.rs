//! The parts of an engine that hold its state. Each can be used and tested without the others.

pub(crate) mod clock;
pub(crate) mod fetch_slab;
pub(crate) mod host_table;
pub(crate) mod output_queue;
pub(crate) mod random;
pub(crate) mod single_flight;
pub(crate) mod target_endpoints;
pub(crate) mod timers;
pub(crate) mod token_grants;
pub(crate) mod turn_queue;
