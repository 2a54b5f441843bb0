//! Content codings (RFC 9110, section 8.4): names and decoders.

use std::pin::Pin;

#[cfg(feature = "brotli")]
use async_compression::futures::bufread::BrotliDecoder;
#[cfg(feature = "gzip")]
use async_compression::futures::bufread::GzipDecoder;
#[cfg(feature = "zstd")]
use async_compression::{futures::bufread::ZstdDecoder, zstd::DParameter};
use fetch_driver::{FailureKind, Quoted, TransportError};
use futures_io::{AsyncBufRead, AsyncRead};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue};

/// The most codings on one body. Servers use one; more than this is an attack.
const MAX_CODINGS: usize = 5;
/// The largest window that zstd may use on the web, 8 MiB (RFC 9659).
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG: u32 = 23;

/// A reader of decoded bytes.
pub(crate) type DecodedReader = Pin<Box<dyn AsyncRead + Send>>;

/// A content coding that this build can decode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ContentCoding {
    /// `br` (RFC 7932).
    #[cfg(feature = "brotli")]
    Brotli,
    /// `deflate`: zlib (RFC 1950), or raw deflate (RFC 1951), which many servers send.
    #[cfg(feature = "gzip")]
    Deflate,
    /// `gzip` and `x-gzip` (RFC 1952), with any number of members.
    #[cfg(feature = "gzip")]
    Gzip,
    /// `zstd` (RFC 8878), with any number of frames and windows of at most 8 MiB (RFC 9659).
    #[cfg(feature = "zstd")]
    Zstd,
}

/// The value of `Accept-Encoding` for all codings of this build; `None` if there are none.
///
/// ```
/// let accepted = fetch_transport_util::accepted_codings();
/// assert_eq!(accepted.is_some(), cfg!(any(feature = "brotli", feature = "gzip", feature = "zstd")));
/// ```
#[must_use]
pub fn accepted_codings() -> Option<HeaderValue> {
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

/// Removes the codings of a response from its header fields, together with the length of the coded
/// body, and returns them in the order in which they were applied.
///
/// If the body has no coding, or if this build cannot decode any, the fields stay and the result is
/// empty: the body is passed on unchanged.
///
/// # Errors
///
/// [`FailureKind::Decode`] if there are more than five, or if this build can decode others but not
/// one of these: a consumer would take the body for decoded.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// headers.insert("content-encoding", "identity".parse()?);
/// assert_eq!(fetch_transport_util::remove_codings(&mut headers)?, []);
/// headers.insert("content-encoding", "exotic".parse()?);
/// let can_decode = fetch_transport_util::accepted_codings().is_some();
/// assert_eq!(fetch_transport_util::remove_codings(&mut headers).is_err(), can_decode);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn remove_codings(headers: &mut HeaderMap) -> Result<Vec<ContentCoding>, TransportError> {
    let codings = parse_codings(headers)?;
    if !codings.is_empty() {
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
    }
    Ok(codings)
}

/// A copy of the fields that [`remove_codings`] removes. `None` without `Content-Encoding`.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// assert!(fetch_transport_util::coded_headers(&headers).is_none());
/// headers.insert("content-encoding", "gzip".parse()?);
/// headers.insert("server", "nginx".parse()?);
/// assert_eq!(fetch_transport_util::coded_headers(&headers).unwrap().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn coded_headers(headers: &HeaderMap) -> Option<Box<HeaderMap>> {
    headers.get(CONTENT_ENCODING)?;
    let mut coded = HeaderMap::new();
    for name in [CONTENT_ENCODING, CONTENT_LENGTH] {
        for value in headers.get_all(&name) {
            coded.append(&name, value.clone());
        }
    }
    Some(Box::new(coded))
}

fn parse_codings(headers: &HeaderMap) -> Result<Vec<ContentCoding>, TransportError> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().unwrap_or("?").split(',').map(str::trim) {
            match parse_coding(name) {
                ParsedCoding::Known(coding) => codings.push(coding),
                ParsedCoding::Identity => {}
                ParsedCoding::Unknown if accepted_codings().is_none() => return Ok(Vec::new()),
                ParsedCoding::Unknown => return Err(unknown_coding(name)),
            }
        }
    }
    if codings.len() > MAX_CODINGS {
        let text = format!("the body has more than {MAX_CODINGS} content codings");
        return Err(TransportError::new(FailureKind::Decode, text));
    }
    Ok(codings)
}

