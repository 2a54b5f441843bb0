//! Lists of URLs.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use fetch_all_cli::parsers::{self, RowFormat};
use serde_json::Value;

fn piece(choice: u8) -> usize {
    [1, 2, 3, 7, 31, 100, 4096, 1 << 20][usize::from(choice & 7)]
}

/// The first byte chooses how a CSV list arrives: its rows are the same however it does, their lines rise,
/// and a URL has no surrounding space.
pub fn check_csv_rows(input: &[u8]) {
    check_rows(RowFormat::Csv, input);
}

/// The same of a JSONL list. A row's URL is the member of this name, or the text of the line.
pub fn check_json_rows(input: &[u8]) {
    let Some(list) = check_rows(RowFormat::Jsonl, input) else {
        return;
    };
    for line in list.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        let (rows, broken) = parsers::read_rows(RowFormat::Jsonl, line, 1 << 20);
        assert_eq!(broken, None);
        let line = line
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(line)
            .trim_ascii();
        assert_eq!(rows.len(), usize::from(!line.is_empty()));
        if let [(1, Ok(url))] = &rows[..] {
            let expected = match serde_json::from_slice(line) {
                Ok(Value::Object(members)) => {
                    let mut names = members
                        .iter()
                        .filter(|(name, _)| name.trim().to_lowercase() == "url");
                    names
                        .next()
                        .and_then(|(_, value)| value.as_str().map(str::to_owned))
                }
                Ok(Value::String(url)) => Some(url),
                other => panic!("{other:?} is no row"),
            };
            assert_eq!(expected.as_deref().map(str::trim), Some(url.as_str()));
        }
    }
}

fn check_rows(format: RowFormat, input: &[u8]) -> Option<&[u8]> {
    let (choice, list) = input.split_first()?;
    let whole = parsers::read_rows(format, list, 1 << 20);
    let pieces = parsers::read_rows(format, list, piece(*choice));
    assert_eq!(whole, pieces, "the rows depend on how the list arrives");
    let lines = list.split(|byte| *byte == b'\n').count() as u64;
    let mut last = 0;
    for (line, url) in &whole.0 {
        assert!(
            (last.max(1)..=lines).contains(line),
            "line {line} of {lines}"
        );
        last = *line;
        match url {
            Ok(url) => assert!(!url.is_empty() && url.trim() == url),
            Err(why) => assert!(!why.is_empty()),
        }
    }
    Some(list)
}

/// A line of a list is a URL in one line of printable text, or is refused.
pub fn check_lines(line: &[u8]) {
    match parsers::list_line(line) {
        Err(why) => assert!(!why.is_empty()),
        Ok(url) => {
            assert!(url.contains("://"));
            assert!(!url.contains(|c: char| c.is_control() || c.is_whitespace()));
            assert_eq!(parsers::list_line(url.as_bytes()), Ok(url.clone()), "{url}");
        }
    }
}

/// A file in Parquet is read, or refused without a panic. What is read is the same when it is read again.
pub fn check_parquet_rows(bytes: &[u8]) {
    let first = parsers::read_parquet(file(bytes));
    assert_eq!(first, parsers::read_parquet(file(bytes)));
    let numbers = first.0.iter().map(|(line, _)| *line);
    assert!(numbers.eq(1..=first.0.len() as u64));
}

fn file(bytes: &[u8]) -> File {
    let write = || {
        let mut file = tempfile::tempfile_in(crate::state::memory_directory())?;
        file.write_all(bytes)?;
        file.seek(SeekFrom::Start(0))?;
        std::io::Result::Ok(file)
    };
    write().expect("a temporary file")
}
