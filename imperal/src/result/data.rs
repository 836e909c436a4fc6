//! Turns an author's data into JSON, within the limits of a result.
//!
//! A serializer of its own over `serde_json::Value`: it stops at [`DATA_DEPTH`](crate::json::DATA_DEPTH)
//! before the stack ends, stops building at [`RESULT_LIMIT`] and only counts on, and names the field that
//! is not a number. `serde_json` would write NaN as `null`.

use std::cell::Cell;
use std::fmt::{self, Display};

use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

use super::compound::{List, Object};
use super::delivery::RESULT_LIMIT;
use crate::json::DATA_DEPTH;

/// Why data is not a result.
#[derive(Debug)]
pub(super) enum Unfit {
    /// A float is NaN or infinite.
    NotFinite(f64),
    /// Nested deeper than a result may be.
    TooDeep,
    /// An error of serde or of the author's type.
    Other(String),
}

/// [`Unfit`], with the way to it from the inside out.
#[derive(Debug)]
pub(super) struct DataError {
    pub(super) unfit: Unfit,
    steps: Vec<String>,
}

impl DataError {
    #[cold]
    pub(super) fn new(unfit: Unfit) -> Self {
        Self { unfit, steps: Vec::new() }
    }

    pub(super) fn within(mut self, step: impl FnOnce() -> String) -> Self {
        // The path to a value that is too deep would be long and of no use.
        if !matches!(self.unfit, Unfit::TooDeep) {
            self.steps.push(step());
        }
        self
    }

    /// `rows[2].ratio`; empty for the data itself.
    pub(super) fn path(&self) -> String {
        let path: String = self.steps.iter().rev().map(String::as_str).collect();
        path.strip_prefix('.').map(str::to_owned).unwrap_or(path)
    }
}

impl Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unfit {
            Unfit::NotFinite(value) => write!(f, "{value} is not a JSON number"),
            Unfit::TooDeep => write!(f, "nested deeper than {DATA_DEPTH} levels"),
            Unfit::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for DataError {}

impl serde::ser::Error for DataError {
    fn custom<T: Display>(text: T) -> Self {
        Self::new(Unfit::Other(text.to_string()))
    }
}

/// Counts the bytes that a result has as JSON text.
#[derive(Debug)]
pub(super) struct Size {
    bytes: Cell<usize>,
    limit: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { bytes: Cell::new(0), limit: RESULT_LIMIT }
    }
}

