//! CSV (RFC 4180) with a header line. A null is an empty cell.

use csv::WriterBuilder;

use super::RecordEncoder;
use crate::output::record::{Record, RecordBuilder, RecordInput, TableCell};

/// What a formula may begin with, in any spreadsheet.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// One line for each record.
pub(super) struct CsvEncoder {
    /// Whether cells that a spreadsheet would compute begin with an apostrophe.
    pub(super) is_safe: bool,
}

impl RecordEncoder for CsvEncoder {
    fn encode(&self, out: &mut Vec<u8>, builder: &RecordBuilder, input: &RecordInput<'_>) {
        let record = builder.build(input);
        let row = Record::columns().map(|column| {
            let cell = (column.cell)(&record);
            let is_text = matches!(cell, TableCell::Text(_));
            let text = cell.to_string();
            match self.is_safe && is_text && text.starts_with(FORMULA_STARTS) {
                true => format!("'{text}"),
                false => text,
            }
        });
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
