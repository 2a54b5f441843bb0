//! Parquet: a table stored by columns, compressed with Snappy.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;
use serde::de::DeserializeOwned;

use super::{RecordEncoder, RecordSink};
use crate::output::record::{Column, ColumnType, Record, RecordBuilder, RecordInput, TableCell};

/// The most rows of a group, which is in memory until it is full.
const MAX_ROWS: usize = 16 << 10;

/// The most bytes of encoded rows of a group, which limits groups of long rows.
const MAX_BYTES: usize = 8 << 20;

/// One row for each record. Buffers have rows in postcard's encoding.
pub(super) struct ParquetEncoder;

impl RecordEncoder for ParquetEncoder {
    fn encode(&self, out: &mut Vec<u8>, builder: &RecordBuilder, input: &RecordInput<'_>) {
        let record = builder.build(input);
        for column in Record::columns() {
            let row = std::mem::take(out);
            *out = match (column.cell)(&record) {
                TableCell::Double(value) => postcard::to_extend(&Some(value), row),
                TableCell::Int(value) => postcard::to_extend(&Some(value), row),
                TableCell::Long(value) => postcard::to_extend(&Some(value), row),
                TableCell::Null => postcard::to_extend(&None::<()>, row),
                TableCell::Text(text) => postcard::to_extend(&Some(text), row),
                TableCell::Timestamp(at) => postcard::to_extend(&Some(at.micros()), row),
            }
            .expect("a vector takes every write");
        }
    }

    fn open_sink(&self, out: Box<dyn Write + Send>) -> io::Result<Box<dyn RecordSink>> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("fetch-all version {}", env!("CARGO_PKG_VERSION")))
            .build();
        let writer = SerializedFileWriter::new(
            out,
            schema().map_err(io::Error::other)?,
            Arc::new(properties),
        );
        Ok(Box::new(ParquetSink {
            bytes: 0,
            columns: empty_columns(),
            rows: 0,
            writer: writer.map_err(io::Error::other)?,
        }))
    }
}

/// The file, and the rows of the current group.
struct ParquetSink {
    bytes: usize,
    columns: Vec<ColumnValues>,
    rows: usize,
    writer: SerializedFileWriter<Box<dyn Write + Send>>,
}

/// The values of a column that are not null, and the definition level of each row: 1 if it has a
/// value, otherwise 0.
enum ColumnValues {
    Double(Vec<f64>, Vec<i16>),
    Int(Vec<i32>, Vec<i16>),
    Long(Vec<i64>, Vec<i16>),
    Text(Vec<ByteArray>, Vec<i16>),
}

impl RecordSink for ParquetSink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<()> {
        let mut rest = buffer;
        while !rest.is_empty() {
            let before = rest.len();
            for column in &mut self.columns {
                rest = column.read_value(rest).map_err(io::Error::other)?;
            }
            self.rows += 1;
            self.bytes += before - rest.len();
            if self.rows >= MAX_ROWS || self.bytes >= MAX_BYTES {
                self.write_group()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.writer.finish().map(drop).map_err(io_error)?;
        self.writer.inner_mut().flush()
    }
}

impl ParquetSink {
    fn write_group(&mut self) -> io::Result<()> {
        let columns = std::mem::replace(&mut self.columns, empty_columns());
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

impl ColumnValues {
    /// Reads one value from the front of the bytes and returns the rest.
    fn read_value<'a>(&mut self, bytes: &'a [u8]) -> postcard::Result<&'a [u8]> {
        match self {
            Self::Double(values, levels) => read_value(values, levels, bytes, |value| value),
            Self::Int(values, levels) => read_value(values, levels, bytes, |value| value),
            Self::Long(values, levels) => read_value(values, levels, bytes, |value| value),
            Self::Text(values, levels) => read_value(values, levels, bytes, |text: String| {
                text.into_bytes().into()
            }),
        }
    }

    fn write(&self, column: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Self::Double(values, levels) => write::<DoubleType>(column, values, levels),
            Self::Int(values, levels) => write::<Int32Type>(column, values, levels),
            Self::Long(values, levels) => write::<Int64Type>(column, values, levels),
            Self::Text(values, levels) => write::<ByteArrayType>(column, values, levels),
        }
    }
}

fn read_value<'a, T: DeserializeOwned, V>(
    values: &mut Vec<V>,
    levels: &mut Vec<i16>,
    bytes: &'a [u8],
    make: impl FnOnce(T) -> V,
) -> postcard::Result<&'a [u8]> {
    let (value, rest) = postcard::take_from_bytes::<Option<T>>(bytes)?;
    levels.push(value.is_some().into());
    values.extend(value.map(make));
    Ok(rest)
}

fn write<T: DataType>(
    mut column: SerializedColumnWriter<'_>,
    values: &[T::T],
    levels: &[i16],
) -> Result<(), ParquetError> {
    column
        .typed::<T>()
        .write_batch(values, Some(levels), None)?;
    column.close()
}

fn empty_columns() -> Vec<ColumnValues> {
    let kinds = Record::columns().filter_map(|column| column.kind);
    let empty = |kind| match kind {
        ColumnType::Double => ColumnValues::Double(Vec::new(), Vec::new()),
        ColumnType::Int => ColumnValues::Int(Vec::new(), Vec::new()),
        ColumnType::Long | ColumnType::Timestamp => ColumnValues::Long(Vec::new(), Vec::new()),
        ColumnType::Json | ColumnType::Text => ColumnValues::Text(Vec::new(), Vec::new()),
    };
    kinds.map(empty).collect()
}

fn schema() -> Result<Arc<Type>, ParquetError> {
    let field = |column: &Column| {
        let (physical, logical) = match column.kind? {
            ColumnType::Double => (Physical::DOUBLE, None),
            ColumnType::Int => (Physical::INT32, None),
            ColumnType::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
            ColumnType::Long => (Physical::INT64, None),
            ColumnType::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            ColumnType::Timestamp => (
                Physical::INT64,
                Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
            ),
        };
        let field = Type::primitive_type_builder(column.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical);
        Some(field.build().map(Arc::new))
    };
    let fields = Record::columns()
        .filter_map(field)
        .collect::<Result<_, _>>()?;
    Type::group_type_builder("record")
        .with_fields(fields)
        .build()
        .map(Arc::new)
}

/// The I/O error, if that is the cause, so that a full disk is reported as such.
fn io_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(cause) => io::Error::other(cause),
        },
        error => io::Error::other(error),
    }
}
