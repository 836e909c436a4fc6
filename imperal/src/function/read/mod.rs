//! Reads a call's parameters into the author's type, and records where a reading fails.
//!
//! Has its own deserializer over `serde_json::Value`, because the one of `serde_json` does not report two
//! things: the path to the value that the type refused, and whether a flattened `Option` swallowed an error
//! and became `None`. A reading without errors pays nothing for either.

mod error;
mod key;
mod swallowed_errors;

use std::slice;

use serde::de::value::MapDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde_json::{Map, Number, Value};

pub use error::{ReadError, Step};
use key::KeyReader;

/// A value that was read, and the error that its reading swallowed.
#[derive(Debug)]
#[doc(hidden)]
#[non_exhaustive]
pub struct ReadValue<T> {
    /// The value.
    pub value: T,
    /// The error that made a flattened `Option` `None` although one of its fields was given.
    pub swallowed: Option<ReadError>,
}

/// Reads parameters into the author's type. A unit struct is read from any object.
///
/// # Errors
/// The error for the value that the type refused, with the path to it.
pub(super) fn read<T: DeserializeOwned>(params: &Value) -> Result<ReadValue<T>, ReadError> {
    let (read, suspects) = swallowed_errors::watch(|| T::deserialize(Reader { value: params, is_root: true }));
    let value = read?;
    Ok(ReadValue { value, swallowed: swallowed_errors::find::<T>(params, &suspects) })
}

#[derive(Clone, Copy)]
struct Reader<'de> {
    value: &'de Value,
    is_root: bool,
}

impl<'de> Reader<'de> {
    fn of(value: &'de Value) -> Self {
        Self { value, is_root: false }
    }

    #[cold]
    fn invalid_type(self, expected: &dyn Expected) -> ReadError {
        let found = match self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(found) => Unexpected::Bool(*found),
            Value::Number(found) => match (found.as_u64(), found.as_i64(), found.as_f64()) {
                (Some(found), ..) => Unexpected::Unsigned(found),
                (_, Some(found), _) => Unexpected::Signed(found),
                (.., found) => Unexpected::Float(found.unwrap_or(f64::NAN)),
            },
            Value::String(found) => Unexpected::Str(found),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        ReadError::invalid_type(found, expected)
    }
}

fn number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, ReadError> {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(number), ..) => visitor.visit_u64(number),
        (_, Some(number), _) => visitor.visit_i64(number),
        (.., number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
    }
}

fn list<'de, V: Visitor<'de>>(items: &'de [Value], visitor: V) -> Result<V::Value, ReadError> {
    let mut access = Items { items: items.iter(), at: 0 };
    let read = visitor.visit_seq(&mut access)?;
    match access.items.len() {
        0 => Ok(read),
        _ => Err(ReadError::invalid_length(items.len(), &"fewer entries")),
    }
}

fn object<'de, V: Visitor<'de>>(fields: &'de Map<String, Value>, visitor: V) -> Result<V::Value, ReadError> {
    let mut access = Fields { left: fields.iter(), value: None, done_at: None };
    let read = visitor.visit_map(&mut access)?;
    // An error that is made after the last field and not returned comes from a flattened field of this type.
    if let Some(before) = access.done_at.filter(|before| *before != error::count()) {
        swallowed_errors::suspect(fields, before);
    }
    match access.left.len() {
        0 => Ok(read),
        _ => Err(ReadError::invalid_length(fields.len(), &"fewer fields")),
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            match self.value {
                Value::Number(found) => number(found, visitor),
                _ => Err(self.invalid_type(&visitor)),
            }
        }
    )*};
}

impl<'de> serde::Deserializer<'de> for Reader<'de> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(found) => visitor.visit_bool(*found),
            Value::Number(found) => number(found, visitor),
            Value::String(found) => visitor.visit_borrowed_str(found),
            Value::Array(items) => list(items, visitor),
            Value::Object(fields) => object(fields, visitor),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Bool(found) => visitor.visit_bool(*found),
            _ => Err(self.invalid_type(&visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::String(found) => visitor.visit_borrowed_str(found),
            _ => Err(self.invalid_type(&visitor)),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::String(found) => visitor.visit_borrowed_str(found),
            Value::Array(items) => list(items, visitor),
            _ => Err(self.invalid_type(&visitor)),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            _ => Err(self.invalid_type(&visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Object(_) if self.is_root => visitor.visit_unit(),
            _ => self.deserialize_unit(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        // An author may turn on the feature `raw_value`. Like `serde_json`, this gives a `RawValue` its text.
        if name == "$serde_json::private::RawValue" {
            return visitor.visit_map(MapDeserializer::new(std::iter::once((name, self.value.to_string()))));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Array(items) => list(items, visitor),
            _ => Err(self.invalid_type(&visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Object(fields) => object(fields, visitor),
            _ => Err(self.invalid_type(&visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.value {
            Value::Array(items) => list(items, visitor),
            Value::Object(fields) => object(fields, visitor),
            _ => Err(self.invalid_type(&visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.value {
            Value::String(name) => visitor.visit_enum(Variant { name, value: None }),
            Value::Object(fields) => match (fields.iter().next(), fields.len()) {
                (Some((name, value)), 1) => visitor.visit_enum(Variant { name, value: Some(value) }),
                _ => Err(ReadError::invalid_value(Unexpected::Map, &"an object with one field, which names the form")),
            },
            _ => Err(self.invalid_type(&"text, or an object with one field")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_unit()
    }
}

impl<'de> IntoDeserializer<'de, ReadError> for Reader<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items<'de> {
    items: slice::Iter<'de, Value>,
    at: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let at = self.at;
        self.at += 1;
        seed.deserialize(Reader::of(item)).map(Some).map_err(|error| error.within(Step::Item(at)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Fields<'de> {
    left: serde_json::map::Iter<'de>,
    value: Option<(&'de String, &'de Value)>,
    /// The number of errors made when the type had asked for all fields.
    done_at: Option<u64>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = ReadError;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some((name, value)) = self.left.next() else {
            self.done_at = Some(error::count());
            return Ok(None);
        };
        self.value = Some((name, value));
        seed.deserialize(KeyReader(name)).map(Some).map_err(|error| error.within(Step::Field(name.clone())))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, ReadError> {
        let Some((name, value)) = self.value.take() else {
            return Err(ReadError::custom("a value was asked for before its key"));
        };
        seed.deserialize(Reader::of(value)).map_err(|error| error.within(Step::Field(name.clone())))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// A variant of an enum: its name and its content.
struct Variant<'de> {
    name: &'de String,
    value: Option<&'de Value>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), ReadError> {
        let name = seed.deserialize(KeyReader(self.name))?;
        Ok((name, self))
    }
}

impl<'de> Variant<'de> {
    fn held<T>(&self, expected: &str, read: impl FnOnce(Reader<'de>) -> Result<T, ReadError>) -> Result<T, ReadError> {
        match self.value {
            Some(value) => read(Reader::of(value)).map_err(|error| error.within(Step::Field(self.name.clone()))),
            None => Err(ReadError::invalid_type(Unexpected::UnitVariant, &expected)),
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.value {
            Some(_) => self.held("nothing", serde::Deserialize::deserialize),
            None => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        self.held("a form that holds a value", |value| seed.deserialize(value))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, ReadError> {
        self.held("a form that holds a list", |value| serde::Deserializer::deserialize_seq(value, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.held("a form that holds fields", |value| {
            serde::Deserializer::deserialize_struct(value, "", fields, visitor)
        })
    }
}
