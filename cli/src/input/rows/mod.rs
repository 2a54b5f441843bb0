//! Lists of rows: CSV, JSONL and Parquet, with more columns than the URL.

mod body_file;
mod columns;
mod csv;
mod json;
mod members;
mod parquet;
mod row;

pub(crate) use body_file::BodyDirectory;
pub(super) use columns::ColumnChoice;
pub(super) use csv::CsvReader;
pub(super) use json::JsonRows;
pub(super) use parquet::ParquetReader;
pub(super) use row::ListRow;

/// A row as far as it could be read, why it is not valid, and its first line.
#[derive(Debug, Default)]
pub(in crate::input) struct ParsedRow {
    pub(in crate::input) error: Option<String>,
    pub(in crate::input) line: u64,
    /// The text for messages.
    pub(in crate::input) raw: Vec<u8>,
    pub(in crate::input) row: ListRow,
}

/// Why a table cannot be read further.
#[derive(Debug)]
pub(in crate::input) struct TableError(pub(in crate::input) String);
