//! Content codings and their decoders.

use std::pin::Pin;

#[cfg(feature = "brotli")]
use async_compression::futures::bufread::BrotliDecoder;
#[cfg(feature = "gzip")]
use async_compression::futures::bufread::{GzipDecoder, ZlibDecoder};
#[cfg(feature = "zstd")]
use async_compression::{futures::bufread::ZstdDecoder, zstd::DParameter};
use futures_lite::AsyncRead;
use futures_lite::io::BufReader;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// The most codings on one body; more is an attack, not a server.
const MAX_CODINGS: usize = 5;
/// zstd's largest window for the web, 8 MiB (RFC 9659).
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG: u32 = 23;

/// Bytes, decoded or not.
pub(crate) type Reader = Pin<Box<dyn AsyncRead + Send>>;

/// The codings of a response in the order in which they were put on. `None` if one of them is
/// unknown here, or if they are too many: such a body is left as it is.
pub(crate) fn codings(headers: &HeaderMap) -> Option<Vec<String>> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().ok()?.split(',').map(str::trim) {
            match name.to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                name if known(name) => codings.push(name.to_owned()),
                _ => return None,
            }
        }
    }
    (codings.len() <= MAX_CODINGS).then_some(codings)
}

fn known(name: &str) -> bool {
    let codings = [
        ("br", cfg!(feature = "brotli")),
        ("deflate", cfg!(feature = "gzip")),
        ("gzip", cfg!(feature = "gzip")),
        ("x-gzip", cfg!(feature = "gzip")),
        ("zstd", cfg!(feature = "zstd")),
    ];
    codings.contains(&(name, true))
}

/// Takes one coding off.
pub(crate) fn decoder(name: &str, coded: Reader) -> Reader {
    let coded = BufReader::new(coded);
    match name {
        #[cfg(feature = "brotli")]
        "br" => Box::pin(BrotliDecoder::new(coded)),
        #[cfg(feature = "gzip")]
        "deflate" => Box::pin(ZlibDecoder::new(coded)),
        #[cfg(feature = "gzip")]
        "gzip" | "x-gzip" => {
            let mut decoder = GzipDecoder::new(coded);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        #[cfg(feature = "zstd")]
        "zstd" => {
            let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
            let mut decoder = ZstdDecoder::with_params(coded, &window);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        _ => Box::pin(coded),
    }
}
