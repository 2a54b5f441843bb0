//! Lists in Parquet: rows as they are needed, a group of them in memory at a time.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row as Record};
use parquet::schema::types::Type;

use super::row::ListRow;
use super::table::{Read, TableError, columns};
use crate::args::UrlColumn;

/// The rows of a file.
pub(super) struct ParquetReader {
    /// What each column that is read means.
    known: Vec<&'static str>,
    number: u64,
    rows: RowIter<'static>,
}

impl ParquetReader {
    /// Finds the columns that mean something.
    ///
    /// # Errors
    ///
    /// If it is no Parquet, or no column has URLs.
    pub(super) fn new(file: File, url: Option<&UrlColumn>) -> Result<Self, TableError> {
        safely(|| {
            let reader = SerializedFileReader::new(file).map_err(|error| told(&error))?;
            let schema = reader.metadata().file_metadata().schema().clone();
            let names: Vec<_> = schema
                .get_fields()
                .iter()
                .map(|field| field.name())
                .collect();
            let cells: Vec<_> = names.iter().map(|name| name.as_bytes()).collect();
            let (meanings, _) = columns(&cells, url)?;
            let wanted = schema.get_fields().iter().zip(meanings);
            let wanted = wanted.filter_map(|(field, meaning)| Some((field.clone(), meaning?)));
            let (fields, known): (Vec<Arc<Type>>, Vec<_>) = wanted.unzip();
            let wanted = Type::group_type_builder(schema.name())
                .with_fields(fields)
                .build();
            let wanted = wanted.map_err(|error| told(&error))?;
            let rows = RowIter::from_file_into(Box::new(reader));
            Ok(Self {
                known,
                number: 0,
                rows: rows.project(Some(wanted)).map_err(|error| told(&error))?,
            })
        })
    }

    /// The next row.
    ///
    /// # Errors
    ///
    /// If the file cannot be read further.
    pub(super) fn next(&mut self) -> Result<Option<Read>, TableError> {
        self.number += 1;
        let (number, known, rows) = (self.number, &self.known, &mut self.rows);
        safely(|| {
            let record = rows.next().transpose().map_err(|error| told(&error))?;
            Ok(record.map(|record| {
                let row = row(&record, known);
                let raw = match &row {
                    Ok(row) => row.url.clone().into_bytes(),
                    Err(_) => b"-".to_vec(),
                };
                Read {
                    line: number,
                    raw,
                    row,
                }
            }))
        })
    }
}

fn row(record: &Record, known: &[&'static str]) -> Result<ListRow, String> {
    let mut row = ListRow::default();
    for ((_, field), meaning) in record.get_column_iter().zip(known) {
        let text = match field {
            Field::Null => continue,
            Field::Str(text) => text.clone(),
            Field::Bytes(bytes) => String::from_utf8(bytes.data().to_vec())
                .map_err(|_| format!("{meaning}: not valid UTF-8"))?,
            Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => {
                return Err(format!("{meaning}: neither a text nor a number"));
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

fn told(error: &parquet::errors::ParquetError) -> String {
    format!("it is no Parquet, or damaged: {error}")
}

/// The reader of this form asserts in places where a damaged file should be an error.
fn safely<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, TableError> {
    let read = catch_unwind(AssertUnwindSafe(read));
    read.unwrap_or_else(|_| Err("it is damaged".into()))
        .map_err(TableError)
}
