//! Single records of a WARC file.

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use fetch_driver::Response;
use fetch_proto::{Method, redact_secrets};
use http::{HeaderMap, header};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use url::{Position, Url};

use super::super::spool::FinishedBody;
use super::copy;

/// A record: named fields, and a block that consists of a head and a body.
pub(super) struct WarcRecord<'a> {
    pub(super) body: Option<&'a FinishedBody>,
    pub(super) common: &'a [(&'static str, String)],
    pub(super) head: Vec<u8>,
    pub(super) kind: &'static str,
    pub(super) media: &'static str,
    pub(super) own: Vec<(&'static str, String)>,
}

impl WarcRecord<'_> {
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let sha1 = || digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        let (mut block, mut payload) = (sha1(), sha1());
        block.update(&self.head);
        self.for_each_chunk(|bytes| {
            block.update(bytes);
            payload.update(bytes);
            Ok(())
        })?;
        write!(out, "WARC/1.1\r\nWARC-Type: {}\r\n", self.kind)?;
        for (name, value) in self.own.iter().chain(self.common) {
            write!(out, "{name}: {value}\r\n")?;
        }
        write!(
            out,
            "WARC-Block-Digest: sha1:{}\r\n",
            base32(block.finish().as_ref())
        )?;
        if self.body.is_some() {
            write!(
                out,
                "WARC-Payload-Digest: sha1:{}\r\n",
                base32(payload.finish().as_ref())
            )?;
        }
        let length = self.head.len() as u64 + self.body.map_or(0, |body| body.size);
        write!(
            out,
            "Content-Type: {}\r\nContent-Length: {length}\r\n\r\n",
            self.media
        )?;
        out.write_all(&self.head)?;
        self.for_each_chunk(|bytes| out.write_all(bytes))?;
        out.write_all(b"\r\n\r\n")
    }

    fn for_each_chunk(&self, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self.body {
            Some(body) => body.read(|reader| copy(reader, &mut write)),
            None => Ok(()),
        }
    }
}

/// The record that describes the file.
pub(super) fn info_record(path: &Path) -> WarcRecord<'static> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .replace(['\r', '\n'], "_");
    let version = env!("CARGO_PKG_VERSION");
    let head = format!(
        "software: fetch-all/{version}\r\nformat: WARC File Format 1.1\r\n\
         conformsTo: http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/\r\n"
    );
    let own = vec![
        ("WARC-Record-ID", record_id()),
        ("WARC-Date", date(SystemTime::now())),
        ("WARC-Filename", name),
    ];
    WarcRecord {
        body: None,
        common: &[],
        head: head.into_bytes(),
        kind: "warcinfo",
        media: "application/warc-fields",
        own,
    }
}

fn date(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

/// A random UUID (RFC 9562, version 4) as a URN.
pub(super) fn record_id() -> String {
    let mut bytes = [0; 16];
    // The system's randomness does not fail in practice: TLS depends on it, too.
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = crate::outcome::checksum::hex(&bytes);
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    );
    format!("<urn:uuid:{a}-{b}-{c}-{d}-{e}>")
}

/// The head of a response, as HTTP/1.1.
pub(super) fn response_head(response: &Response) -> Vec<u8> {
    let status = response.status;
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in &response.headers {
        if name == header::TRANSFER_ENCODING {
            head.extend_from_slice(b"x-archive-orig-");
        }
        push_field(&mut head, name.as_str(), value.as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The head of a request, with the fields known here, without secrets.
pub(super) fn request_head(method: &Method, url: &Url, headers: &HeaderMap) -> Vec<u8> {
    let target = redact_secrets(&url[Position::BeforePath..Position::AfterQuery]);
    let host = fetch_proto::url_host(url);
    let mut head =
        format!("{} {target} HTTP/1.1\r\nhost: {host}\r\n", method.as_str()).into_bytes();
    for (name, value) in headers {
        let text = value.to_str().map(redact_secrets);
        let shown = text
            .as_ref()
            .map_or(value.as_bytes(), |text| text.as_bytes());
        push_field(&mut head, name.as_str(), shown);
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn push_field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

/// RFC 4648, section 6. The length is a multiple of five, so there is no padding.
fn base32(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let group = |five: &[u8]| {
        let bits = five
            .iter()
            .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        (0..8)
            .rev()
            .map(move |at| char::from(alphabet[(bits >> (5 * at) & 31) as usize]))
    };
    bytes.chunks_exact(5).flat_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_matches_the_standard() {
        // RFC 4648, section 10: "foobar" is MZXW6YTBOI, of which the first five bytes are whole.
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        assert_eq!(base32(&[0xff; 20]).len(), 32);
    }

    #[test]
    fn ids_are_random_and_well_formed() {
        let [a, b] = [record_id(), record_id()];
        assert!(a != b && a.len() == 47 && &a[24..25] == "4", "{a}");
    }
}
