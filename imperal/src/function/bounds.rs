//! Compiles the schema that checks parameters: the exported schema, plus the bounds of Rust's number types.
//!
//! `schemars` writes the type of a number into `format` and leaves out most of its bounds. The exported
//! schema keeps the form of the reference SDK. The compiled schema has the bounds, so that the error for a
//! number out of range names the field and the bound.

use jsonschema::Validator;
use serde_json::{Map, Number, Value};

/// Formats that only the author's type checks. The rules of JSON Schema would refuse some texts that the
/// type accepts: `urn:uuid:..`, `20261128`.
const FORMATS_OF_TYPES: &[&str] = &[
    "date",
    "date-time",
    "duration",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri-reference",
    "uri-template",
    "uuid",
];

/// Compiles a schema with the bounds of its types. The validator also checks `email` and `uri`, because the
/// author's type for them is often a plain `String`.
///
/// # Errors
/// A message if the schema is invalid.
pub(super) fn compile(schema: &Value) -> Result<Validator, String> {
    let mut bounded = schema.clone();
    bound(&mut bounded);
    let options = jsonschema::options().should_validate_formats(true).with_format("uri", is_url);
    FORMATS_OF_TYPES
        .iter()
        .fold(options, |options, format| options.with_format(*format, |_: &str| true))
        .build(&bounded)
        .map_err(|error| error.to_string())
}

fn is_url(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok()
}

/// Adds the bounds of each number's type, in a schema and in all schemas inside it.
fn bound(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(bound),
        Value::Object(fields) => {
            bound_one(fields);
            for (key, value) in fields.iter_mut() {
                match (key.as_str(), value) {
                    ("properties" | "patternProperties" | "$defs" | "dependentSchemas", Value::Object(schemas)) => {
                        schemas.values_mut().for_each(bound);
                    }
                    ("default" | "const" | "enum" | "examples", _) => {}
                    (_, value) => bound(value),
                }
            }
        }
        _ => {}
    }
}

fn bound_one(schema: &mut Map<String, Value>) {
    let Some((least, most)) = schema.get("format").and_then(Value::as_str).and_then(range) else { return };
    let tighter = |now: Option<&Value>, of_type: &Number, is_tighter: fn(f64, f64) -> bool| match now {
        Some(Value::Number(now)) => is_tighter(now.as_f64().unwrap_or_default(), of_type.as_f64().unwrap_or_default()),
        _ => false,
    };
    if !tighter(schema.get("minimum"), &least, |now, of_type| now >= of_type) {
        schema.insert("minimum".to_owned(), Value::Number(least));
    }
    if !tighter(schema.get("maximum"), &most, |now, of_type| now <= of_type) {
        schema.insert("maximum".to_owned(), Value::Number(most));
    }
}

/// The smallest and the largest number of a format. A JSON number beyond 64 bits is a float, which no integer
/// type accepts.
fn range(format: &str) -> Option<(Number, Number)> {
    let signed = |least: i64, most: i64| (Number::from(least), Number::from(most));
    let unsigned = |most: u64| (Number::from(0_u64), Number::from(most));
    Some(match format {
        "int8" => signed(i8::MIN.into(), i8::MAX.into()),
        "int16" => signed(i16::MIN.into(), i16::MAX.into()),
        "int32" => signed(i32::MIN.into(), i32::MAX.into()),
        "int64" | "int" => signed(i64::MIN, i64::MAX),
        "int128" => (Number::from(i64::MIN), Number::from(u64::MAX)),
        "uint8" => unsigned(u8::MAX.into()),
        "uint16" => unsigned(u16::MAX.into()),
        "uint32" => unsigned(u32::MAX.into()),
        "uint64" | "uint" | "uint128" => unsigned(u64::MAX),
        "float" => (Number::from_f64(f32::MIN.into())?, Number::from_f64(f32::MAX.into())?),
        _ => return None,
    })
}
