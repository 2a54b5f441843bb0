//! Serializes values to bytes that do not change when a type gains a field or a variant.
//!
//! Digests in a trace must be comparable between versions of the core. Fields are written by name, not
//! by position, and a field with a zero value (0, false, `None`, empty) is left out. A field that is
//! added later and not used therefore does not change the bytes.

mod compound;

use std::fmt;

use serde::ser::{self, Serialize};

use self::compound::CompoundSerializer;
use crate::redact::{UrlRedactor, without_fragment};

/// Appends `value` to `out`. URLs lose their fragment and, with a redactor, their secrets.
pub(crate) fn write<T: Serialize>(out: &mut Vec<u8>, value: &T, redactor: Option<&UrlRedactor>) {
    let written = value.serialize(&mut CanonicalSerializer { out, redactor });
    debug_assert!(written.is_ok(), "plain data can always be serialized");
}

struct CanonicalSerializer<'a> {
    out: &'a mut Vec<u8>,
    redactor: Option<&'a UrlRedactor>,
}

/// First byte of each kind of value.
mod tag {
    pub(super) const TRUE: u8 = 1;
    pub(super) const INTEGER: u8 = 2;
    pub(super) const NEGATIVE: u8 = 3;
    pub(super) const TEXT: u8 = 4;
    pub(super) const BYTES: u8 = 5;
    pub(super) const SOME: u8 = 6;
    pub(super) const SEQUENCE: u8 = 7;
    pub(super) const ELEMENT: u8 = 8;
    pub(super) const VARIANT: u8 = 9;
    pub(super) const FIELD: u8 = 10;
    pub(super) const END: u8 = 11;
    pub(super) const FLOAT: u8 = 12;
}

impl CanonicalSerializer<'_> {
    fn write_tagged(&mut self, tag: u8, bytes: &[u8]) {
        self.out.push(tag);
        self.out.extend_from_slice(bytes);
    }

    fn write_text(&mut self, tag: u8, text: &str) {
        self.out.push(tag);
        self.out
            .extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes a name and a value; nothing if the value is zero.
    fn write_field<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        let start = self.out.len();
        self.write_text(tag::FIELD, name);
        let before = self.out.len();
        value.serialize(&mut *self)?;
        if self.out.len() == before {
            self.out.truncate(start);
        }
        Ok(())
    }

    fn write_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        self.out.push(tag::ELEMENT);
        value.serialize(&mut *self)
    }
}

/// Error of a type's own `Serialize`. The serializer itself cannot fail.
#[derive(Debug)]
pub(crate) struct CanonicalError;

impl fmt::Display for CanonicalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value could not be serialized")
    }
}

impl std::error::Error for CanonicalError {}

impl ser::Error for CanonicalError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => { $(
        fn $method(self, v: $type) -> Result<(), CanonicalError> {
            if v != 0 {
                self.write_tagged(tag::INTEGER, &(v as u64).to_le_bytes());
            }
            Ok(())
        }
    )* };
}

macro_rules! signed {
    ($($method:ident: $type:ty),*) => { $(
        fn $method(self, v: $type) -> Result<(), CanonicalError> {
            if v != 0 {
                let tag = if v < 0 { tag::NEGATIVE } else { tag::INTEGER };
                self.write_tagged(tag, &(v.unsigned_abs() as u64).to_le_bytes());
            }
            Ok(())
        }
    )* };
}

impl<'a, 'b> ser::Serializer for &'a mut CanonicalSerializer<'b> {
    type Ok = ();
    type Error = CanonicalError;
    type SerializeSeq = CompoundSerializer<'a, 'b>;
    type SerializeTuple = CompoundSerializer<'a, 'b>;
    type SerializeTupleStruct = CompoundSerializer<'a, 'b>;
    type SerializeTupleVariant = CompoundSerializer<'a, 'b>;
    type SerializeMap = CompoundSerializer<'a, 'b>;
    type SerializeStruct = CompoundSerializer<'a, 'b>;
    type SerializeStructVariant = CompoundSerializer<'a, 'b>;

