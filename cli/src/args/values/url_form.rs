//! Texts that may be URLs without a scheme.

use std::ffi::OsStr;
use std::path::Path;

/// Endings of files that are no top-level domains.
const FILE_ENDINGS: [&str; 24] = [
    "bz2", "css", "csv", "gif", "gz", "htm", "html", "iso", "jpeg", "jpg", "json", "jsonl",
    "ndjson", "parquet", "pdf", "png", "svg", "tar", "tsv", "txt", "webp", "xml", "xz", "zst",
];

/// Whether it may be a URL, perhaps without its scheme: it has a dot, a colon or a slash, or is
/// `localhost`.
pub(crate) fn has_form_of_url(text: &str) -> bool {
    let host = text.split(['?', '#']).next().unwrap_or_default();
    text.contains(['.', ':', '/']) || host.eq_ignore_ascii_case("localhost")
}

/// Whether it is the name of a file rather than a host.
pub(crate) fn is_file_name(text: &str) -> bool {
    let ending = Path::new(text).extension().and_then(OsStr::to_str);
    let ending = ending.map(str::to_ascii_lowercase);
    !text.contains([':', '/']) && ending.is_some_and(|ending| FILE_ENDINGS.contains(&&*ending))
}

/// Whether it is a path of this machine: it begins with `/`, `./`, `../` or `~/`.
pub(crate) fn is_local_path(text: &str) -> bool {
    let starts = ["/", "./", "../", "~/"];
    starts.iter().any(|start| text.starts_with(start)) && !text.starts_with("//")
}