fn unknown_coding(name: &str) -> TransportError {
    let name = Quoted(name);
    let text = format!("the body has the unknown content coding {name}");
    TransportError::new(FailureKind::Decode, text)
}

enum ParsedCoding {
    Identity,
    #[cfg_attr(
        not(any(feature = "brotli", feature = "gzip", feature = "zstd")),
        expect(dead_code, reason = "no coding is known then")
    )]
    Known(ContentCoding),
    Unknown,
}

fn parse_coding(name: &str) -> ParsedCoding {
    match name.to_ascii_lowercase().as_str() {
        // As in curl, `none` is the same.
        "" | "identity" | "none" => ParsedCoding::Identity,
        #[cfg(feature = "brotli")]
        "br" => ParsedCoding::Known(ContentCoding::Brotli),
        #[cfg(feature = "gzip")]
        "deflate" => ParsedCoding::Known(ContentCoding::Deflate),
        #[cfg(feature = "gzip")]
        "gzip" | "x-gzip" => ParsedCoding::Known(ContentCoding::Gzip),
        #[cfg(feature = "zstd")]
        "zstd" => ParsedCoding::Known(ContentCoding::Zstd),
        _ => ParsedCoding::Unknown,
    }
}

impl ContentCoding {
    /// The coding with this name in lower case; `None` if this build cannot decode it.
    ///
    /// ```
    /// use fetch_transport_util::ContentCoding;
    /// assert_eq!(ContentCoding::named("lzw"), None);
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match parse_coding(name) {
            ParsedCoding::Known(coding) => Some(coding),
            ParsedCoding::Identity | ParsedCoding::Unknown => None,
        }
    }

    /// How many coded bytes may come before the first decoded one. A block of zstd may have 128 KiB,
    /// and a skippable frame may precede it; the others need a few hundred bytes.
    pub(crate) fn margin(self) -> u64 {
        match self {
            #[cfg(feature = "zstd")]
            Self::Zstd => 256 * 1024,
            #[cfg(any(feature = "brotli", feature = "gzip"))]
            _ => 8 * 1024,
        }
    }

    /// A reader that decodes `coded`.
    #[cfg_attr(
        not(any(feature = "brotli", feature = "gzip", feature = "zstd")),
        expect(unused_variables, reason = "there is nothing to decode then")
    )]
    pub(crate) fn decode(self, coded: impl AsyncBufRead + Send + Unpin + 'static) -> DecodedReader {
        match self {
            #[cfg(feature = "brotli")]
            Self::Brotli => Box::pin(BrotliDecoder::new(coded)),
            #[cfg(feature = "gzip")]
            Self::Deflate => Box::pin(crate::deflate::DeflateReader::Undetected(Some(coded))),
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

    fn parse(values: &[&'static str]) -> Result<Vec<ContentCoding>, FailureKind> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
        }
        parse_codings(&headers).map_err(|error| error.kind())
    }

    #[test]
    fn identity_is_no_coding() {
        for values in [&[][..], &["identity"], &["None"], &["", "identity"]] {
            assert_eq!(parse(values), Ok(Vec::new()), "{values:?}");
        }
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn an_unknown_coding_is_an_error() {
        for values in [&["lzw"][..], &["gzip, lzw"], &["identity", "x"]] {
            assert_eq!(parse(values), Err(FailureKind::Decode), "{values:?}");
        }
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn codings_are_returned_in_the_order_of_application_and_in_any_case() {
        let both = Ok(vec![ContentCoding::Gzip, ContentCoding::Deflate]);
        assert_eq!(parse(&["GZIP", "deflate"]), both);
        assert_eq!(parse(&["x-gzip , Deflate"]), both);
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn more_than_five_codings_are_rejected() {
        assert_eq!(parse(&["gzip", "gzip,gzip,gzip,gzip"]).unwrap().len(), 5);
        assert_eq!(
            parse(&["gzip", "gzip,gzip,gzip,gzip,gzip"]),
            Err(FailureKind::Decode)
        );
    }
}
