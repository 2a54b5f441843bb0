//! The names of files: made from a template, and harmless whatever a URL or a server says.

use ring::digest;
use url::Url;

use crate::outcome::checksum::hex;

/// The longest part of a path, in bytes: file systems take 255, and a number may be added.
const MAX_PART: usize = 200;

/// The longest path below the directory, in bytes.
const MAX_PATH: usize = 1024;

/// How a name is made.
#[derive(Clone, Debug)]
pub(crate) enum Naming {
    /// By what the bytes are: `ab/abcd….ext`.
    Content,
    Template(Template),
}

/// A template such as `{host}/{seq}.{ext}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
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

/// What a name can be made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// Without a dot.
    pub(crate) ext: &'a str,
    /// The SHA-256 of the bytes.
    pub(crate) hash: &'a [u8],
    pub(crate) id: &'a str,
    /// What the row says.
    pub(crate) out: Option<&'a str>,
    pub(crate) seq: u64,
    pub(crate) url: &'a Url,
}

impl Template {
    /// The last part of the URL's path, as curl's `-O`.
    pub(crate) fn remote_name() -> Self {
        Self(vec![Piece::Name])
    }

    /// Reads a template; `{{` and `}}` are braces.
    ///
    /// # Errors
    ///
    /// If it names something that is not known, or nothing at all.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            pieces.push(Piece::Text(before.to_owned()));
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                pieces.push(Piece::Text(from[..1].to_owned()));
                rest = after;
                continue;
            }
            let inside = from.strip_prefix('{').and_then(|from| from.split_once('}'));
            let (name, after) =
                inside.ok_or_else(|| format!("{text:?}: a brace without its other: write {{{{"))?;
            pieces.push(piece(name).ok_or_else(|| {
                format!(
                    "{{{name}}} is not known: there are {{ext}} {{hash}} {{host}} {{id}} {{name}} \
                     {{out}} {{path}} {{query}} {{seq}}"
                )
            })?);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        match pieces.is_empty() {
            true => Err("an empty name: write one such as {host}/{seq}.{ext}".into()),
            false => Ok(Self(pieces)),
        }
    }

    /// Whether the name is known before the response is.
    pub(crate) fn is_known_beforehand(&self) -> bool {
        !self
            .0
            .iter()
            .any(|piece| matches!(piece, Piece::Ext | Piece::Hash))
    }

    fn fill(&self, facts: &Facts<'_>) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Ext => out.push_str(facts.ext),
                Piece::Hash => out.push_str(&hex(facts.hash)),
                Piece::Host => out.push_str(&one(&host(facts.url))),
                Piece::Id => out.push_str(&one(facts.id)),
                Piece::Name => out.push_str(last(facts.url)),
                Piece::Out => out.push_str(facts.out.unwrap_or_else(|| last(facts.url))),
                Piece::Path => out.push_str(&path(facts.url)),
                Piece::Query => out.push_str(&one(facts.url.query().unwrap_or_default())),
                Piece::Seq => out.push_str(&facts.seq.to_string()),
                Piece::Text(text) => out.push_str(text),
            }
        }
        out
    }
}

impl Naming {
    /// The path below the directory, with `/` between its parts. What a row says goes before the
    /// template.
    pub(crate) fn path(&self, facts: &Facts<'_>) -> String {
        match (self, facts.out) {
            (_, Some(out)) => harmless(out),
            (Self::Content, None) => {
                let hash = hex(facts.hash);
                format!("{}/{hash}.{}", &hash[..2], facts.ext)
            }
            (Self::Template(template), None) => harmless(&template.fill(facts)),
        }
    }

    /// Whether the same name always means the same bytes.
    pub(crate) fn is_by_content(&self, out: Option<&str>) -> bool {
        matches!(self, Self::Content) && out.is_none()
    }
}

