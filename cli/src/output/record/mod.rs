//! Records: what is written about each URL.

mod builder;
mod fields;
mod object;
mod source;
mod started_at;
mod table;
mod value;

pub(crate) use builder::RecordBuilder;
pub(crate) use fields::RecordId;
pub(crate) use source::RecordInput;
pub(crate) use started_at::StartedAt;
pub(in crate::output) use table::Column;
pub(crate) use table::Record;
pub(in crate::output) use value::{ColumnType, TableCell};
