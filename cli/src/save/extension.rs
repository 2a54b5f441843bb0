//! File extensions by `Content-Type`.

/// The most common types of the web, with extensions from the registry of media types and Apache's
/// `mime.types`.
const EXTENSIONS: &[(&str, &str)] = &[
    ("application/atom+xml", "atom"),
    ("application/epub+zip", "epub"),
    ("application/gzip", "gz"),
    ("application/javascript", "js"),
    ("application/json", "json"),
    ("application/ld+json", "jsonld"),
    ("application/msword", "doc"),
    ("application/octet-stream", "bin"),
    ("application/ogg", "ogx"),
    ("application/pdf", "pdf"),
    ("application/rss+xml", "rss"),
    ("application/rtf", "rtf"),
    ("application/vnd.apache.parquet", "parquet"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.ms-powerpoint", "ppt"),
    ("application/wasm", "wasm"),
    ("application/x-7z-compressed", "7z"),
    ("application/x-gzip", "gz"),
    ("application/x-javascript", "js"),
    ("application/x-ndjson", "ndjson"),
    ("application/x-tar", "tar"),
    ("application/xhtml+xml", "xhtml"),
    ("application/xml", "xml"),
    ("application/zip", "zip"),
    ("application/zstd", "zst"),
    ("audio/aac", "aac"),
    ("audio/flac", "flac"),
    ("audio/mpeg", "mp3"),
    ("audio/ogg", "ogg"),
    ("audio/wav", "wav"),
    ("audio/webm", "weba"),
    ("font/otf", "otf"),
    ("font/ttf", "ttf"),
    ("font/woff", "woff"),
    ("font/woff2", "woff2"),
    ("image/avif", "avif"),
    ("image/bmp", "bmp"),
    ("image/gif", "gif"),
    ("image/jpeg", "jpg"),
    ("image/jpg", "jpg"),
    ("image/jxl", "jxl"),
    ("image/png", "png"),
    ("image/svg+xml", "svg"),
    ("image/tiff", "tif"),
    ("image/vnd.microsoft.icon", "ico"),
    ("image/webp", "webp"),
    ("image/x-icon", "ico"),
    ("text/calendar", "ics"),
    ("text/css", "css"),
    ("text/csv", "csv"),
    ("text/html", "html"),
    ("text/javascript", "js"),
    ("text/markdown", "md"),
    ("text/plain", "txt"),
    ("text/xml", "xml"),
    ("video/mp4", "mp4"),
    ("video/mpeg", "mpg"),
    ("video/ogg", "ogv"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
    ("video/x-matroska", "mkv"),
    ("video/x-msvideo", "avi"),
];

/// The extension for a `Content-Type`, without a dot; `bin` for unknown types.
pub(super) fn extension(content_type: &str) -> &'static str {
    let media_type = content_type.split(';').next().unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    match EXTENSIONS.binary_search_by(|(known, _)| (*known).cmp(&media_type)) {
        Ok(index) => EXTENSIONS[index].1,
        // Structured syntax suffixes (RFC 6838).
        Err(_) if media_type.ends_with("+json") => "json",
        Err(_) if media_type.ends_with("+xml") => "xml",
        Err(_) if media_type.starts_with("text/") => "txt",
        Err(_) => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(EXTENSIONS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn parameters_and_case_do_not_matter() {
        for (content_type, expected) in [
            ("text/html; charset=utf-8", "html"),
            ("Image/JPEG", "jpg"),
            ("application/problem+json", "json"),
            ("text/x-rust", "txt"),
            ("nonsense", "bin"),
            ("", "bin"),
        ] {
            assert_eq!(extension(content_type), expected);
        }
    }
}
