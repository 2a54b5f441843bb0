//! CSV (RFC 4180) with a head line; what is null is empty.

use csv::WriterBuilder;

use super::Encoder;
use super::flat::{COLUMNS, Column};
use crate::output::record::{Record, Recorder, Told};

/// A line for each record.
pub(super) struct Csv;

impl Encoder for Csv {
    fn add(&self, out: &mut Vec<u8>, recorder: &Recorder, told: &Told<'_>) {
        let record = recorder.make(told);
        let row = COLUMNS.iter().map(|(_, column)| cell(column, &record));
        let mut writer = WriterBuilder::new().from_writer(out);
        writer.write_record(row).expect("memory takes everything");
        writer.flush().expect("memory takes everything");
    }

    fn head(&self) -> Vec<u8> {
        let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
        format!("{}\n", names.join(",")).into_bytes()
    }
}

fn cell(column: &Column, record: &Record<'_>) -> String {
    match column {
        Column::Double(get) => get(record).map(|value| value.to_string()),
        Column::Int(get) => get(record).map(|value| value.to_string()),
        Column::Long(get) => get(record).map(|value| value.to_string()),
        Column::Text(get) => get(record),
    }
    .unwrap_or_default()
}
