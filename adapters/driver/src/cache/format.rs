//! The format of one file.

use bytes::Bytes;
use fetch_proto::cache::StoredHead;
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::cache::stored::StoredResponse;

/// Format and version. A file of another version is a miss.
const MAGIC: &[u8; 8] = b"FACACHE1";

/// The largest head of a file.
const MAX_META: usize = 16 * 1024 * 1024;

/// Everything but the body.
#[derive(Deserialize, Serialize)]
struct Meta {
    body_digest: u64,
    body_len: u64,
    coded: Option<Vec<(String, Vec<u8>)>>,
    head: StoredHead,
    headers: Vec<(String, Vec<u8>)>,
    identity: Vec<u8>,
    url: String,
    version: u8,
}

fn lines(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let lines = headers.iter();
    lines
        .map(|(name, value)| (name.as_str().into(), value.as_bytes().into()))
        .collect()
}

fn headers(lines: &[(String, Vec<u8>)]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(lines.len());
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(value).ok()?);
    }
    Some(headers)
}

/// A response as the content of a file. `identity` is a keyed hash.
pub(crate) fn encode(url: &str, identity: &[u8], response: &StoredResponse) -> Option<Vec<u8>> {
    let meta = Meta {
        body_digest: xxh3_64(&response.body),
        body_len: response.body.len() as u64,
        coded: response.coded_headers.as_deref().map(lines),
        head: response.head.clone(),
        headers: lines(&response.headers),
        identity: identity.into(),
        url: url.into(),
        version: match response.version {
            Version::HTTP_10 => 10,
            Version::HTTP_2 => 20,
            _ => 11,
        },
    };
    let meta = postcard::to_allocvec(&meta).ok()?;
    let mut file = Vec::with_capacity(PREFIX + meta.len() + response.body.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&(meta.len() as u64).to_le_bytes());
    file.extend_from_slice(&xxh3_64(&meta).to_le_bytes());
    file.extend_from_slice(&meta);
    file.extend_from_slice(&response.body);
    Some(file)
}

/// The size of what comes before the head: magic, length and digest of the head.
pub(crate) const PREFIX: usize = 24;

/// What is in a file.
pub(crate) struct DecodedFile {
    #[cfg(feature = "cache-disk")]
    pub(crate) body_len: u64,
    pub(crate) identity: Vec<u8>,
    /// Without its body, if only the head was decoded.
    pub(crate) response: StoredResponse,
    pub(crate) url: String,
}

/// The size of the head of a file that begins with this.
pub(crate) fn head_len(prefix: &[u8]) -> Result<usize, &'static str> {
    let rest = prefix
        .strip_prefix(MAGIC)
        .ok_or("it is no file of this version of the cache")?;
    let len = rest.first_chunk().copied().map(u64::from_le_bytes);
    let len = len.and_then(|len| usize::try_from(len).ok());
    let len = len.filter(|len| *len <= MAX_META && prefix.len() >= PREFIX);
    len.ok_or("its head is damaged")
}

/// Decodes the prefix and the head of a file of `file_len` bytes.
#[cfg(feature = "cache-disk")]
pub(crate) fn decode_head(start: &[u8], file_len: u64) -> Result<DecodedFile, &'static str> {
    decode_parts(start, file_len).map(|(file, _)| file)
}

/// Decodes a file, and checks both digests.
pub(crate) fn decode(file: Vec<u8>) -> Result<DecodedFile, &'static str> {
    let (mut decoded, digest) = decode_parts(&file, file.len() as u64)?;
    let at = PREFIX + head_len(&file)?;
    let body = Bytes::from(file).split_off(at);
    if xxh3_64(&body) != digest {
        return Err("its body is damaged");
    }
    decoded.response.body = body;
    Ok(decoded)
}

/// Decodes prefix and head. Also returns the digest of the body.
fn decode_parts(start: &[u8], file_len: u64) -> Result<(DecodedFile, u64), &'static str> {
    const DAMAGED: &str = "its head is damaged";
    let len = head_len(start)?;
    let (prefix, rest) = start.split_at(PREFIX);
    let head = rest.get(..len).ok_or(DAMAGED)?;
    if xxh3_64(head).to_le_bytes() != prefix[PREFIX - 8..] {
        return Err(DAMAGED);
    }
    let (meta, unread) = postcard::take_from_bytes::<Meta>(head).map_err(|_| DAMAGED)?;
    if !unread.is_empty() {
        return Err(DAMAGED);
    }
    if file_len != (PREFIX + len) as u64 + meta.body_len {
        return Err("its body is cut off, or too long");
    }
    let response = StoredResponse {
        body: Bytes::new(),
        coded_headers: match &meta.coded {
            Some(lines) => Some(headers(lines).ok_or(DAMAGED)?.into()),
            None => None,
        },
        headers: headers(&meta.headers).ok_or(DAMAGED)?,
        head: meta.head,
        version: match meta.version {
            10 => Version::HTTP_10,
            20 => Version::HTTP_2,
            _ => Version::HTTP_11,
        },
    };
    let file = DecodedFile {
        #[cfg(feature = "cache-disk")]
        body_len: meta.body_len,
        identity: meta.identity,
        response,
        url: meta.url,
    };
    Ok((file, meta.body_digest))
}
