//! The directives of `Cache-Control`, of requests and of responses.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::cache::fields::{CacheFields, delta_seconds, has, is_token, members, unquoted};
use crate::cache::targeted;

/// The directives of a response (RFC 9111, section 5.2.2; RFC 5861; RFC 8246). What cannot be read counts
/// as what restricts most.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct ResponseDirectives {
    pub(super) immutable: bool,
    /// Whether they are from a targeted field, so that `Expires` does not count.
    pub(super) is_targeted: bool,
    pub(super) max_age: Option<u32>,
    pub(super) must_revalidate: bool,
    pub(super) must_understand: bool,
    pub(super) no_cache: bool,
    pub(super) no_store: bool,
    pub(super) private: bool,
    pub(super) proxy_revalidate: bool,
    pub(super) public: bool,
    pub(super) s_maxage: Option<u32>,
    pub(super) stale_if_error: Option<u32>,
    pub(super) stale_while_revalidate: Option<u32>,
    /// Fields that are reused only after a validation, and not stored by this cache.
    pub(super) no_cache_fields: Vec<Box<str>>,
    /// Fields that a shared cache does not store.
    pub(super) private_fields: Vec<Box<str>>,
}

/// The directives of a request (RFC 9111, section 5.2.1; RFC 5861).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct RequestDirectives {
    pub(super) max_age: Option<u32>,
    /// `u32::MAX` if any staleness is accepted.
    pub(super) max_stale: Option<u32>,
    pub(super) min_fresh: Option<u32>,
    pub(super) no_cache: bool,
    pub(super) no_store: bool,
    pub(super) only_if_cached: bool,
    pub(super) stale_if_error: Option<u32>,
}

/// The argument of a directive.
pub(super) enum Argument {
    Missing,
    Text(String),
    /// It cannot be read.
    Malformed,
}

impl Argument {
    /// As seconds: 0 if they cannot be read, so that the response is stale.
    fn seconds(&self) -> u32 {
        match self {
            Self::Text(text) => delta_seconds(text.as_bytes()).unwrap_or(0),
            Self::Missing | Self::Malformed => 0,
        }
    }

    /// As a list of field names, in lower case; `None` unless it names at least one and nothing else.
    fn field_names(&self) -> Option<Vec<Box<str>>> {
        let Self::Text(text) = self else {
            return None;
        };
        let mut names = Vec::new();
        for name in text.split(',').map(str::trim) {
            let is_name = !name.is_empty() && name.bytes().all(is_token);
            is_name.then(|| names.push(name.to_ascii_lowercase().into_boxed_str()))?;
        }
        Some(names)
    }
}

impl ResponseDirectives {
    /// Reads the first valid field of `targeted` names (RFC 9213), or else `Cache-Control`.
    pub(super) fn read(fields: &dyn CacheFields, targeted: &[Box<str>]) -> Self {
        for name in targeted {
            if let Some(directives) = targeted::read(fields, name) {
                return directives;
            }
        }
        let mut directives = Self::default();
        fields.each_value("cache-control", &mut |value| {
            for (name, argument) in parse(value) {
                match name {
                    Some(name) => directives.add(&name, &argument),
                    None => directives.no_store = true,
                }
            }
        });
        directives
    }

    pub(super) fn add(&mut self, name: &str, argument: &Argument) {
        match name {
            "immutable" => self.immutable = true,
            "max-age" => note_least(&mut self.max_age, argument.seconds()),
            "must-revalidate" => self.must_revalidate = true,
            "must-understand" => self.must_understand = true,
            "no-cache" => note_fields(&mut self.no_cache, &mut self.no_cache_fields, argument),
            "no-store" => self.no_store = true,
            "private" => note_fields(&mut self.private, &mut self.private_fields, argument),
            "proxy-revalidate" => self.proxy_revalidate = true,
            "public" => self.public = true,
            "s-maxage" => note_least(&mut self.s_maxage, argument.seconds()),
            "stale-if-error" => note_least(&mut self.stale_if_error, argument.seconds()),
            "stale-while-revalidate" => {
                note_least(&mut self.stale_while_revalidate, argument.seconds());
            }
            _ => {}
        }
    }
}

impl RequestDirectives {
    /// Reads `Cache-Control`, or `Pragma: no-cache` without it.
    pub(super) fn read(fields: &dyn CacheFields) -> Self {
        let mut directives = Self::default();
        fields.each_value("cache-control", &mut |value| {
            for (name, argument) in parse(value) {
                match name {
                    Some(name) => directives.add(&name, &argument),
                    None => directives.no_cache = true,
                }
            }
        });
        if !has(fields, "cache-control") {
            fields.each_value("pragma", &mut |value| {
                let mut names = parse(value).into_iter().filter_map(|(name, _)| name);
                directives.no_cache |= names.any(|name| name == "no-cache");
            });
        }
        directives
    }

    fn add(&mut self, name: &str, argument: &Argument) {
        match name {
            "max-age" => note_least(&mut self.max_age, argument.seconds()),
            "max-stale" => {
                let most = match argument {
                    Argument::Missing => u32::MAX,
                    given => given.seconds(),
                };
                note_least(&mut self.max_stale, most);
            }
            "min-fresh" => {
                // The most restrictive is the largest, and what cannot be read is never fresh enough.
                let least = match argument {
                    Argument::Text(text) => delta_seconds(text.as_bytes()).unwrap_or(u32::MAX),
                    Argument::Missing | Argument::Malformed => u32::MAX,
                };
                self.min_fresh = Some(self.min_fresh.map_or(least, |other| other.max(least)));
            }
            "no-cache" => self.no_cache = true,
            "no-store" => self.no_store = true,
            "only-if-cached" => self.only_if_cached = true,
            "stale-if-error" => note_least(&mut self.stale_if_error, argument.seconds()),
            _ => {}
        }
    }
}

