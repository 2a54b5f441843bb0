//! Figures, tables and charts, and the documents that contain them.

pub(crate) mod chart;
pub(crate) mod docs;
pub(crate) mod figures;
