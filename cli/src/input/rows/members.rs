//! The members of JSON objects.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::display::Quoted;

/// The error of a name that two members have.
pub(super) const REPEATED: &str = "is there twice";

/// The members of an object in their order, without repeated names.
pub(super) struct Members<'a>(pub(super) Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MemberVisitor;

        impl<'de> Visitor<'de> for MemberVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        let name = Quoted(&name);
                        return Err(A::Error::custom(format!("{name} {REPEATED}")));
                    }
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MemberVisitor)
    }
}

/// Refuses header fields with two members of one name, the first of which would be lost.
///
/// # Errors
///
/// The name.
pub(super) fn check_fields(object: &str) -> Result<(), String> {
    match serde_json::from_str::<Members>(object) {
        Err(error) if error.to_string().contains(REPEATED) => Err(format!(
            "headers: {}: write a list of texts to send the field several times",
            syntax(&error.to_string())
        )),
        _ => Ok(()),
    }
}

/// The message of an error without its place: each line is a separate document.
pub(super) fn syntax(text: &str) -> &str {
    text.split_once(" at line ").map_or(text, |(what, _)| what)
}
