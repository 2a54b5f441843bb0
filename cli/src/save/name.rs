//! File names from a template, safe on any system whatever a URL or a server contains.

use crate::display::Quoted;
use ring::digest;
use url::Url;

use crate::outcome::checksum::hex;

/// The longest component of a path, in bytes: file systems allow 255, and a number may be added.
const MAX_COMPONENT: usize = 200;

/// The longest path relative to the directory, in bytes.
const MAX_PATH: usize = 1024;

/// How files are named.
#[derive(Clone, Debug)]
pub(crate) enum FileNaming {
    /// By the digest of the body: `ab/abcd….ext`.
    Content,
    /// By the field `Content-Disposition`, otherwise by the last segment of the path.
    Header,
    Template(NameTemplate),
}

/// A template such as `{host}/{seq}.{ext}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NameTemplate(Vec<NamePart>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum NamePart {
    Ext,
    Hash,
    Host,
    Id,
    Name,
    Out,
    Path,
    Query,
    Seq,
    Text(String),
}

/// The values of placeholders.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameInputs<'a> {
    /// The extension, without a dot.
    pub(crate) ext: &'a str,
    /// The SHA-256 of the body.
    pub(crate) hash: &'a [u8],
    /// The name in `Content-Disposition`.
    pub(crate) header: Option<&'a str>,
    pub(crate) id: &'a str,
    /// The name in the row.
    pub(crate) out: Option<&'a str>,
    pub(crate) seq: u64,
    pub(crate) url: &'a Url,
}

impl NameTemplate {
    /// The last segment of the URL's path, like curl's `-O`.
    pub(crate) fn remote_name() -> Self {
        Self(vec![NamePart::Name])
    }

    /// Parses a template; `{{` and `}}` are braces.
    ///
    /// # Errors
    ///
    /// If a placeholder is unknown, or the template is empty.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            parts.push(NamePart::Text(before.to_owned()));
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                parts.push(NamePart::Text(from[..1].to_owned()));
                rest = after;
                continue;
            }
            let inside = from.strip_prefix('{').and_then(|from| from.split_once('}'));
            let (name, after) = inside.ok_or_else(|| {
                format!("{}: unbalanced brace: write {{{{ for a brace", Quoted(text))
            })?;
            parts.push(parse_placeholder(name).ok_or_else(|| {
                format!(
                    "{{{name}}} is not known: use {{ext}} {{hash}} {{host}} {{id}} {{name}} \
                     {{out}} {{path}} {{query}} or {{seq}}"
                )
            })?);
            rest = after;
        }
        parts.push(NamePart::Text(rest.to_owned()));
        parts.retain(|part| *part != NamePart::Text(String::new()));
        match parts.is_empty() {
            true => Err("the template is empty: write one such as {host}/{seq}.{ext}".into()),
            false => Ok(Self(parts)),
        }
    }

    /// Whether the name does not depend on the response.
    pub(crate) fn is_known_before_fetch(&self) -> bool {
        !self
            .0
            .iter()
            .any(|part| matches!(part, NamePart::Ext | NamePart::Hash))
    }

    fn expand(&self, inputs: &NameInputs<'_>) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                NamePart::Ext => out.push_str(inputs.ext),
                NamePart::Hash => out.push_str(&hex(inputs.hash)),
                NamePart::Host => out.push_str(&without_separators(&host_and_port(inputs.url))),
                NamePart::Id => out.push_str(&without_separators(inputs.id)),
                NamePart::Name => out.push_str(last_segment(inputs.url)),
                NamePart::Out => {
                    out.push_str(inputs.out.unwrap_or_else(|| last_segment(inputs.url)));
                }
                NamePart::Path => out.push_str(&url_path(inputs.url)),
                NamePart::Query => {
                    out.push_str(&without_separators(inputs.url.query().unwrap_or_default()));
                }
                NamePart::Seq => out.push_str(&inputs.seq.to_string()),
                NamePart::Text(text) => out.push_str(text),
            }
        }
        out
    }
}

impl FileNaming {
    /// The path relative to the directory, separated by `/`. The name in a row overrides the
    /// template.
    pub(crate) fn path(&self, inputs: &NameInputs<'_>) -> String {
        match (self, inputs.out) {
            (_, Some(out)) => safe_path(out),
            (Self::Content, None) => {
                let hash = hex(inputs.hash);
                format!("{}/{hash}.{}", &hash[..2], inputs.ext)
            }
            (Self::Header, None) => {
                safe_path(inputs.header.unwrap_or_else(|| last_segment(inputs.url)))
            }
            (Self::Template(template), None) => safe_path(&template.expand(inputs)),
        }
    }

    /// Whether equal names have equal bytes.
    pub(crate) fn is_by_content(&self, out: Option<&str>) -> bool {
        matches!(self, Self::Content) && out.is_none()
    }
}

fn parse_placeholder(name: &str) -> Option<NamePart> {
    Some(match name {
        "ext" => NamePart::Ext,
        "hash" => NamePart::Hash,
        "host" => NamePart::Host,
        "id" => NamePart::Id,
        "name" => NamePart::Name,
        "out" => NamePart::Out,
        "path" => NamePart::Path,
        "query" => NamePart::Query,
        "seq" => NamePart::Seq,
        _ => return None,
    })
}

fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().to_owned();
    url.port()
        .map_or_else(|| host.clone(), |port| format!("{host}_{port}"))
}

/// The path without its first slash; a directory gets `index.html`.
fn url_path(url: &Url) -> String {
    let path = url.path().trim_start_matches('/');
    match path.is_empty() || path.ends_with('/') {
        true => format!("{path}index.html"),
        false => path.to_owned(),
    }
}

