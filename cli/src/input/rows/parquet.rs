//! Lists in Parquet, read one row group at a time.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row as Record};
use parquet::schema::types::Type;

use super::{ListRow, ParsedRow, TableError, columns};
use crate::args::UrlColumn;

/// The rows of a file.
pub(in crate::input) struct ParquetReader {
    /// The meaning of each column that is read.
    meanings: Vec<&'static str>,
    number: u64,
    rows: RowIter<'static>,
}

impl ParquetReader {
    /// Selects the columns with a meaning.
    ///
    /// # Errors
    ///
    /// If the file is not Parquet, or no column has URLs.
    pub(in crate::input) fn new(file: File, url: Option<&UrlColumn>) -> Result<Self, TableError> {
        catch_panic(|| {
            let reader = SerializedFileReader::new(file).map_err(|error| parquet_error(&error))?;
            let schema = reader.metadata().file_metadata().schema().clone();
            let names: Vec<_> = schema
                .get_fields()
                .iter()
                .map(|field| field.name())
                .collect();
            let cells: Vec<_> = names.iter().map(|name| name.as_bytes()).collect();
            let (all, _) = columns(&cells, url)?;
            let wanted = schema.get_fields().iter().zip(all);
            let wanted = wanted.filter_map(|(field, meaning)| Some((field.clone(), meaning?)));
            let (fields, meanings): (Vec<Arc<Type>>, Vec<_>) = wanted.unzip();
            let wanted = Type::group_type_builder(schema.name())
                .with_fields(fields)
                .build();
            let wanted = wanted.map_err(|error| parquet_error(&error))?;
            let rows = RowIter::from_file_into(Box::new(reader));
            Ok(Self {
                meanings,
                number: 0,
                rows: rows
                    .project(Some(wanted))
                    .map_err(|error| parquet_error(&error))?,
            })
        })
    }

    /// The next row.
    ///
    /// # Errors
    ///
    /// If the file cannot be read further.
    pub(in crate::input) fn next(&mut self) -> Result<Option<ParsedRow>, TableError> {
        self.number += 1;
        let (number, meanings, rows) = (self.number, &self.meanings, &mut self.rows);
        catch_panic(|| {
            let record = rows
                .next()
                .transpose()
                .map_err(|error| parquet_error(&error))?;
            Ok(record.map(|record| {
                let row = row(&record, meanings);
                let raw = match &row {
                    Ok(row) => row.url.clone().into_bytes(),
                    Err(_) => b"-".to_vec(),
                };
                ParsedRow {
                    line: number,
                    raw,
                    row,
                }
            }))
        })
    }
}

fn row(record: &Record, meanings: &[&'static str]) -> Result<ListRow, String> {
    let mut row = ListRow::default();
    for ((_, field), meaning) in record.get_column_iter().zip(meanings) {
        let text = match field {
            Field::Null => continue,
            Field::Str(text) => text.clone(),
            Field::Bytes(bytes) => String::from_utf8(bytes.data().to_vec())
                .map_err(|_| format!("{meaning}: not valid UTF-8"))?,
            Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => {
                return Err(format!("{meaning}: neither text nor a number"));
            }
            plain => plain.to_string(),
        };
        row.set(meaning, text.trim())?;
    }
    match row.url.is_empty() {
        true => Err("no URL in this row".into()),
        false => Ok(row),
    }
}

fn parquet_error(error: &parquet::errors::ParquetError) -> String {
    format!("it is not Parquet, or damaged: {error}")
}

/// Turns panics into errors: the Parquet reader panics on some damaged files.
fn catch_panic<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, TableError> {
    let read = catch_unwind(AssertUnwindSafe(read));
    read.unwrap_or_else(|_| Err("it is damaged".into()))
        .map_err(TableError)
}
