//! Values of several parts: structs, sequences, maps.

use serde::ser::{self, Serialize};

use super::{Canon, Never, tag};

/// A struct, a sequence or a map that is being written.
pub(super) struct Parts<'a, 'b> {
    canon: &'a mut Canon<'b>,
    /// Where it began.
    start: usize,
    /// What is left of it if nothing was written.
    bare: usize,
}

impl<'a, 'b> Parts<'a, 'b> {
    pub(super) fn new(canon: &'a mut Canon<'b>) -> Self {
        let start = canon.out.len();
        Self {
            canon,
            start,
            bare: start,
        }
    }

    pub(super) fn sequence(canon: &'a mut Canon<'b>) -> Self {
        let start = canon.out.len();
        canon.out.push(tag::SEQUENCE);
        let bare = canon.out.len();
        Self { canon, start, bare }
    }

    pub(super) fn variant(canon: &'a mut Canon<'b>, name: &str) -> Self {
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
        impl ser::$trait for Parts<'_, '_> {
            type Ok = ();
            type Error = Never;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: $key_type,)?
                value: &T,
            ) -> Result<(), Never> {
                self.canon.$write($($key,)? value)
            }

            fn end(self) -> Result<(), Never> {
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

impl ser::SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = Never;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Never> {
        self.canon.element(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Never> {
        self.canon.element(value)
    }

    fn end(self) -> Result<(), Never> {
        self.close();
        Ok(())
    }
}
