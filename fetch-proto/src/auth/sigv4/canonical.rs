//! The parts of a request in the one form that both sides sign.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The path, normalised by RFC 3986, 5.2.4, without repeated slashes, and percent-encoded.
pub(super) fn canonical_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut normal: String = segments.iter().map(|one| format!("/{one}")).collect();
    let names_folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    if normal.is_empty() || names_folder {
        normal.push('/');
    }
    encoded(normal.as_bytes(), true)
}

/// The parameters of a raw query and those added, sorted by name and value, and percent-encoded. A
/// plus sign in the query means a space, as servers read it.
pub(super) fn canonical_query(query: &str, added: &[(&str, &str)]) -> String {
    let given = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let normal = |text: &str| encoded(&decoded(&text.replace('+', "%20")), false);
            (normal(name), normal(value))
        });
    let added = added.iter().map(|(name, value)| {
        (
            encoded(name.as_bytes(), false),
            encoded(value.as_bytes(), false),
        )
    });
    let mut all: Vec<_> = given.chain(added).collect();
    all.sort_unstable();
    let texts: Vec<_> = all
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    texts.join("&")
}

/// The fields in a line each, by lower-case name, and the list of their names.
pub(super) fn canonical_fields(fields: &[(&str, &str)]) -> (String, String) {
    let mut sorted: Vec<_> = fields
        .iter()
        .map(|(name, value)| {
            let words: Vec<_> = value.split_ascii_whitespace().collect();
            (name.to_ascii_lowercase(), words.join(" "))
        })
        .collect();
    // Values of one name keep their order.
    sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut lines = String::new();
    let mut names: Vec<&str> = Vec::new();
    for (name, value) in &sorted {
        if names.last() == Some(&&**name) {
            lines.pop();
            lines.push(',');
        } else {
            names.push(name);
            lines += &format!("{name}:");
        }
        lines += value;
        lines.push('\n');
    }
    let names = names.join(";");
    (lines, names)
}

/// Percent-encodes all but unreserved characters (RFC 3986, 2.3) and, in a path, slashes.
pub(super) fn encoded(bytes: &[u8], is_path: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(*byte));
            }
            b'/' if is_path => text.push('/'),
            byte => text += &format!("%{byte:02X}"),
        }
    }
    text
}

/// The bytes for which a percent-encoded text stands. A percent sign that begins no escape stands for
/// itself.
pub(super) fn decoded(text: &str) -> Vec<u8> {
    let (bytes, mut at) = (text.as_bytes(), 0);
    let mut result = Vec::with_capacity(bytes.len());
    let digit = |at: usize| char::from(*bytes.get(at)?).to_digit(16);
    while at < bytes.len() {
        let escape = digit(at + 1).zip(digit(at + 2));
        match escape.filter(|_| bytes[at] == b'%') {
            Some((high, low)) => {
                result.push((high * 16 + low) as u8);
                at += 3;
            }
            None => {
                result.push(bytes[at]);
                at += 1;
            }
        }
    }
    result
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