fn last_segment(url: &Url) -> &str {
    match url.path().rsplit('/').next() {
        None | Some("") => "index.html",
        Some(name) => name,
    }
}

/// Makes a text a single component.
fn without_separators(text: &str) -> String {
    text.replace(['/', '\\'], "_")
}

/// A relative path whose components are valid names on any system and stay in the directory.
fn safe_path(path: &str) -> String {
    let parts = path
        .split(['/', '\\'])
        .filter(|part| !part.is_empty() && *part != ".");
    let mut parts: Vec<_> = parts.map(safe_component).collect();
    if parts.is_empty() {
        parts.push("index.html".to_owned());
    }
    let joined = parts.join("/");
    if joined.len() <= MAX_PATH {
        return joined;
    }
    let name = parts.pop().unwrap_or_default();
    format!("~{}/{name}", short_hash(&joined))
}

/// One component, in which characters are replaced that are invalid on some system.
fn safe_component(component: &str) -> String {
    let is_unsafe = |c: char| c.is_control() || "<>:\"|?*".contains(c) || is_invisible(c);
    let mut name: String = component
        .chars()
        .map(|c| if is_unsafe(c) { '_' } else { c })
        .collect();
    if name.ends_with(['.', ' ']) {
        // Windows drops these characters; `..` is the parent directory.
        name.pop();
        name.push('_');
    }
    if is_device(&name) || name.starts_with(super::TEMPORARY_PREFIX) {
        name.insert(0, '_');
    }
    shortened(name, component)
}

/// Direction marks and zero-width characters, which make a name look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether this is a device name of Windows, which is reserved with any extension.
fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    let port = |prefix| {
        let number = stem.strip_prefix(prefix);
        let mut chars = number.unwrap_or_default().chars();
        matches!(
            (chars.next(), chars.next()),
            (Some('1'..='9' | '¹' | '²' | '³'), None)
        )
    };
    let names = ["AUX", "CON", "CONIN$", "CONOUT$", "NUL", "PRN"];
    names.contains(&stem.as_str()) || port("COM") || port("LPT")
}

/// Shortens a long name: a digest of the whole name goes before the extension.
fn shortened(name: String, whole: &str) -> String {
    if name.len() <= MAX_COMPONENT {
        return name;
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let extension = extension.filter(|extension| (1..=8).contains(&extension.len()));
    let tail = match extension {
        Some(extension) => format!("~{}.{extension}", short_hash(whole)),
        None => format!("~{}", short_hash(whole)),
    };
    let end = name.floor_char_boundary_of(MAX_COMPONENT - tail.len());
    format!("{}{tail}", &name[..end])
}

trait FloorCharBoundary {
    /// The last character boundary at or before `at`.
    fn floor_char_boundary_of(&self, at: usize) -> usize;
}

impl FloorCharBoundary for String {
    fn floor_char_boundary_of(&self, at: usize) -> usize {
        (0..=at)
            .rev()
            .find(|at| self.is_char_boundary(*at))
            .unwrap_or(0)
    }
}

fn short_hash(text: &str) -> String {
    hex(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(template: &str, url: &str, out: Option<&str>) -> String {
        let url = Url::parse(url).unwrap();
        FileNaming::Template(NameTemplate::parse(template).unwrap()).path(&NameInputs {
            ext: "txt",
            header: None,
            hash: &[0xab; 32],
            id: "row 1",
            out,
            seq: 7,
            url: &url,
        })
    }

    #[test]
    fn placeholders_are_filled() {
        let url = "http://a.test:81/x/y.png?q=1/2";
        for (template, expected) in [
            ("{host}/{path}", "a.test_81/x/y.png"),
            ("{seq}-{id}.{ext}", "7-row 1.txt"),
            ("{name}_{query}", "y.png_q=1_2"),
            ("{{{out}}}", "{y.png}"),
        ] {
            assert_eq!(name(template, url, None), expected);
        }
        assert!(name("{hash}", url, None).starts_with("abab"));
        assert_eq!(name("{path}", "http://a.test/d/", None), "d/index.html");
        assert_eq!(name("{seq}", url, Some("own/name.bin")), "own/name.bin");
    }

    #[test]
    fn errors_name_the_mistake() {
        for (text, why) in [
            ("{x}", "{x} is not known"),
            ("a{", "brace"),
            ("a}", "brace"),
            ("", "empty"),
        ] {
            let error = NameTemplate::parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn names_are_safe_and_stay_in_the_directory() {
        for (out, expected) in [
            ("../../etc/passwd", "._/._/etc/passwd"),
            ("/etc/passwd", "etc/passwd"),
            ("..\\..\\x", "._/._/x"),
            ("c:\\x", "c_/x"),
            ("a\0b\nc\u{202e}d", "a_b_c_d"),
            ("./.", "index.html"),
            ("", "index.html"),
            ("...", ".._"),
            ("CON", "_CON"),
            ("lpt1.txt", "_lpt1.txt"),
            ("com10", "com10"),
            ("a. ", "a._"),
            (".fetch-all-x.part", "_.fetch-all-x.part"),
        ] {
            assert_eq!(name("x", "http://a.test/", Some(out)), expected, "{out:?}");
        }
    }

    #[test]
    fn long_names_are_shortened_and_stay_distinct() {
        let long = |end: &str| format!("{}{end}.jpeg", "ä".repeat(200));
        let [a, b] = ["a", "b"].map(|end| name("x", "http://a.test/", Some(&long(end))));
        assert!(
            a != b && a.len() <= MAX_COMPONENT && a.ends_with(".jpeg"),
            "{a}"
        );
        let deep = "d/".repeat(2000) + "x";
        assert!(name("x", "http://a.test/", Some(&deep)).len() < 30);
    }
}
