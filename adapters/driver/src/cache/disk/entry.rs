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
pub(super) fn encode(url: &str, identity: &[u8], response: &StoredResponse) -> Option<Vec<u8>> {
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
    let mut file = Vec::with_capacity(MAGIC.len() + 16 + meta.len() + response.body.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&(meta.len() as u64).to_le_bytes());
    file.extend_from_slice(&xxh3_64(&meta).to_le_bytes());
    file.extend_from_slice(&meta);
    file.extend_from_slice(&response.body);
    Some(file)
}

/// The response in a file; `None` if it is damaged, or of another URL or identity.
pub(super) fn decode(file: Vec<u8>, url: &str, identity: &[u8]) -> Option<StoredResponse> {
    let file = Bytes::from(file);
    let rest = file.strip_prefix(MAGIC)?;
    let (len, rest) = rest.split_first_chunk::<8>()?;
    let (digest, rest) = rest.split_first_chunk::<8>()?;
    let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
    if len > MAX_META {
        return None;
    }
    let (meta, body) = rest.split_at_checked(len)?;
    if xxh3_64(meta) != u64::from_le_bytes(*digest) {
        return None;
    }
    let (meta, unread) = postcard::take_from_bytes::<Meta>(meta).ok()?;
    let is_whole = unread.is_empty() && body.len() as u64 == meta.body_len;
    if !is_whole || meta.url != url || meta.identity != identity {
        return None;
    }
    if xxh3_64(body) != meta.body_digest {
        return None;
    }
    Some(StoredResponse {
        body: file.slice_ref(body),
        coded_headers: match &meta.coded {
            Some(lines) => Some(headers(lines)?.into()),
            None => None,
        },
        headers: headers(&meta.headers)?,
        head: meta.head,
        version: match meta.version {
            10 => Version::HTTP_10,
            20 => Version::HTTP_2,
            _ => Version::HTTP_11,
        },
    })
}
