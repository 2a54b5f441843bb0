//! Which content codings there are, and their decoders.

use std::pin::Pin;

#[cfg(feature = "brotli")]
use async_compression::futures::bufread::BrotliDecoder;
#[cfg(feature = "gzip")]
use async_compression::futures::bufread::GzipDecoder;
#[cfg(feature = "zstd")]
use async_compression::{futures::bufread::ZstdDecoder, zstd::DParameter};
use fetch_driver::{FailureKind, TransportError};
use futures_io::{AsyncBufRead, AsyncRead};
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

/// The most codings on one body; more is an attack, not a server.
const MAX_CODINGS: usize = 5;
/// zstd's largest window for the web, 8 MiB (RFC 9659).
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG: u32 = 23;

/// Decoded bytes.
pub(crate) type Reader = Pin<Box<dyn AsyncRead + Send>>;

/// A content coding that this build can take off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Coding {
    /// `br` (RFC 7932).
    #[cfg(feature = "brotli")]
    Brotli,
    /// `deflate`: zlib (RFC 1950), or bare deflate (RFC 1951), as many a server sends it.
    #[cfg(feature = "gzip")]
    Deflate,
    /// `gzip` and `x-gzip` (RFC 1952), with any number of members.
    #[cfg(feature = "gzip")]
    Gzip,
    /// `zstd` (RFC 8878), with any number of frames and windows of at most 8 MiB (RFC 9659).
    #[cfg(feature = "zstd")]
    Zstd,
}

/// The `Accept-Encoding` of all that this build can decode; `None` if that is nothing.
///
/// ```
/// let accepted = fetch_coding::accepted();
/// assert_eq!(accepted.is_some(), cfg!(any(feature = "brotli", feature = "gzip", feature = "zstd")));
/// ```
#[must_use]
pub fn accepted() -> Option<HeaderValue> {
    let names = [
        (cfg!(feature = "gzip"), "gzip, deflate"),
        (cfg!(feature = "brotli"), "br"),
        (cfg!(feature = "zstd"), "zstd"),
    ];
    let names = names.iter().filter(|(on, _)| *on).map(|(_, name)| *name);
    HeaderValue::from_str(&names.collect::<Vec<_>>().join(", "))
        .ok()
        .filter(|value| !value.is_empty())
}

/// The codings of a response that are to be taken off, in the order in which they were put on.
///
/// Empty if there is none, or one that this build does not know: such a body is left as it is.
///
/// # Errors
///
/// If they are more than five.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// headers.insert("content-encoding", "exotic".parse()?);
/// assert_eq!(fetch_coding::codings(&headers)?, []);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, TransportError> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().unwrap_or("?").split(',').map(str::trim) {
            match coding(name) {
                Some(Some(coding)) => codings.push(coding),
                Some(None) => {}
                None => return Ok(Vec::new()),
            }
        }
    }
    if codings.len() > MAX_CODINGS {
        let text = format!("the body has more than {MAX_CODINGS} content codings");
        return Err(TransportError::new(FailureKind::Decode, text));
    }
    Ok(codings)
}

fn coding(name: &str) -> Option<Option<Coding>> {
    match name.to_ascii_lowercase().as_str() {
        "" | "identity" => Some(None),
        #[cfg(feature = "brotli")]
        "br" => Some(Some(Coding::Brotli)),
        #[cfg(feature = "gzip")]
        "deflate" => Some(Some(Coding::Deflate)),
        #[cfg(feature = "gzip")]
        "gzip" | "x-gzip" => Some(Some(Coding::Gzip)),
        #[cfg(feature = "zstd")]
        "zstd" => Some(Some(Coding::Zstd)),
        _ => None,
    }
}

impl Coding {
    /// Takes this coding off `coded`.
    #[cfg_attr(
        not(any(feature = "brotli", feature = "gzip", feature = "zstd")),
        expect(unused_variables, reason = "there is nothing to decode then")
    )]
    pub(crate) fn decoder(self, coded: impl AsyncBufRead + Send + Unpin + 'static) -> Reader {
        match self {
            #[cfg(feature = "brotli")]
            Self::Brotli => Box::pin(BrotliDecoder::new(coded)),
            #[cfg(feature = "gzip")]
            Self::Deflate => Box::pin(crate::inflate::Inflate::Unseen(Some(coded))),
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let mut decoder = GzipDecoder::new(coded);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => {
                let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
                let mut decoder = ZstdDecoder::with_params(coded, &window);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Result<Vec<Coding>, FailureKind> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
        }
        codings(&headers).map_err(|error| error.kind())
    }

    #[test]
    fn what_is_not_known_is_left_alone() {
        for values in [&[][..], &["identity"], &["gzip, lzw"], &["", "identity"]] {
            assert_eq!(of(values), Ok(Vec::new()), "{values:?}");
        }
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn codings_come_in_the_order_in_which_they_were_put_on_whatever_the_case() {
        let both = Ok(vec![Coding::Gzip, Coding::Deflate]);
        assert_eq!(of(&["GZIP", "deflate"]), both);
        assert_eq!(of(&["x-gzip , Deflate"]), both);
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn more_than_five_are_an_attack() {
        assert_eq!(of(&["gzip", "gzip,gzip,gzip,gzip"]).unwrap().len(), 5);
        assert_eq!(
            of(&["gzip", "gzip,gzip,gzip,gzip,gzip"]),
            Err(FailureKind::Decode)
        );
    }
}
