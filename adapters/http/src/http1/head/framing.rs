//! Where a body ends, and its transfer codings (RFC 9112, section 6).

use fetch_driver::Quoted;
use fetch_transport_util::ContentCoding;
use http::Version;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use super::{Fields, HeadError, parse_number, syntax};

/// The most transfer codings besides chunked. Servers use one; more than this is an attack.
const MAX_TRANSFER_CODINGS: usize = 2;

/// How the end of a body is found (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::http1) enum BodyFraming {
    Chunked,
    Length(u64),
    UntilClose,
}

/// The transfer codings besides chunked, which must be the last one.
pub(super) fn transfer_codings(fields: Fields<'_>) -> Result<Vec<ContentCoding>, HeadError> {
    let (mut codings, mut is_chunked) = (Vec::new(), false);
    for value in fields.all(TRANSFER_ENCODING) {
        for name in value.split(|byte| *byte == b',') {
            let name = String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase();
            match name.as_str() {
                "" | "identity" => {}
                "chunked" => is_chunked = true,
                _ if is_chunked => {
                    let text = format!("the transfer coding {} after chunked", Quoted(&name));
                    return Err(HeadError::Coding(text));
                }
                _ => codings.push(ContentCoding::named(&name).ok_or_else(|| {
                    HeadError::Coding(format!("the unknown transfer coding {}", Quoted(&name)))
                })?),
            }
        }
    }
    match codings.len() > MAX_TRANSFER_CODINGS {
        true => Err(HeadError::Coding("too many transfer codings".to_owned())),
        false => Ok(codings),
    }
}

/// How the body ends, and whether the head is unambiguous about it.
pub(super) fn framing(
    fields: Fields<'_>,
    version: Version,
) -> Result<(BodyFraming, bool), HeadError> {
    if let Some(coding) = fields.all(TRANSFER_ENCODING).next_back() {
        if version == Version::HTTP_10 {
            return Err(syntax("Transfer-Encoding in HTTP/1.0"));
        }
        let last = coding.rsplit(|byte| *byte == b',').next();
        let is_chunked =
            last.is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        return Ok(match is_chunked {
            // If there is a length, too, an intermediary may use it instead (request smuggling).
            true => (
                BodyFraming::Chunked,
                fields.all(CONTENT_LENGTH).next().is_none(),
            ),
            false => (BodyFraming::UntilClose, true),
        });
    }
    let mut length = None;
    for value in fields.all(CONTENT_LENGTH) {
        for part in value.split(|byte| *byte == b',') {
            let parsed = parse_number(part.trim_ascii());
            let parsed = parsed.ok_or_else(|| invalid_length(part.trim_ascii()))?;
            if length.is_some_and(|length| length != parsed) {
                return Err(syntax("two different values of Content-Length"));
            }
            length = Some(parsed);
        }
    }
    let framing = length.map_or(BodyFraming::UntilClose, BodyFraming::Length);
    Ok((framing, true))
}

/// The error of a length that is not a 64-bit number.
fn invalid_length(text: &[u8]) -> HeadError {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = format!("Content-Length: {}", text.escape_ascii());
    match is_number {
        true => HeadError::BodyTooLarge(text),
        false => HeadError::Syntax(text),
    }
}
