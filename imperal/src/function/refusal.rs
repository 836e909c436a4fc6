//! The text of a refusal: the field, the fault, and the remedy.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::read::{ReadError, Step};
use super::subschemas::Subschemas;
use crate::codes::{self, ErrorCode};
use crate::error::Error;

/// The refusal of parameters or an answer that break their schema; `whole` says which of them.
pub(super) fn refused(error: &ValidationError<'_>, schema: &Value, has_secrets: bool, whole: &str) -> Error {
    let error = innermost(error);
    let mut path = steps_of(error.instance_path().as_str(), schema);
    let (code, text) = match error.kind() {
        Kind::Required { property } => {
            path.push(Step::Field(property.as_str().unwrap_or_default().to_owned()));
            (codes::VALIDATION_MISSING_FIELD, MISSING.to_owned())
        }
        kind => {
            let found = if has_secrets { "that value".to_owned() } else { found(error.instance()) };
            (codes::VALIDATION_TYPE_ERROR, advice(kind, error, &found, has_secrets))
        }
    };
    refusal(code, &path, &text, schema, has_secrets, whole)
}

/// The refusal of parameters that follow their schema and that the type does not take.
pub(super) fn unread(error: &ReadError, params: &Value, schema: &Value, has_secrets: bool) -> Error {
    let mut path: Vec<Step> = error.path().cloned().collect();
    if error.is_missing() {
        return refusal(codes::VALIDATION_MISSING_FIELD, &path, MISSING, schema, has_secrets, PARAMETERS);
    }
    let mut value = at(params, &path);
    // serde reads flattened parts and forms of enums from a copy and then does not say where it was. Text
    // of a wrong form can be found again.
    if value.is_none_or(|value| value.is_object() || value.is_array())
        && let Some(inner) = misformed(value.unwrap_or(params), &Subschemas::of_root(schema).at(&path), &mut path)
    {
        value = Some(inner);
    }
    let forms = Subschemas::of_root(schema).at(&path);
    let found = || value.map_or_else(|| "that value".to_owned(), found);
    let text = match (value, forms.format().and_then(example)) {
        (Some(Value::String(_)), Some(example)) if has_secrets => format!("must be {example}"),
        (Some(Value::String(_)), Some(example)) => format!("must be {example}, not {}", found()),
        (Some(Value::Number(number)), _) if number.is_f64() && forms.allow("integer") && !has_secrets => {
            format!("must be a whole number without a decimal point, not {}", found())
        }
        _ if has_secrets => "has a value that is not right".to_owned(),
        _ => format!("has a value that is not right: {}", error.text().trim_end_matches('.')),
    };
    refusal(codes::VALIDATION_TYPE_ERROR, &path, &text, schema, has_secrets, PARAMETERS)
}

/// All parameters of a call, in a refusal that is about no single field.
pub(super) const PARAMETERS: &str = "the parameters";

const MISSING: &str = "is required and missing";

pub(super) fn refusal(
    code: ErrorCode,
    path: &[Step],
    text: &str,
    schema: &Value,
    has_secrets: bool,
    whole: &str,
) -> Error {
    let path = shown(path, schema, has_secrets);
    let subject = if path.is_empty() { whole.to_owned() } else { format!("`{path}`") };
    let refusal = Error::user(code, format!("{subject} {text}."));
    if path.is_empty() { refusal } else { refusal.with_field(path) }
}

/// `rows[2].id`. Where there are secrets it ends before the first key that the schema does not name: a key
/// of a map is a value too.
fn shown(path: &[Step], schema: &Value, has_secrets: bool) -> String {
    let mut text = String::new();
    let mut forms = Subschemas::of_root(schema);
    for step in path {
        match step {
            Step::Item(at) => text.extend(["[", &at.to_string(), "]"]),
            Step::Field(name) => {
                if has_secrets && !forms.schemas().any(|schema| schema["properties"].get(name).is_some()) {
                    break;
                }
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
        }
        forms = forms.at([step]);
    }
    text
}

/// `/rows/2/id` as steps. Digits are an entry of a list, except where the schema has such a field.
fn steps_of(pointer: &str, schema: &Value) -> Vec<Step> {
    let mut forms = Subschemas::of_root(schema);
    let mut steps = Vec::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let step = match part.parse() {
            Ok(at) if !forms.name_field(&part) => Step::Item(at),
            _ => Step::Field(part),
        };
        forms = forms.at([&step]);
        steps.push(step);
    }
    steps
}

fn at<'a>(params: &'a Value, path: &[Step]) -> Option<&'a Value> {
    path.iter().try_fold(params, |value, step| match step {
        Step::Field(name) => value.get(name),
        Step::Item(at) => value.get(at),
    })
}

/// The first text in a value that is not of the form that its `format` demands; `path` then leads to it.
fn misformed<'a>(value: &'a Value, forms: &Subschemas<'_>, path: &mut Vec<Step>) -> Option<&'a Value> {
    let mut through = |step: Step, value: &'a Value| {
        let inner = forms.at_step(&step);
        path.push(step);
        let found = misformed(value, &inner, path);
        if found.is_none() {
            path.pop();
        }
        found
    };
    match value {
        Value::String(text) => forms.format().is_some_and(|format| !fits(format, text)).then_some(value),
        Value::Array(items) => items.iter().enumerate().find_map(|(at, item)| through(Step::Item(at), item)),
        Value::Object(fields) => fields.iter().find_map(|(name, field)| through(Step::Field(name.clone()), field)),
        _ => None,
    }
}

