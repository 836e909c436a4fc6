//! Keys of maps: text, numbers, booleans and forms of enums without data.

use serde::ser::{Impossible, Serialize, Serializer};
use serde_json::Number;

use super::data::{DataError, Unfit};

/// Writes the key of a map.
pub(super) struct Key;

fn no_key<T>() -> Result<T, DataError> {
    Err(serde::ser::Error::custom("a key of a map must be text, a number, true or false"))
}

macro_rules! plain_keys {
    ($($method:ident $kind:ty)*) => {$(
        fn $method(self, value: $kind) -> Result<String, DataError> {
            Ok(value.to_string())
        }
    )*};
}

macro_rules! no_keys {
    ($($method:ident ($($argument:ty),*) -> $ok:ty;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$ok, DataError> {
            no_key()
        }
    )*};
}

type Never = Impossible<String, DataError>;

impl Serializer for Key {
    type Ok = String;
    type Error = DataError;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    plain_keys! {
        serialize_bool bool serialize_char char serialize_str &str
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
    }

    fn serialize_f32(self, value: f32) -> Result<String, DataError> {
        if value.is_finite() { Ok(format!("{value:?}")) } else { self.serialize_f64(value.into()) }
    }

    fn serialize_f64(self, value: f64) -> Result<String, DataError> {
        match Number::from_f64(value) {
            Some(number) => Ok(number.to_string()),
            None => Err(DataError::new(Unfit::NotFinite(value))),
        }
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<String, DataError> {
        Ok(variant.to_owned())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<String, DataError> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<String, DataError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<String, DataError> {
        no_key()
    }

    no_keys! {
        serialize_bytes(&[u8]) -> String;
        serialize_none() -> String;
        serialize_unit() -> String;
        serialize_unit_struct(&'static str) -> String;
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }
}
