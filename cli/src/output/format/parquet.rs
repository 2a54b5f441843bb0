//! Parquet: a table in columns, compressed with Snappy.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use serde::de::DeserializeOwned;

use super::flat::{COLUMNS, Column};
use super::{Encoder, Sink};
use crate::output::record::{Recorder, Told};

/// So many rows are a group, which is in memory until it is full…
const MAX_ROWS: usize = 16 << 10;

/// …or so many bytes of buffers, for rows that are long.
const MAX_BYTES: usize = 8 << 20;

/// A row for each record. Between the threads it goes as postcard's bytes.
pub(super) struct Parquet;

impl Encoder for Parquet {
    fn add(&self, out: &mut Vec<u8>, recorder: &Recorder, told: &Told<'_>) {
        let record = recorder.make(told);
        for (_, column) in COLUMNS {
            let taken = std::mem::take(out);
            *out = match column {
                Column::Double(get) => postcard::to_extend(&get(&record), taken),
                Column::Int(get) => postcard::to_extend(&get(&record), taken),
                Column::Long(get) => postcard::to_extend(&get(&record), taken),
                Column::Text(get) => postcard::to_extend(&get(&record), taken),
            }
            .expect("memory takes everything");
        }
    }

    fn begin(&self, out: Box<dyn Write + Send>) -> io::Result<Box<dyn Sink>> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("fetch-all version {}", env!("CARGO_PKG_VERSION")))
            .build();
        let writer = SerializedFileWriter::new(out, schema().map_err(other)?, Arc::new(properties));
        Ok(Box::new(Table {
            bytes: 0,
            columns: columns(),
            rows: 0,
            writer: writer.map_err(other)?,
        }))
    }
}

/// The file, and the rows of the group that is not full yet.
struct Table {
    bytes: usize,
    columns: Vec<Values>,
    rows: usize,
    writer: SerializedFileWriter<Box<dyn Write + Send>>,
}

/// A column's values that are there, and for each row whether there is one.
enum Values {
    Double(Vec<f64>, Vec<i16>),
    Int(Vec<i32>, Vec<i16>),
    Long(Vec<i64>, Vec<i16>),
    Text(Vec<ByteArray>, Vec<i16>),
}

impl Sink for Table {
    fn write(&mut self, buffer: &[u8]) -> io::Result<()> {
        let mut rest = buffer;
        while !rest.is_empty() {
            let before = rest.len();
            for column in &mut self.columns {
                rest = column.take(rest).map_err(other)?;
            }
            self.rows += 1;
            self.bytes += before - rest.len();
            if self.rows >= MAX_ROWS || self.bytes >= MAX_BYTES {
                self.group()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.group()?;
        }
        self.writer.finish().map(drop).map_err(io_error)?;
        self.writer.inner_mut().flush()
    }
}

impl Table {
    /// Writes the rows as a group.
    fn group(&mut self) -> io::Result<()> {
        let columns = std::mem::replace(&mut self.columns, columns());
        (self.rows, self.bytes) = (0, 0);
        let mut group = self.writer.next_row_group().map_err(io_error)?;
        for values in columns {
            let Some(column) = group.next_column().map_err(io_error)? else {
                break;
            };
            values.write(column).map_err(io_error)?;
        }
        group.close().map(drop).map_err(io_error)?;
        self.writer.flushed_row_groups();
        self.writer.inner_mut().flush()
    }
}

impl Values {
    /// Takes one value off the front of the bytes. Tells what is left.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> postcard::Result<&'a [u8]> {
        match self {
            Self::Double(values, there) => take(values, there, bytes, |value| value),
            Self::Int(values, there) => take(values, there, bytes, |value| value),
            Self::Long(values, there) => take(values, there, bytes, |value| value),
            Self::Text(values, there) => take(values, there, bytes, |text: String| {
                text.into_bytes().into()
            }),
        }
    }

    fn write(&self, column: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Self::Double(values, there) => write::<DoubleType>(column, values, there),
            Self::Int(values, there) => write::<Int32Type>(column, values, there),
            Self::Long(values, there) => write::<Int64Type>(column, values, there),
            Self::Text(values, there) => write::<ByteArrayType>(column, values, there),
        }
    }
}

fn take<'a, T: DeserializeOwned, V>(
    values: &mut Vec<V>,
    there: &mut Vec<i16>,
    bytes: &'a [u8],
    make: impl FnOnce(T) -> V,
) -> postcard::Result<&'a [u8]> {
    let (value, rest) = postcard::take_from_bytes::<Option<T>>(bytes)?;
    there.push(value.is_some().into());
    values.extend(value.map(make));
    Ok(rest)
}

fn write<T: DataType>(
    mut column: SerializedColumnWriter<'_>,
    values: &[T::T],
    there: &[i16],
) -> Result<(), ParquetError> {
    column.typed::<T>().write_batch(values, Some(there), None)?;
    column.close()
}

fn columns() -> Vec<Values> {
    let empty = |(_, column): &(_, Column)| match column {
        Column::Double(_) => Values::Double(Vec::new(), Vec::new()),
        Column::Int(_) => Values::Int(Vec::new(), Vec::new()),
        Column::Long(_) => Values::Long(Vec::new(), Vec::new()),
        Column::Text(_) => Values::Text(Vec::new(), Vec::new()),
    };
    COLUMNS.iter().map(empty).collect()
}

fn schema() -> Result<Arc<Type>, ParquetError> {
    let field = |(name, column): &(&str, Column)| {
        let (physical, logical) = match column {
            Column::Double(_) => (Physical::DOUBLE, None),
            Column::Int(_) => (Physical::INT32, None),
            Column::Long(_) => (Physical::INT64, None),
            Column::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let field = Type::primitive_type_builder(name, physical);
        let field = field
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical);
        field.build().map(Arc::new)
    };
    let fields = COLUMNS.iter().map(field).collect::<Result<_, _>>()?;
    Type::group_type_builder("record")
        .with_fields(fields)
        .build()
        .map(Arc::new)
}

/// The error of the file below, where it is one, so that a full disk is known as such.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(cause) => io::Error::other(cause),
        },
        error => io::Error::other(error),
    }
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}
