//! Values of several parts: structs, sequences, maps.

use serde::ser::{self, Serialize};

use super::{CanonicalError, CanonicalSerializer, tag};

/// A struct, a sequence or a map that is being written.
pub(super) struct CompoundSerializer<'a, 'b> {
    canon: &'a mut CanonicalSerializer<'b>,
    /// Where it began.
    start: usize,
    /// What is left of it if nothing was written.
    bare: usize,
}

impl<'a, 'b> CompoundSerializer<'a, 'b> {
    pub(super) fn new(canon: &'a mut CanonicalSerializer<'b>) -> Self {
        let start = canon.out.len();
        Self {
            canon,
            start,
            bare: start,
        }
    }

    pub(super) fn sequence(canon: &'a mut CanonicalSerializer<'b>) -> Self {
        let start = canon.out.len();
        canon.out.push(tag::SEQUENCE);
        let bare = canon.out.len();
        Self { canon, start, bare }
    }

    pub(super) fn variant(canon: &'a mut CanonicalSerializer<'b>, name: &str) -> Self {
        canon.text(tag::VARIANT, name);
        // The name is there in any case.
        let here = canon.out.len();
        Self {
            canon,
            start: here,
            bare: here,
        }
    }

    fn close(self) {
        if self.canon.out.len() == self.bare {
            self.canon.out.truncate(self.start);
        } else {
            self.canon.out.push(tag::END);
        }
    }
}

macro_rules! parts {
    ($($trait:ident::$method:ident($($key:ident: $key_type:ty)?) => $write:ident),* $(,)?) => { $(
        impl ser::$trait for CompoundSerializer<'_, '_> {
            type Ok = ();
            type Error = CanonicalError;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: $key_type,)?
                value: &T,
            ) -> Result<(), CanonicalError> {
                self.canon.$write($($key,)? value)
            }

            fn end(self) -> Result<(), CanonicalError> {
                self.close();
                Ok(())
            }
        }
    )* };
}

parts! {
    SerializeSeq::serialize_element() => element,
    SerializeTuple::serialize_element() => element,
    SerializeTupleStruct::serialize_field() => element,
    SerializeTupleVariant::serialize_field() => element,
    SerializeStruct::serialize_field(key: &'static str) => field,
    SerializeStructVariant::serialize_field(key: &'static str) => field,
}

impl ser::SerializeMap for CompoundSerializer<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CanonicalError> {
        self.canon.element(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        self.canon.element(value)
    }

    fn end(self) -> Result<(), CanonicalError> {
        self.close();
        Ok(())
    }
}
