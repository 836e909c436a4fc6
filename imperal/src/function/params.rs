//! Checks a call's parameters against the function's schema before the handler runs (P14).
//!
//! The schema is compiled once at start. A refusal names the field by its path (`rows[2].id`) and
//! says what would be right, in words for the person who typed it.

use jsonschema::{
    ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{FunctionDef, secret};
use crate::codes;
use crate::error::Error;
use crate::result::Result;

/// The schema that a function's parameters are checked against.
pub(crate) fn params_schema(function: &FunctionDef) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    (function.params_schema)(&mut generator).to_value()
}

/// A function's compiled parameter schema.
#[derive(Debug)]
pub(crate) struct ParamsCheck {
    schema: Value,
    validator: Validator,
    /// Whether the schema calls any of it `writeOnly`.
    has_secrets: bool,
}

impl ParamsCheck {
    /// Compiles the schema of a function.
    ///
    /// # Errors
    /// A sentence naming the function when its schema is none a validator accepts, a `pattern`
    /// that is no regular expression for example.
    pub(crate) fn compile(function: &FunctionDef) -> std::result::Result<Self, String> {
        let schema = params_schema(function);
        let validator = jsonschema::validator_for(&schema)
            .map_err(|error| format!("the parameter schema of {function:?} is not valid: {error}"))?;
        Ok(Self { has_secrets: secret::any(&schema), schema, validator })
    }

    /// The schema, for forms and documents.
    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    /// The parameters as the chat keeps them: without what the schema calls `writeOnly`, at any depth, a
    /// key or a password. Whoever runs the call again is asked for it anew.
    pub(crate) fn kept(&self, params: &Value) -> Value {
        let mut kept = params.clone();
        if self.has_secrets {
            secret::strip(&self.schema, &mut kept);
        }
        kept
    }

    /// Accepts the parameters or names the first field that is wrong.
    ///
    /// # Errors
    /// `VALIDATION_MISSING_FIELD` or `VALIDATION_TYPE_ERROR`, with the path as field.
    pub(crate) fn check(&self, params: &Value) -> Result<()> {
        // The answer alone is several times cheaper than the search for what is wrong.
        if self.validator.is_valid(params) {
            return Ok(());
        }
        self.validator.iter_errors(params).next().map_or(Ok(()), |error| {
            // What is not kept is not said either.
            let at = error.instance_path().as_str();
            let secret =
                self.has_secrets && self.kept(params).pointer(at).is_none_or(|kept| *kept != **error.instance());
            Err(refusal(&error, secret))
        })
    }
}

fn refusal(error: &ValidationError<'_>, secret: bool) -> Error {
    let mut path = path_of(error.instance_path().as_str());
    let (code, text) = match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            (codes::VALIDATION_MISSING_FIELD, "is required and missing".to_owned())
        }
        kind => {
            let found = if secret { "that value".to_owned() } else { found(error.instance()) };
            (codes::VALIDATION_TYPE_ERROR, advice(kind, error, &found))
        }
    };
    let subject = if path.is_empty() { "the parameters".to_owned() } else { format!("`{path}`") };
    let refusal = Error::user(code, format!("{subject} {text}."));
    if path.is_empty() { refusal } else { refusal.with_field(path) }
}

fn advice(kind: &Kind, error: &ValidationError<'_>, found: &str) -> String {
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
        Kind::Format { format } => format!("must be a {format}, not {found}"),
        Kind::UniqueItems => "must not have the same entry twice".to_owned(),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!("has the unknown field {}", unexpected.join(", "))
        }
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => format!("has none of the forms allowed here: {found}"),
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

fn with_article(name: &str) -> String {
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

/// `/rows/2/id` as `rows[2].id`.
fn path_of(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !path.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            path.extend(["[", &part, "]"]);
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&part);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refuse(schema: Value, params: &Value) -> (String, String, String) {
        let check = ParamsCheck {
            validator: jsonschema::validator_for(&schema).unwrap(),
            has_secrets: secret::any(&schema),
            schema,
        };
        let error = check.check(params).unwrap_err();
        (error.code().to_string(), error.field().unwrap_or_default().to_owned(), error.message().to_owned())
    }

    #[test]
    fn each_refusal_names_the_field_and_the_way_out() {
        let schema = json!({"type": "object", "required": ["text"], "properties": {
            "text": {"type": "string", "minLength": 1, "maxLength": 5},
            "rows": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "maximum": 9}}}},
            "mode": {"enum": ["a", "b"]}, "nick": {"type": ["string", "null"]}
        }});
        let cases = [
            (json!({}), "VALIDATION_MISSING_FIELD", "text", "`text` is required and missing."),
            (json!({"text": 5}), "VALIDATION_TYPE_ERROR", "text", "`text` must be text, not 5."),
            (json!({"text": ""}), "VALIDATION_TYPE_ERROR", "text", "`text` must not be empty."),
            (
                json!({"text": "äöüßéè"}),
                "VALIDATION_TYPE_ERROR",
                "text",
                "`text` must have at most 5 characters, and has 6.",
            ),
            (
                json!({"text": "a", "rows": [{"id": 1}, {}]}),
                "VALIDATION_MISSING_FIELD",
                "rows[1].id",
                "`rows[1].id` is required and missing.",
            ),
            (
                json!({"text": "a", "rows": [{"id": 10}]}),
                "VALIDATION_TYPE_ERROR",
                "rows[0].id",
                "`rows[0].id` must be at most 9, not 10.",
            ),
            (
                json!({"text": "a", "mode": "c"}),
                "VALIDATION_TYPE_ERROR",
                "mode",
                "`mode` must be one of \"a\", \"b\", not \"c\".",
            ),
            (
                json!({"text": "a", "nick": []}),
                "VALIDATION_TYPE_ERROR",
                "nick",
                "`nick` must be null or text, not a list.",
            ),
            (json!([]), "VALIDATION_TYPE_ERROR", "", "the parameters must be an object, not a list."),
        ];
        for (params, code, field, text) in cases {
            assert_eq!(
                refuse(schema.clone(), &params),
                (code.to_owned(), field.to_owned(), text.to_owned()),
                "{params}"
            );
        }
    }

    #[test]
    fn a_secret_is_not_said_back() {
        let schema = json!({"type": "object", "properties": {
            "login": {"type": "object", "properties": {"pin": {"type": "string", "pattern": "^x$", "writeOnly": true}}}
        }});
        let said = refuse(schema.clone(), &json!({"login": {"pin": 4711}}));
        assert_eq!((&*said.1, &*said.2), ("login.pin", "`login.pin` must be text, not that value."));
        assert!(!refuse(schema, &json!({"login": {"pin": "4711"}})).2.contains("4711"));
    }
}