impl Size {
    /// For a value whose size is checked elsewhere.
    pub(super) fn unlimited() -> Self {
        Self { limit: usize::MAX, ..Self::default() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    pub(super) fn add(&self, bytes: usize) {
        self.bytes.set(self.bytes().saturating_add(bytes));
    }

    pub(super) fn is_over(&self) -> bool {
        self.bytes() > self.limit
    }

    pub(super) fn add_text(&self, text: &str) {
        let escaped = |byte: u8| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 1,
            0..=0x1f => 5,
            _ => 0,
        };
        self.add(text.len() + 2 + text.bytes().map(escaped).sum::<usize>());
    }
}

/// The data as JSON. Once it is over the limit the rest is only counted and the value is of no use.
///
/// # Errors
/// Data that JSON has no form for, or that is too deep.
pub(super) fn write<T: Serialize + ?Sized>(data: &T, size: &Size) -> Result<Value, DataError> {
    data.serialize(Writer { size, depth: 0 })
}

/// Counts a value of the author's own, which may be nested as deep as it likes.
pub(super) fn measure(value: &Value, size: &Size) {
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Null | Value::Bool(true) => size.add(4),
            Value::Bool(false) => size.add(5),
            Value::Number(number) => size.add(number.to_string().len()),
            Value::String(text) => size.add_text(text),
            Value::Array(items) => {
                size.add(2 + items.len().saturating_sub(1));
                left.extend(items);
            }
            Value::Object(fields) => {
                size.add(2 + fields.len().saturating_sub(1));
                for (name, value) in fields {
                    size.add_text(name);
                    size.add(1);
                    left.push(value);
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Writer<'a> {
    pub(super) size: &'a Size,
    /// How many lists and objects hold this value.
    pub(super) depth: usize,
}

impl Writer<'_> {
    fn number(self, number: impl Into<Number>, digits: u32) -> Value {
        self.size.add(digits as usize);
        Value::Number(number.into())
    }

    fn text(self, text: &str) -> Value {
        self.size.add_text(text);
        if self.size.is_over() { Value::Null } else { Value::String(text.to_owned()) }
    }

    /// One level further in.
    fn inside(self) -> Result<Self, DataError> {
        self.size.add(2);
        if self.depth == DATA_DEPTH {
            return Err(DataError::new(Unfit::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'a> Serializer for Writer<'a> {
    type Ok = Value;
    type Error = DataError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    fn serialize_bool(self, value: bool) -> Result<Value, DataError> {
        self.size.add(if value { 4 } else { 5 });
        Ok(Value::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Result<Value, DataError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<Value, DataError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<Value, DataError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<Value, DataError> {
        let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
        Ok(self.number(value, digits + u32::from(value < 0)))
    }

    fn serialize_i128(self, value: i128) -> Result<Value, DataError> {
        match (u64::try_from(value), i64::try_from(value)) {
            (Ok(value), _) => self.serialize_u64(value),
            (_, Ok(value)) => self.serialize_i64(value),
            _ => Err(serde::ser::Error::custom("a number has more than 64 bits")),
        }
    }

    fn serialize_u8(self, value: u8) -> Result<Value, DataError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<Value, DataError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<Value, DataError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<Value, DataError> {
        Ok(self.number(value, value.checked_ilog10().unwrap_or(0) + 1))
    }

    fn serialize_u128(self, value: u128) -> Result<Value, DataError> {
        match u64::try_from(value) {
            Ok(value) => self.serialize_u64(value),
            Err(_) => Err(serde::ser::Error::custom("a number has more than 64 bits")),
        }
    }

    fn serialize_f32(self, value: f32) -> Result<Value, DataError> {
        if !value.is_finite() {
            return Err(DataError::new(Unfit::NotFinite(value.into())));
        }
        self.size.add(FLOAT_SIZE);
        Ok(Value::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<Value, DataError> {
        let Some(number) = Number::from_f64(value) else { return Err(DataError::new(Unfit::NotFinite(value))) };
        self.size.add(FLOAT_SIZE);
        Ok(Value::Number(number))
    }

    fn serialize_char(self, value: char) -> Result<Value, DataError> {
        Ok(self.text(value.encode_utf8(&mut [0; 4])))
    }

    fn serialize_str(self, value: &str) -> Result<Value, DataError> {
        Ok(self.text(value))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Value, DataError> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<Value, DataError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Value, DataError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, DataError> {
        self.size.add(4);
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Value, DataError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Value, DataError> {
        Ok(self.text(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Value, DataError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Value, DataError> {
        let mut object = self.object(1)?;
        object.field(variant, value)?;
        Ok(Value::Object(object.fields))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<List<'a>, DataError> {
        self.list(length.unwrap_or(0))
    }

    fn serialize_tuple(self, length: usize) -> Result<List<'a>, DataError> {
        self.list(length)
    }

    fn serialize_tuple_struct(self, _name: &'static str, length: usize) -> Result<List<'a>, DataError> {
        self.list(length)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<List<'a>, DataError> {
        self.size.add(variant.len() + 3);
        Ok(List { variant: Some(variant), ..self.inside()?.list(length)? })
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Object<'a>, DataError> {
        self.object(length.unwrap_or(0))
    }

    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Object<'a>, DataError> {
        // serde_json's `RawValue`, and its numbers with all digits, in a build that has them.
        let is_text_of_json = name.starts_with("$serde_json::private::");
        Ok(Object { is_text_of_json, ..self.object(length)? })
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Object<'a>, DataError> {
        self.size.add(variant.len() + 3);
        Ok(Object { variant: Some(variant), ..self.inside()?.object(length)? })
    }
}

/// The size of a float: most have about that many digits.
const FLOAT_SIZE: usize = 18;

/// Most entries that are allocated in advance.
const MAX_PREALLOCATED: usize = 4096;

impl<'a> Writer<'a> {
    fn list(self, length: usize) -> Result<List<'a>, DataError> {
        Ok(List {
            writer: self.inside()?,
            items: Vec::with_capacity(length.min(MAX_PREALLOCATED)),
            count: 0,
            variant: None,
        })
    }

    fn object(self, length: usize) -> Result<Object<'a>, DataError> {
        let fields = Map::with_capacity(length.min(MAX_PREALLOCATED));
        Ok(Object { writer: self.inside()?, fields, count: 0, key: None, variant: None, is_text_of_json: false })
    }
}
