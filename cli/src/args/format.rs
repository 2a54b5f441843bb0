//! The value of `--format`.

use clap::ValueEnum;

/// What is written for each URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// A table as text, with a head line
    Csv,
    /// HAR 1.2, for browsers' network panels and their kin
    Har,
    /// A JSON object on a line
    Jsonl,
    /// Nothing
    None,
    /// A table in columns; needs -o
    Parquet,
    /// A line for people
    Text,
}
