//! Lists in Parquet, read one row group at a time.

use crate::display::Quoted;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::Timestamp;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row as Record};
use parquet::schema::types::Type;

use super::columns::{CarriedColumns, ColumnChoice, TableColumn, TableColumns};
use super::{ListRow, ParsedRow, TableError};
use crate::args::UrlColumn;

/// The rows of a file.
pub(in crate::input) struct ParquetReader {
    /// The columns that are read, and their types.
    columns: Vec<(TableColumn, Arc<Type>)>,
    pub(in crate::input) notes: Vec<String>,
    number: u64,
    rows: RowIter<'static>,
}

impl ParquetReader {
    /// Selects the columns that have a meaning or are carried.
    ///
    /// # Errors
    ///
    /// If the file is not Parquet, or no column has URLs.
    pub(in crate::input) fn new(
        file: File,
        url: Option<&UrlColumn>,
        choice: &ColumnChoice,
    ) -> Result<Self, TableError> {
        catch_panic(|| {
            let reader = SerializedFileReader::new(file).map_err(|error| parquet_error(&error))?;
            let schema = reader.metadata().file_metadata().schema().clone();
            let names: Vec<_> = schema
                .get_fields()
                .iter()
                .map(|field| field.name())
                .collect();
            let cells: Vec<_> = names.iter().map(|name| name.as_bytes()).collect();
            let table = TableColumns::new(&cells, url, choice)?;
            let mut notes = table.notes;
            let mut columns = Vec::new();
            for (field, column) in schema.get_fields().iter().zip(table.all) {
                match column.meaning.is_some() || column.carried.is_some() {
                    true if has_interval(field) => notes.push(format!(
                        "the column {} holds intervals, which cannot be read: it is left out",
                        Quoted(field.name())
                    )),
                    true => columns.push((column, field.clone())),
                    false => {}
                }
            }
            let fields = columns.iter().map(|(_, field)| field.clone());
            let wanted = Type::group_type_builder(schema.name())
                .with_fields(fields.collect())
                .build();
            let wanted = wanted.map_err(|error| parquet_error(&error))?;
            let rows = RowIter::from_file_into(Box::new(reader));
            Ok(Self {
                columns,
                notes,
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
        let (number, columns, rows) = (self.number, &self.columns, &mut self.rows);
        catch_panic(|| {
            let record = rows
                .next()
                .transpose()
                .map_err(|error| parquet_error(&error))?;
            Ok(record.map(|record| {
                let mut row = ListRow::default();
                let error = read_row(&mut row, &record, columns).err();
                let raw = match error.is_some() {
                    true => record.to_string(),
                    false => row.url.clone(),
                };
                ParsedRow {
                    error,
                    line: number,
                    raw: raw.into_bytes(),
                    row,
                }
            }))
        })
    }
}

/// Whether the parser cannot read values of this type.
fn has_interval(field: &Type) -> bool {
    match field {
        Type::GroupType { fields, .. } => fields.iter().any(|field| has_interval(field)),
        field => field.get_basic_info().converted_type() == ConvertedType::INTERVAL,
    }
}

fn read_row(
    row: &mut ListRow,
    record: &Record,
    columns: &[(TableColumn, Arc<Type>)],
) -> Result<(), String> {
    let mut carried = CarriedColumns::default();
    let mut result = Ok(());
    for ((_, field), (column, kind)) in record.get_column_iter().zip(columns) {
        if let Some(name) = &column.carried {
            let time = timestamp(field, kind).map(|text| format!("\"{text}\""));
            let value = time.unwrap_or_else(|| field.to_json_value().to_string());
            carried.add(name, &value);
        }
        if let Some(name) = column.meaning {
            let set = set_field(row, name, field);
            result = result.and(set);
        }
    }
    row.carried = carried.finish();
    result?;
    match row.url.is_empty() {
        true => Err("no URL in this row".into()),
        false => Ok(()),
    }
}

/// A timestamp in the form of RFC 3339; without an offset if it is a local time.
fn timestamp(field: &Field, kind: &Type) -> Option<String> {
    let Some(LogicalType::Timestamp(kind)) = kind.get_basic_info().logical_type_ref() else {
        return None;
    };
    let at = match (field, kind.unit) {
        (Field::TimestampMillis(at), _) => Timestamp::from_millisecond(*at),
        (Field::TimestampMicros(at), _) => Timestamp::from_microsecond(*at),
        (Field::Long(at), TimeUnit::NANOS) => Timestamp::from_nanosecond((*at).into()),
        _ => return None,
    };
    let text = at.ok()?.to_string();
    Some(match kind.is_adjusted_to_u_t_c {
        true => text,
        false => text.trim_end_matches('Z').to_owned(),
    })
}

fn set_field(row: &mut ListRow, name: &str, field: &Field) -> Result<(), String> {
    let text = match field {
        Field::Null => return Ok(()),
        Field::Str(text) => text.clone(),
        Field::Bytes(bytes) if name == "body" => {
            return row.set_body(bytes.data().to_vec().into());
        }
        Field::Bytes(bytes) => String::from_utf8(bytes.data().to_vec())
            .map_err(|_| format!("{name}: not valid UTF-8"))?,
        Field::Group(_) | Field::MapInternal(_) if name == "headers" => {
            let mut fields = field.to_json_value();
            if let Some(fields) = fields.as_object_mut() {
                // A field of a struct that a row does not have.
                fields.retain(|_, value| !value.is_null());
            }
            return row.set_headers(&fields);
        }
        Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => {
            return Err(format!("{name}: neither text nor a number"));
        }
        plain => plain.to_string(),
    };
    row.set(name, text.trim())
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

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
    use parquet::data_type::{ByteArrayType, DoubleType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// Writes this many row groups of two rows with a URL, a method and a number.
    fn list(compression: Compression, groups: usize) -> File {
        let schema = "message list { required binary url (UTF8); optional binary method; required double x; }";
        let schema = parse_message_type(schema).unwrap();
        let file = tempfile::tempfile().unwrap();
        let properties = WriterProperties::builder().set_compression(compression);
        let properties = Arc::new(properties.build());
        let output = file.try_clone().unwrap();
        let mut writer = SerializedFileWriter::new(output, Arc::new(schema), properties).unwrap();
        for _ in 0..groups {
            let mut group = writer.next_row_group().unwrap();
            let mut urls = group.next_column().unwrap().unwrap();
            let values = [
                b"http://a.test/".to_vec().into(),
                b"http://b.test/".to_vec().into(),
            ];
            urls.typed::<ByteArrayType>()
                .write_batch(&values, None, None)
                .unwrap();
            urls.close().unwrap();
            let mut methods = group.next_column().unwrap().unwrap();
            let values = [b"PUT".to_vec().into()];
            methods
                .typed::<ByteArrayType>()
                .write_batch(&values, Some(&[1, 0]), None)
                .unwrap();
            methods.close().unwrap();
            let mut numbers = group.next_column().unwrap().unwrap();
            numbers
                .typed::<DoubleType>()
                .write_batch(&[0.5, 1.0], None, None)
                .unwrap();
            numbers.close().unwrap();
            group.close().unwrap();
        }
        writer.close().unwrap();
        file
    }

    #[test]
    fn every_usual_codec_is_read() {
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(GzipLevel::default()),
            Compression::BROTLI(BrotliLevel::default()),
            Compression::ZSTD(ZstdLevel::default()),
            Compression::LZ4,
            Compression::LZ4_RAW,
        ] {
            let file = list(compression, 1);
            let mut rows = ParquetReader::new(file, None, &ColumnChoice::Others).unwrap();
            let row = rows.next().unwrap().unwrap().row;
            assert_eq!(row.url, "http://a.test/", "{compression:?}");
            assert_eq!(row.method, Some(fetch_proto::Method::Put));
            assert_eq!(row.carried.unwrap().get(), r#"{"x":0.5}"#);
            assert!(rows.next().unwrap().unwrap().row.method.is_none());
            assert!(rows.next().unwrap().is_none());
        }
    }

    #[test]
    fn a_list_that_breaks_after_its_first_rows_is_reported() {
        let mut file = list(Compression::UNCOMPRESSED, 2);
        let bytes = SerializedFileReader::new(file.try_clone().unwrap()).unwrap();
        let second = bytes.metadata().row_group(1).column(0);
        let (start, length) = second.byte_range();
        file.seek(SeekFrom::Start(start)).unwrap();
        file.write_all(&vec![0xff; length as usize]).unwrap();
        let mut rows = ParquetReader::new(file, None, &ColumnChoice::Others).unwrap();
        for _ in 0..2 {
            assert!(rows.next().unwrap().unwrap().error.is_none());
        }
        assert!(rows.next().is_err(), "the third row is not there");
    }
}
