//! Targeted cache control (RFC 9213): fields such as `CDN-Cache-Control`, which are structured fields.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::cache::control::{Argument, ResponseDirectives};
use crate::cache::fields::CacheFields;

/// The directives of the targeted field `name`. `None` without it, if it is empty, or if it is no valid
/// dictionary (RFC 9651): then it is ignored.
pub(super) fn read(fields: &dyn CacheFields, name: &str) -> Option<ResponseDirectives> {
    let mut joined: Vec<u8> = Vec::new();
    fields.each_value(name, &mut |value| {
        if !joined.is_empty() {
            joined.push(b',');
        }
        joined.extend_from_slice(value);
    });
    let mut parser = Parser(joined.trim_ascii());
    if parser.0.is_empty() {
        return None;
    }
    let mut directives = ResponseDirectives {
        is_targeted: true,
        ..Default::default()
    };
    for (key, value) in parser.dictionary()? {
        add(&mut directives, &key, value)?;
    }
    Some(directives)
}

/// Adds a member. `None` if its value has a wrong type.
fn add(directives: &mut ResponseDirectives, key: &str, value: Item) -> Option<()> {
    let argument = match (key, value) {
        ("max-age" | "s-maxage" | "stale-if-error" | "stale-while-revalidate", value) => {
            match value {
                Item::Integer(text) => Argument::Text(text),
                _ => return None,
            }
        }
        (_, Item::Boolean(false)) => return Some(()),
        ("no-cache" | "private", Item::Text(names)) => Argument::Text(names),
        (_, Item::Boolean(true)) => Argument::Missing,
        _ => Argument::Malformed,
    };
    directives.add(key, &argument);
    Some(())
}

enum Item {
    Boolean(bool),
    /// Its digits; negative ones are no number of seconds.
    Integer(String),
    /// A token or a string.
    Text(String),
    Other,
}

struct Parser<'a>(&'a [u8]);

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take_while(&mut self, mut is_part: impl FnMut(u8) -> bool) -> String {
        let len = self.0.iter().position(|byte| !is_part(*byte));
        let (taken, rest) = self.0.split_at(len.unwrap_or(self.0.len()));
        self.0 = rest;
        String::from_utf8_lossy(taken).into_owned()
    }

    fn skip(&mut self, expected: u8) -> bool {
        let is_next = self.peek() == Some(expected);
        if is_next {
            self.next();
        }
        is_next
    }

    fn dictionary(&mut self) -> Option<Vec<(Box<str>, Item)>> {
        let mut members: Vec<(Box<str>, Item)> = Vec::new();
        loop {
            let key = self.key()?;
            let value = match self.skip(b'=') {
                true => self.item()?,
                false => Item::Boolean(true),
            };
            self.parameters()?;
            // The last of equal keys counts.
            members.retain(|(other, _)| *other != key);
            members.push((key, value));
            self.take_while(|byte| matches!(byte, b' ' | b'\t'));
            if self.0.is_empty() {
                return Some(members);
            }
            if !self.skip(b',') {
                return None;
            }
            self.take_while(|byte| matches!(byte, b' ' | b'\t'));
        }
    }

    fn key(&mut self) -> Option<Box<str>> {
        let starts = self
            .peek()
            .is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'*');
        let is_part = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte)
        };
        starts.then(|| self.take_while(is_part).into_boxed_str())
    }

    fn parameters(&mut self) -> Option<()> {
        while self.skip(b';') {
            self.take_while(|byte| byte == b' ');
            self.key()?;
            if self.skip(b'=') {
                self.bare_item()?;
            }
        }
        Some(())
    }

    fn item(&mut self) -> Option<Item> {
        if !self.skip(b'(') {
            return self.bare_item();
        }
        loop {
            self.take_while(|byte| byte == b' ');
            if self.skip(b')') {
                return Some(Item::Other);
            }
            self.bare_item()?;
            self.parameters()?;
            if !matches!(self.peek()?, b' ' | b')') {
                return None;
            }
        }
    }

    fn bare_item(&mut self) -> Option<Item> {
        match self.peek()? {
            b'?' => {
                self.next();
                match self.next()? {
                    b'0' => Some(Item::Boolean(false)),
                    b'1' => Some(Item::Boolean(true)),
                    _ => None,
                }
            }
            b'"' => self.string(),
            b':' => {
                self.next();
                let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
                self.take_while(is_base64);
                self.skip(b':').then_some(Item::Other)
            }
            b'@' => {
                self.next();
                matches!(self.number()?, Item::Integer(_)).then_some(Item::Other)
            }
            byte if byte.is_ascii_digit() || byte == b'-' => self.number(),
            byte if byte.is_ascii_alphabetic() || byte == b'*' => {
                let is_part =
                    |byte: u8| crate::cache::fields::is_token(byte) || matches!(byte, b':' | b'/');
                Some(Item::Text(self.take_while(is_part)))
            }
            _ => None,
        }
    }

    fn string(&mut self) -> Option<Item> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next()? {
                b'"' => return Some(Item::Text(text)),
                b'\\' => text.push(char::from(
                    self.next().filter(|b| matches!(b, b'"' | b'\\'))?,
                )),
                byte @ 0x20..=0x7e => text.push(char::from(byte)),
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<Item> {
        let is_negative = self.skip(b'-');
        let whole = self.take_while(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 15 {
            return None;
        }
        if self.skip(b'.') {
            let fraction = self.take_while(|byte| byte.is_ascii_digit());
            let is_decimal = (1..=3).contains(&fraction.len()) && whole.len() <= 12;
            return is_decimal.then_some(Item::Other);
        }
        Some(match is_negative {
            true => Item::Other,
            false => Item::Integer(whole),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_value(value: &str) -> Option<ResponseDirectives> {
        read(&[("cdn-cache-control", value)], "CDN-Cache-Control")
    }

    #[test]
    fn a_targeted_field_is_a_dictionary() {
        let read =
            read_value("foobar, max-age=60;x=1, no-store=?0, private=?1, ext=(1 \"a\")").unwrap();
        assert_eq!(
            (read.max_age, read.no_store, read.private),
            (Some(60), false, true)
        );
        assert_eq!(read_value("max-age=1, max-age=9").unwrap().max_age, Some(9));
        let qualified = read_value("no-cache=\"a, b\"").unwrap();
        assert_eq!(&*qualified.no_cache_fields, ["a".into(), "b".into()]);
    }

    #[test]
    fn a_field_that_is_no_valid_dictionary_is_ignored() {
        for value in [
            "",
            "max-age=60, &&&&&",
            "max-age=\"60\"",
            "max-age=60.5",
            "max-age=-1",
            "max-age",
            "MaX-aGe=60",
            "max-age =60",
            "max-age= 60",
            "max-age=60,",
            "no-cache=\"a",
            "a=?2",
            "a=(1 2",
            "a=:b",
        ] {
            assert_eq!(read_value(value), None, "{value}");
        }
    }
}
