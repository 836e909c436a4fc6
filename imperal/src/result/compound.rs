//! Serializes lists and objects.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant};
use serde::ser::{SerializeTuple, SerializeTupleStruct, SerializeTupleVariant};
use serde_json::{Map, Value};

use super::data::{DataError, Unfit, Writer};
use super::key::Key;
use crate::json;

/// The value under the name of its form, for an enum.
fn in_variant(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::Object(Map::from_iter([(variant.to_owned(), value)])),
        None => value,
    }
}

pub(super) struct List<'a> {
    pub(super) writer: Writer<'a>,
    pub(super) items: Vec<Value>,
    pub(super) count: usize,
    pub(super) variant: Option<&'static str>,
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DataError> {
        let at = self.count;
        self.count += 1;
        self.writer.size.add(usize::from(at > 0));
        let item = value.serialize(self.writer).map_err(|error| error.within(|| format!("[{at}]")))?;
        if !self.writer.size.is_over() {
            self.items.push(item);
        }
        Ok(())
    }

    fn end(self) -> Value {
        in_variant(self.variant, Value::Array(self.items))
    }
}

macro_rules! lists {
    ($($of:ident $method:ident)*) => {$(
        impl $of for List<'_> {
            type Ok = Value;
            type Error = DataError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DataError> {
                self.item(value)
            }

            fn end(self) -> Result<Value, DataError> {
                Ok(List::end(self))
            }
        }
    )*};
}

lists! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

pub(super) struct Object<'a> {
    pub(super) writer: Writer<'a>,
    pub(super) fields: Map<String, Value>,
    pub(super) count: usize,
    pub(super) key: Option<String>,
    pub(super) variant: Option<&'static str>,
    /// Whether its one field is JSON text that replaces the object.
    pub(super) is_text_of_json: bool,
}

impl Object<'_> {
    pub(super) fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), DataError> {
        self.writer.size.add_text(name);
        self.writer.size.add(1 + usize::from(self.count > 0));
        self.count += 1;
        let value = value.serialize(self.writer).map_err(|error| error.within(|| format!(".{name}")))?;
        if !self.writer.size.is_over() {
            self.fields.insert(name.to_owned(), value);
        }
        Ok(())
    }

    fn end(self) -> Result<Value, DataError> {
        if !self.is_text_of_json {
            return Ok(in_variant(self.variant, Value::Object(self.fields)));
        }
        let Some((_, Value::String(text))) = self.fields.into_iter().next() else { return Ok(Value::Null) };
        let value: Value = json::read(text.as_bytes()).map_err(serde::ser::Error::custom)?;
        // The object itself is not there.
        if self.writer.depth - 1 + json::depth(&value) > json::DATA_DEPTH {
            return Err(DataError::new(Unfit::TooDeep));
        }
        Ok(value)
    }
}

impl SerializeMap for Object<'_> {
    type Ok = Value;
    type Error = DataError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), DataError> {
        self.key = Some(key.serialize(Key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DataError> {
        match self.key.take() {
            Some(key) => self.field(&key, value),
            None => Err(serde::ser::Error::custom("a value came before its key")),
        }
    }

    fn end(self) -> Result<Value, DataError> {
        Object::end(self)
    }
}

macro_rules! structs {
    ($($of:ident)*) => {$(
        impl $of for Object<'_> {
            type Ok = Value;
            type Error = DataError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), DataError> {
                self.field(name, value)
            }

            fn end(self) -> Result<Value, DataError> {
                Object::end(self)
            }
        }
    )*};
}

structs!(SerializeStruct SerializeStructVariant);