/// Whether a text has the form that a type of that `format` reads; yes where that is not known.
fn fits(format: &str, text: &str) -> bool {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    match format {
        "uuid" => uuid::Uuid::try_parse(text).is_ok(),
        "ip" => text.parse::<IpAddr>().is_ok(),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "time" | "partial-time" => text.parse::<jiff::civil::Time>().is_ok(),
        "partial-date-time" => text.parse::<jiff::civil::DateTime>().is_ok(),
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "duration" => text.parse::<jiff::Span>().is_ok(),
        _ => true,
    }
}

/// A description of that format, with an example.
fn example(format: &str) -> Option<&'static str> {
    Some(match format {
        "uuid" => "a UUID such as 6f9619ff-8b86-4011-b42d-00cf4fc964ff",
        "ip" => "an IP address such as 192.0.2.1 or 2001:db8::1",
        "ipv4" => "an IPv4 address such as 192.0.2.1",
        "ipv6" => "an IPv6 address such as 2001:db8::1",
        "date" => "a date such as 2026-11-28",
        "time" | "partial-time" => "a time of day such as 08:30:00",
        "partial-date-time" => "a date and time such as 2026-11-28T08:30:00",
        "date-time" => "a date and time with its offset, such as 2026-11-28T08:30:00Z",
        "zoned-date-time" => "a date and time with its zone, such as 2026-11-28T08:30:00+01:00[Europe/Berlin]",
        "duration" => "a duration such as PT1H30M",
        "email" => "an e-mail address such as anna@example.com",
        "file-id" => "the id of a file that you uploaded here and that is still kept",
        "uri" => "a URL such as https://example.com/page",
        _ => return None,
    })
}

/// The error within a choice of forms, where the value shows which form was meant: all others differ in
/// their kind or in their tag.
fn innermost<'a, 'e>(error: &'a ValidationError<'e>) -> &'a ValidationError<'a>
where
    'e: 'a,
{
    let (Kind::AnyOf { context } | Kind::OneOfNotValid { context }) = error.kind() else { return error };
    let other_form = |inner: &ValidationError<'_>| {
        let same_value = inner.instance_path().as_str() == error.instance_path().as_str();
        match inner.kind() {
            Kind::Type { .. } => same_value,
            Kind::Constant { .. } | Kind::Enum { .. } => true,
            _ => false,
        }
    };
    let mut matching = context.iter().filter(|errors| !errors.iter().any(other_form));
    match (matching.next().and_then(|errors| errors.first()), matching.next()) {
        (Some(inner), None) => innermost(inner),
        _ => error,
    }
}

fn advice(kind: &Kind, error: &ValidationError<'_>, found: &str, has_secrets: bool) -> String {
    match kind {
        Kind::Type { kind } => format!("must be {}, not {found}", type_name(kind)),
        Kind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinLength { limit } => {
            format!("must have at least {limit} characters, and has {}", length(error.instance()))
        }
        Kind::MaxLength { limit } => {
            format!("must have at most {limit} characters, and has {}", length(error.instance()))
        }
        Kind::MinItems { limit } => format!("must have at least {limit} entries, and has {}", length(error.instance())),
        Kind::MaxItems { limit } => format!("must have at most {limit} entries, and has {}", length(error.instance())),
        Kind::Minimum { limit } => format!("must be at least {limit}, not {found}"),
        Kind::Maximum { limit } => format!("must be at most {limit}, not {found}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}, not {found}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}, not {found}"),
        Kind::Enum { options } => format!("must be one of {}, not {found}", one_of(options)),
        Kind::Constant { expected_value } => format!("must be {expected_value}, not {found}"),
        Kind::Pattern { pattern } => format!("must match the pattern {pattern}"),
        Kind::Format { format } => match example(format) {
            Some(example) => format!("must be {example}, not {found}"),
            None => format!("must be a {format}, not {found}"),
        },
        Kind::UniqueItems => "must not have the same entry twice".to_owned(),
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } if has_secrets => {
            "has a field that the function does not know".to_owned()
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!("has the unknown field {}", unexpected.join(", "))
        }
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => format!("has none of the forms allowed here: {found}"),
        _ if has_secrets => "has a value that is not right".to_owned(),
        // The validator's own sentence, the value left out: it may be long.
        _ => error.masked().to_string(),
    }
}

fn type_name(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => with_article(&one.to_string()),
        TypeKind::Multiple(many) => many.iter().map(|t| with_article(&t.to_string())).collect::<Vec<_>>().join(" or "),
    }
}

pub(super) fn with_article(name: &str) -> String {
    match name {
        "null" => "null".to_owned(),
        "string" => "text".to_owned(),
        "array" => "a list".to_owned(),
        "integer" => "a whole number".to_owned(),
        "object" => "an object".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => format!("a {other}"),
    }
}

/// The value found, short enough for a sentence.
fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > 40 => "that text".to_owned(),
        short => short.to_string(),
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        _ => 0,
    }
}

fn one_of(options: &Value) -> String {
    match options.as_array() {
        Some(list) => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        None => options.to_string(),
    }
}
