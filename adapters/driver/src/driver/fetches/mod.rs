//! The fetches of a driver: on the way to its engine, in it, and on the way to another driver.

pub(crate) mod active;
pub(crate) mod in_flight;
pub(crate) mod job;
pub(crate) mod migrating;
pub(crate) mod redirect_trail;
pub(crate) mod response;
pub(crate) mod table;
