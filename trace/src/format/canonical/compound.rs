//! Serializes structs, sequences and maps.

use serde::ser::{self, Serialize};

use super::{CanonicalError, CanonicalSerializer, tag};

/// Serializer of one struct, sequence or map.
pub(super) struct CompoundSerializer<'a, 'b> {
    serializer: &'a mut CanonicalSerializer<'b>,
    /// Offset of the value in the output.
    start: usize,
    /// Length of the output if the value turns out to be empty.
    empty_len: usize,
}

impl<'a, 'b> CompoundSerializer<'a, 'b> {
    pub(super) fn new(serializer: &'a mut CanonicalSerializer<'b>) -> Self {
        let start = serializer.out.len();
        Self {
            serializer,
            start,
            empty_len: start,
        }
    }

    pub(super) fn sequence(serializer: &'a mut CanonicalSerializer<'b>) -> Self {
        let start = serializer.out.len();
        serializer.out.push(tag::SEQUENCE);
        let empty_len = serializer.out.len();
        Self {
            serializer,
            start,
            empty_len,
        }
    }

    pub(super) fn variant(serializer: &'a mut CanonicalSerializer<'b>, name: &str) -> Self {
        serializer.write_text(tag::VARIANT, name);
        // The variant's name stays even if the value is empty.
        let here = serializer.out.len();
        Self {
            serializer,
            start: here,
            empty_len: here,
        }
    }

    fn close(self) {
        if self.serializer.out.len() == self.empty_len {
            self.serializer.out.truncate(self.start);
        } else {
            self.serializer.out.push(tag::END);
        }
    }
}

macro_rules! compound_serializers {
    ($($trait:ident::$method:ident($($key:ident: $key_type:ty)?) => $write:ident),* $(,)?) => { $(
        impl ser::$trait for CompoundSerializer<'_, '_> {
            type Ok = ();
            type Error = CanonicalError;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: $key_type,)?
                value: &T,
            ) -> Result<(), CanonicalError> {
                self.serializer.$write($($key,)? value)
            }

            fn end(self) -> Result<(), CanonicalError> {
                self.close();
                Ok(())
            }
        }
    )* };
}

compound_serializers! {
    SerializeSeq::serialize_element() => write_element,
    SerializeTuple::serialize_element() => write_element,
    SerializeTupleStruct::serialize_field() => write_element,
    SerializeTupleVariant::serialize_field() => write_element,
    SerializeStruct::serialize_field(key: &'static str) => write_field,
    SerializeStructVariant::serialize_field(key: &'static str) => write_field,
}

impl ser::SerializeMap for CompoundSerializer<'_, '_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CanonicalError> {
        self.serializer.write_element(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        self.serializer.write_element(value)
    }

    fn end(self) -> Result<(), CanonicalError> {
        self.close();
        Ok(())
    }
}