    integers!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);
    signed!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64);

    fn serialize_bool(self, v: bool) -> Result<(), CanonicalError> {
        if v {
            self.out.push(tag::TRUE);
        }
        Ok(())
    }

    fn serialize_f32(self, v: f32) -> Result<(), CanonicalError> {
        self.serialize_f64(v.into())
    }

    fn serialize_f64(self, v: f64) -> Result<(), CanonicalError> {
        if v != 0.0 {
            self.write_tagged(tag::FLOAT, &v.to_bits().to_le_bytes());
        }
        Ok(())
    }

    fn serialize_char(self, v: char) -> Result<(), CanonicalError> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, v: &str) -> Result<(), CanonicalError> {
        if v.is_empty() {
            return Ok(());
        }
        match self.redactor {
            _ if !v.contains("://") => self.write_text(tag::TEXT, v),
            Some(redactor) => self.write_text(tag::TEXT, &redactor.redact_url(v)),
            None => self.write_text(tag::TEXT, without_fragment(v)),
        }
        Ok(())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), CanonicalError> {
        if !v.is_empty() {
            self.write_tagged(tag::BYTES, &(v.len() as u64).to_le_bytes());
            self.out.extend_from_slice(v);
        }
        Ok(())
    }

    fn serialize_none(self) -> Result<(), CanonicalError> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CanonicalError> {
        self.out.push(tag::SOME);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), CanonicalError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), CanonicalError> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), CanonicalError> {
        self.write_text(tag::VARIANT, variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        self.write_text(tag::VARIANT, variant);
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<CompoundSerializer<'a, 'b>, CanonicalError> {
        Ok(CompoundSerializer::sequence(self))
    }

    fn serialize_tuple(self, _: usize) -> Result<CompoundSerializer<'a, 'b>, CanonicalError> {
        Ok(CompoundSerializer::sequence(self))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<CompoundSerializer<'a, 'b>, CanonicalError> {
        Ok(CompoundSerializer::sequence(self))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<CompoundSerializer<'a, 'b>, CanonicalError> {
        Ok(CompoundSerializer::variant(self, variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<CompoundSerializer<'a, 'b>, CanonicalError> {
        Ok(CompoundSerializer::sequence(self))
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<CompoundSerializer<'a, 'b>, CanonicalError> {
        Ok(CompoundSerializer::new(self))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<CompoundSerializer<'a, 'b>, CanonicalError> {
        Ok(CompoundSerializer::variant(self, variant))
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    fn canonical_bytes<T: Serialize>(value: &T) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, value, None);
        out
    }

    #[derive(Serialize)]
    struct Before {
        a: u32,
        b: Option<u8>,
    }

    #[derive(Serialize)]
    struct After {
        a: u32,
        added: Option<u8>,
        b: Option<u8>,
        list: Vec<u8>,
    }

    #[test]
    fn an_added_unused_field_does_not_change_the_bytes() {
        let before = Before { a: 7, b: Some(0) };
        let mut after = After {
            a: 7,
            added: None,
            b: Some(0),
            list: Vec::new(),
        };
        assert_eq!(canonical_bytes(&before), canonical_bytes(&after));
        after.added = Some(0);
        assert_ne!(canonical_bytes(&before), canonical_bytes(&after));
    }

    #[test]
    fn different_values_have_different_bytes() {
        let values = [
            canonical_bytes(&Some(0u8)),
            canonical_bytes(&None::<u8>),
            canonical_bytes(&Some(1u8)),
            canonical_bytes(&1u8),
            canonical_bytes(&-1i8),
            canonical_bytes(&true),
            canonical_bytes(&[0u8, 5]),
            canonical_bytes(&[5u8, 0]),
            canonical_bytes(&"5"),
            canonical_bytes(&("a", "bc")),
            canonical_bytes(&("ab", "c")),
            canonical_bytes(&Ok::<(), u8>(())),
            canonical_bytes(&Err::<u8, ()>(())),
        ];
        for (i, value) in values.iter().enumerate() {
            assert!(!values[..i].contains(value), "value {i}");
        }
    }
}