fn note_least(stored: &mut Option<u32>, seconds: u32) {
    *stored = Some(stored.map_or(seconds, |other| other.min(seconds)));
}

/// Notes a directive that may be limited to fields. Without a valid list of names it is not limited, and
/// an unlimited one is not limited by another.
fn note_fields(is_whole: &mut bool, fields: &mut Vec<Box<str>>, argument: &Argument) {
    match argument.field_names() {
        Some(names) => fields.extend(names),
        None => *is_whole = true,
    }
}

/// The directives of one field line: the names in lower case, each with its argument. A name is `None` if
/// there is a quotation mark where none may be, because it may hide other directives.
fn parse(value: &[u8]) -> Vec<(Option<String>, Argument)> {
    let read = |member: &[u8]| {
        let end = member.iter().position(|byte| !is_token(*byte));
        let (name, rest) = member.split_at(end.unwrap_or(member.len()));
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let argument = match rest.strip_prefix(b"=") {
            None if rest.is_empty() => Argument::Missing,
            Some(text) if !text.is_empty() && text.iter().all(|byte| is_token(*byte)) => {
                Argument::Text(String::from_utf8_lossy(text).into_owned())
            }
            given => match given.and_then(unquoted) {
                Some(text) => Argument::Text(text),
                None if rest.contains(&b'"') => return (None, Argument::Malformed),
                None => Argument::Malformed,
            },
        };
        (Some(name), argument)
    };
    members(value).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(value: &str) -> ResponseDirectives {
        ResponseDirectives::read(&[("Cache-Control", value)], &[])
    }

    fn request(value: &str) -> RequestDirectives {
        RequestDirectives::read(&[("cache-control", value)])
    }

    #[test]
    fn max_age_is_read_or_makes_the_response_stale() {
        let table = [
            ("max-age=60", Some(60)),
            ("MaX-aGe=60, foobar", Some(60)),
            ("max-age=\"60\"", Some(60)),
            ("max-age=060", Some(60)),
            ("max-age=99999999999", Some(1 << 31)),
            ("max-age=1800, max-age=1", Some(1)),
            ("max-age=1, max-age=1800", Some(1)),
            ("ext=\"max-age=3600\", max-age=1", Some(1)),
            ("max-age=1, ext=\"max-age=3600\"", Some(1)),
            ("max-age=-1", Some(0)),
            ("max-age='60'", Some(0)),
            ("max-age=60.5", Some(0)),
            ("max-age=60a", Some(0)),
            ("max-age =60", Some(0)),
            ("max-age", Some(0)),
            ("max-age=", Some(0)),
            ("x-max-age=60", None),
            ("", None),
        ];
        for (value, expected) in table {
            assert_eq!(response(value).max_age, expected, "{value}");
        }
        let lines = [
            ("cache-control", "max-age=5"),
            ("cache-control", "max-age=1"),
        ];
        assert_eq!(ResponseDirectives::read(&lines, &[]).max_age, Some(1));
    }

    #[test]
    fn a_malformed_private_or_no_cache_counts_as_the_unlimited_one() {
        for value in [
            "private",
            "PRIVATE",
            "private=",
            "private=\"\"",
            "private=\"a,,b\"",
            "private=\"a b\"",
            "private = x y",
            "private=\"x\", private",
            "private, private=\"x\"",
            "private=\"x\"y",
        ] {
            let read = response(value);
            assert!(read.private || read.no_store, "{value}: {read:?}");
            let value = value.to_ascii_lowercase().replace("private", "no-cache");
            let read = response(&value);
            assert!(read.no_cache || read.no_store, "{value}: {read:?}");
        }
        let qualified = response("private=\"A, set-cookie\", no-cache=b");
        assert!(!qualified.private && !qualified.no_cache);
        assert_eq!(
            &*qualified.private_fields,
            ["a".into(), "set-cookie".into()]
        );
        assert_eq!(&*qualified.no_cache_fields, ["b".into()]);
    }

    #[test]
    fn a_misplaced_quotation_mark_forbids_to_store() {
        for value in [
            "ext=\"a, no-store",
            "private=\"x, max-age=60",
            "a=\"\\\"",
            "\", no-store",
            "a\", no-store, \"b",
            "a=b\", no-store, c=\"d",
        ] {
            assert!(response(value).no_store, "{value}");
        }
        assert!(!response("max-age=1, ext=\"\\\"\"").no_store);
        assert!(request("a=\"x, no-cache").no_cache);
    }

    #[test]
    fn the_directives_of_a_request_are_read() {
        let read = request("max-age=5, max-stale, min-fresh=3, only-if-cached, no-store");
        assert_eq!(
            (read.max_age, read.max_stale, read.min_fresh),
            (Some(5), Some(u32::MAX), Some(3))
        );
        assert!(read.only_if_cached && read.no_store && !read.no_cache);
        assert_eq!(request("max-stale=10").max_stale, Some(10));
        assert_eq!(request("max-stale=x").max_stale, Some(0));
        assert_eq!(request("min-fresh=x").min_fresh, Some(u32::MAX));
        assert!(RequestDirectives::read(&[("Pragma", "foo, No-Cache")]).no_cache);
        let both = [("pragma", "no-cache"), ("cache-control", "max-age=1")];
        assert!(!RequestDirectives::read(&both).no_cache);
    }
}
