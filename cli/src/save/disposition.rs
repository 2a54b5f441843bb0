//! The name of a file in the field `Content-Disposition` (RFC 6266).

use http::HeaderMap;
use http::header::CONTENT_DISPOSITION;
use percent_encoding::percent_decode_str;

/// The name that a response proposes for its body, without directories. The extended form, `filename*`,
/// comes first.
pub(super) fn file_name(headers: &HeaderMap) -> Option<String> {
    let bytes = headers.get(CONTENT_DISPOSITION)?.as_bytes();
    // Bytes that are not UTF-8 are Latin-1, as in all fields of HTTP once.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let (mut plain, mut extended) = (None, None);
    // Some servers leave out the type.
    let mut rest = match text.split_once(';') {
        Some((kind, rest)) if !kind.contains('=') => rest,
        None if !text.contains('=') => "",
        _ => &text,
    };
    while !rest.is_empty() {
        let (name, value, after) = parameter(rest);
        match name.to_ascii_lowercase().as_str() {
            "filename" => plain = plain.or(Some(value)),
            "filename*" => extended = extended.or_else(|| decode(&value)),
            _ => {}
        }
        rest = after;
    }
    let name = extended.or(plain)?;
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
    match last.strip_prefix('.') {
        // A server does not choose the name of a hidden file, such as `.bashrc`.
        Some(rest) => Some(format!("_{rest}")),
        None => (!last.is_empty()).then(|| last.to_owned()),
    }
}

/// Name and value of the first parameter, and what follows it.
fn parameter(text: &str) -> (&str, String, &str) {
    let end = text.find(['=', ';']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(value) = rest.strip_prefix('=') else {
        return (
            name.trim(),
            String::new(),
            rest.strip_prefix(';').unwrap_or(rest),
        );
    };
    let value = value.trim_start();
    if let Some(quoted) = value.strip_prefix('"') {
        let mut out = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    let after = &quoted[at + 1..];
                    return (
                        name.trim(),
                        out,
                        after.split_once(';').map_or("", |(_, after)| after),
                    );
                }
                '\\' => out.extend(chars.next().map(|(_, c)| c)),
                c => out.push(c),
            }
        }
        return (name.trim(), out, "");
    }
    let (value, after) = value.split_once(';').unwrap_or((value, ""));
    (name.trim(), value.trim().to_owned(), after)
}

/// Decodes `CHARSET'LANGUAGE'TEXT` (RFC 8187).
fn decode(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _, text) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => String::from_utf8(bytes).ok(),
        "iso-8859-1" => Some(bytes.into_iter().map(char::from).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn name(field: &[u8]) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_bytes(field).unwrap());
        file_name(&headers)
    }

    #[test]
    fn names_are_found_in_all_forms() {
        for (field, expected) in [
            ("attachment; filename=a.txt", Some("a.txt")),
            ("attachment; FileName = \"a b.txt\" ; x=y", Some("a b.txt")),
            ("inline; filename=\"a\\\"b;c.txt\"", Some("a\"b;c.txt")),
            ("attachment; filename=\"../../etc/passwd\"", Some("passwd")),
            ("attachment; filename=\"C:\\\\dir\\\\a.txt\"", Some("a.txt")),
            (
                "attachment; filename*=UTF-8''%e2%82%ac.txt; filename=e.txt",
                Some("€.txt"),
            ),
            (
                "attachment; filename=e.txt; filename*=utf-16''x",
                Some("e.txt"),
            ),
            ("attachment; filename*=UTF-8'en'a%2Fb", Some("b")),
            ("filename=a.txt; charset=x", Some("a.txt")),
            ("filename=\"a;b.txt\"", Some("a;b.txt")),
            ("filename=a.txt", Some("a.txt")),
            ("attachment; filename=\"\"", None),
            ("attachment; filename=\"dir/\"", None),
            ("attachment; filename=\"x/.bashrc\"", Some("_bashrc")),
            ("attachment; filename=\"not closed", Some("not closed")),
            ("attachment", None),
        ] {
            assert_eq!(name(field.as_bytes()).as_deref(), expected, "{field}");
        }
        assert_eq!(
            name(b"attachment; filename=\"\xe9.txt\"").as_deref(),
            Some("é.txt")
        );
    }
}
