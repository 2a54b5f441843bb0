//! Parsers of outside bytes, as plain functions for fuzz targets. No public API.

use std::fs::File;

use http::HeaderMap;
use http::header::CONTENT_DISPOSITION;
use url::Url;

use crate::{config, input, output, robots, save};

pub use input::parsing::{Row, RowFormat};

/// The number of URLs of an argument, and the first `limit` of them as lines.
///
/// # Errors
///
/// If its braces or brackets are not valid.
pub fn expand_glob(text: &str, limit: usize) -> Result<(u64, Vec<Vec<u8>>), String> {
    input::parsing::expand_glob(text, limit)
}

/// The rows of a list that arrives in pieces of at most `piece` bytes, and why it cannot be read further.
pub fn read_rows(format: RowFormat, list: &[u8], piece: usize) -> (Vec<Row>, Option<String>) {
    input::parsing::read_rows(format, list, piece.max(1))
}

/// The rows of a Parquet file, and why it cannot be read further.
pub fn read_parquet(file: File) -> (Vec<Row>, Option<String>) {
    input::parsing::read_parquet(file)
}

/// The URL of a line of a list, or why it has none.
///
/// # Errors
///
/// Why the line cannot be a URL.
pub fn list_line(line: &[u8]) -> Result<String, String> {
    input::parsing::list_line(line)
}

/// A `-w` format as text in which every part but text is written as `\0{part}\0`, and the names of unknown
/// variables.
pub fn write_out_format(text: &str) -> (String, Vec<String>) {
    output::write_out::describe(text)
}

/// Whether a robots.txt allows the product `agent` to fetch the URL.
pub fn robots_allow(file: &[u8], agent: &str, url: &Url) -> bool {
    robots::is_allowed(file, agent, url)
}

/// The path below the directory of bodies that `--remote-header-name` gives a body with this
/// `Content-Disposition`, or with `template` that the template gives it. `None` if the template is not valid.
pub fn body_path(template: Option<&str>, disposition: &[u8], url: &Url) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_DISPOSITION, disposition.try_into().ok()?);
    save::body_path(template, &headers, url)
}

/// The options of a configuration file in curl's syntax: their lines, names and values.
pub fn curl_options(text: &str) -> Vec<(usize, String, Option<String>)> {
    config::curl_options(text)
}

/// The options of a configuration file in TOML, as words of a command line.
///
/// # Errors
///
/// If the file is not valid. The message has its position.
pub fn config_options(text: &str) -> Result<Vec<String>, String> {
    config::toml_options(text)
}

/// The entries of a file of `--hsts`; errors are those of lines.
pub fn hsts_hosts(text: &str) -> Vec<Result<String, String>> {
    crate::plan::hsts_hosts(text)
}
