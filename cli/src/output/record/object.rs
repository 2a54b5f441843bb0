//! Structs whose fields and values are defined together.

/// A struct that is written as a JSON object. Each field is followed by its value, an expression
/// over the source.
macro_rules! json_object {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $Object:ident<$($life:lifetime),*> of $source:ident: $Source:ty {
            $($(#[$doc:meta])* $name:ident: $Value:ty = $value:expr;)*
        }
    ) => {
        $(#[$meta])*
        $visibility struct $Object<$($life),*> {
            $($(#[$doc])* pub(crate) $name: $Value,)*
        }

        impl<$($life),*> $Object<$($life),*> {
            pub(in crate::output) fn new($source: $Source) -> Self {
                Self { $($name: $value,)* }
            }

            /// Appends the object. Names are copied as constants, without serde.
            pub(in crate::output) fn write_json(&self, out: &mut Vec<u8>) {
                let start = out.len();
                $(
                    if self.$name.is_present() {
                        out.extend_from_slice(concat!(",\"", stringify!($name), "\":").as_bytes());
                        self.$name.write_json(out);
                    }
                )*
                // Replaces the first comma.
                out[start] = b'{';
                out.push(b'}');
            }
        }

        impl<$($life),*> Serialize for $Object<$($life),*> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                $(
                    if self.$name.is_present() {
                        map.serialize_entry(stringify!($name), &self.$name)?;
                    }
                )*
                map.end()
            }
        }
    };
}
pub(super) use json_object;