fn piece(name: &str) -> Option<Piece> {
    Some(match name {
        "ext" => Piece::Ext,
        "hash" => Piece::Hash,
        "host" => Piece::Host,
        "id" => Piece::Id,
        "name" => Piece::Name,
        "out" => Piece::Out,
        "path" => Piece::Path,
        "query" => Piece::Query,
        "seq" => Piece::Seq,
        _ => return None,
    })
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().to_owned();
    url.port()
        .map_or_else(|| host.clone(), |port| format!("{host}_{port}"))
}

/// The path without its first slash; a directory's has the name of its index.
fn path(url: &Url) -> String {
    let path = url.path().trim_start_matches('/');
    match path.is_empty() || path.ends_with('/') {
        true => format!("{path}index.html"),
        false => path.to_owned(),
    }
}

fn last(url: &Url) -> &str {
    match url.path().rsplit('/').next() {
        None | Some("") => "index.html",
        Some(name) => name,
    }
}

/// A text that is to be in one part of a path.
fn one(text: &str) -> String {
    text.replace(['/', '\\'], "_")
}

/// A relative path whose every part is the name of a file on any system, and leads nowhere else.
fn harmless(path: &str) -> String {
    let parts = path
        .split(['/', '\\'])
        .filter(|part| !part.is_empty() && *part != ".");
    let mut parts: Vec<_> = parts.map(part).collect();
    if parts.is_empty() {
        parts.push("index.html".to_owned());
    }
    let whole = parts.join("/");
    if whole.len() <= MAX_PATH {
        return whole;
    }
    let name = parts.pop().unwrap_or_default();
    format!("~{}/{name}", short_hash(&whole))
}

/// One part, with what some system would trip over replaced.
fn part(part: &str) -> String {
    let harmful = |c: char| c.is_control() || "<>:\"|?*".contains(c) || is_invisible(c);
    let mut name: String = part
        .chars()
        .map(|c| if harmful(c) { '_' } else { c })
        .collect();
    if name.ends_with(['.', ' ']) {
        // Windows drops these, so that another name would be meant; `..` is the directory above.
        name.pop();
        name.push('_');
    }
    if is_device(&name) || name.starts_with(super::TEMPORARY) {
        name.insert(0, '_');
    }
    shortened(name, part)
}

/// Marks that turn the direction of a text, or are not seen: they make a name look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Names that are devices in Windows, whatever their extension.
fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_ascii_uppercase();
    let port = |prefix| {
        let number = stem.strip_prefix(prefix);
        number.is_some_and(|number| number.len() == 1 && ("1"..="9").contains(&number))
    };
    matches!(stem.as_str(), "AUX" | "CON" | "NUL" | "PRN") || port("COM") || port("LPT")
}

/// A name that is too long ends with a digest of all of it, before its extension.
fn shortened(name: String, whole: &str) -> String {
    if name.len() <= MAX_PART {
        return name;
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let extension = extension.filter(|extension| (1..=8).contains(&extension.len()));
    let tail = match extension {
        Some(extension) => format!("~{}.{extension}", short_hash(whole)),
        None => format!("~{}", short_hash(whole)),
    };
    let end = name.floor_char_boundary_of(MAX_PART - tail.len());
    format!("{}{tail}", &name[..end])
}

trait FloorCharBoundary {
    /// The last place at or before `at` where a character begins.
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
        Naming::Template(Template::parse(template).unwrap()).path(&Facts {
            ext: "txt",
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
    fn what_is_no_template_is_told_why() {
        for (text, why) in [
            ("{x}", "{x} is not known"),
            ("a{", "brace"),
            ("a}", "brace"),
            ("", "empty"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn no_name_leads_out_of_the_directory_or_trips_a_system() {
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
    fn long_names_are_cut_and_stay_different() {
        let long = |end: &str| format!("{}{end}.jpeg", "ä".repeat(200));
        let [a, b] = ["a", "b"].map(|end| name("x", "http://a.test/", Some(&long(end))));
        assert!(a != b && a.len() <= MAX_PART && a.ends_with(".jpeg"), "{a}");
        let deep = "d/".repeat(2000) + "x";
        assert!(name("x", "http://a.test/", Some(&deep)).len() < 30);
    }
}
