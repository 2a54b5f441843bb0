//! The measurements.

pub(crate) mod allocations;
pub(crate) mod comparison;
pub(crate) mod core_scaling;
pub(crate) mod floods;
pub(crate) mod list_scaling;
pub(crate) mod system_calls;
