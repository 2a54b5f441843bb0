//! CSV (RFC 4180) with a header line. A null is an empty cell.

use csv::WriterBuilder;

use super::RecordEncoder;
use crate::output::record::{Record, RecordBuilder, RecordInput};

/// One line for each record.
pub(super) struct CsvEncoder;

impl RecordEncoder for CsvEncoder {
    fn encode(&self, out: &mut Vec<u8>, builder: &RecordBuilder, input: &RecordInput<'_>) {
        let record = builder.build(input);
        let row = Record::columns().map(|column| (column.cell)(&record).to_string());
        let mut writer = WriterBuilder::new().from_writer(out);
        writer
            .write_record(row)
            .expect("a vector takes every write");
        writer.flush().expect("a vector takes every write");
    }

    fn header(&self) -> Vec<u8> {
        let names: Vec<_> = Record::columns().map(|column| column.name).collect();
        format!("{}\n", names.join(",")).into_bytes()
    }
}
