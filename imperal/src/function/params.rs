//! Checks a call's parameters before anything is written (P14).
//!
//! In this order: whole floats become integers where the schema says integer, the schema is checked, and
//! the author's type reads them. The check accepts a value only after the type has. A refusal names the field
//! by its path (`rows[2].id`) and says what would be right, in words for the person who typed it.
//!
//! Where a schema has secrets, no refusal quotes a value or a text of serde's.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::def::BoundHandler;
use super::read::ReadError;
use super::subschemas::Subschemas;
use super::{FunctionDef, bounds, files, integers, redact, refusal};
use crate::codes;
use crate::error::Error;
use crate::files::{FileRef, ParamFiles};
use crate::ids::FileId;
use crate::json;
use crate::panic_text::panic_text;
use crate::result::Result;

/// The schema that a function's parameters are checked against.
pub(crate) fn params_schema(function: &FunctionDef) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    (function.params_schema)(&mut generator).to_value()
}

/// A function's compiled parameter schema.
#[derive(Debug)]
pub(crate) struct ParamsCheck {
    function: &'static FunctionDef,
    schema: Value,
    validator: Validator,
    /// Whether the schema calls any of it `writeOnly`.
    has_secrets: bool,
    /// Whether the schema has a file.
    has_files: bool,
}

/// Why the parameters of a function cannot be checked.
#[derive(Debug)]
pub(crate) enum ParamsFault {
    /// The parameters are not a struct with named fields.
    NotAnObject { function: &'static FunctionDef, found: String },
    /// No validator takes the schema, for example because of a `pattern` that is no regular expression.
    InvalidSchema { function: &'static FunctionDef, why: String },
}

impl fmt::Display for ParamsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject { function, found } => write!(
                f,
                "the parameters of {function:?} are {found}; they must be a struct with named fields: put this type \
                 into a field of one"
            ),
            Self::InvalidSchema { function, why } => {
                write!(f, "the parameter schema of {function:?} is not valid: {why}")
            }
        }
    }
}

impl std::error::Error for ParamsFault {}

/// Parameters that were checked and read.
pub(crate) struct CheckedParams {
    /// The handler with its parameters, ready to run.
    pub(crate) handler: BoundHandler,
    /// The parameters that the chat keeps: without secrets and unknown fields.
    pub(crate) redacted: Value,
    /// The files that they name.
    pub(crate) files: Vec<FileId>,
    /// The parameters of a starter, whose handler may have to run again.
    pub(crate) again: Option<Value>,
}

impl ParamsCheck {
    /// Compiles the schema of a function.
    ///
    /// # Errors
    /// A sentence that names the function, when its parameters are not an object or its schema is not
    /// one that a validator accepts, for example because of a `pattern` that is no regular expression.
    pub(crate) fn compile(function: &'static FunctionDef) -> std::result::Result<Self, ParamsFault> {
        let schema = params_schema(function);
        if let Some(found) = not_an_object(&schema) {
            return Err(ParamsFault::NotAnObject { function, found });
        }
        let validator = bounds::compile(&schema).map_err(|why| ParamsFault::InvalidSchema { function, why })?;
        let (has_secrets, has_files) = (redact::has_secrets(&schema), files::has_files(&schema));
        Ok(Self { function, schema, validator, has_secrets, has_files })
    }

    /// The schema, for forms and documents.
    pub(crate) fn schema(&self) -> &Value {
        &self.schema
    }

    /// The ids of files that the parameters may name: to be looked up before they are read. Objects that are files
    /// become ids.
    pub(crate) fn files_of(&self, params: &mut Value) -> Vec<FileId> {
        if !self.has_files {
            return Vec::new();
        }
        files::to_ids(params);
        files::ids(params)
    }

    /// Checks the parameters and reads them, or names the first field that is wrong. `known`: the user's files among
    /// those that they may name.
    ///
    /// # Errors
    /// `VALIDATION_MISSING_FIELD` or `VALIDATION_TYPE_ERROR`, with the path as field where one is to
    /// blame. `INTERNAL` when the author's own reading panicked.
    pub(crate) fn check_params(&self, mut params: Value, known: Vec<FileRef>) -> Result<CheckedParams> {
        if json::depth(&params) > json::DATA_DEPTH {
            json::discard(params);
            let text = format!("The parameters are nested deeper than {} levels.", json::DATA_DEPTH);
            return Err(Error::user(codes::VALIDATION_TYPE_ERROR, text));
        }
        integers::coerce(&self.schema, &mut params);
        self.check_schema(&params)?;
        let (handler, files) = if self.has_files {
            files::check_types(&self.schema, &params, &known, self.has_secrets)?;
            ParamFiles::new(known).read(|| self.read(&params))
        } else {
            (self.read(&params), Vec::new())
        };
        let again = self.function.starter.then(|| params.clone());
        Ok(CheckedParams { handler: handler?, redacted: self.redact(params), files, again })
    }

    /// Reads parameters that were checked and read before. They name no files.
    ///
    /// # Errors
    /// As `check_params`; only if the author's own reading changed its mind.
    pub(crate) fn read_again(&self, params: &Value) -> Result<BoundHandler> {
        if self.has_files { ParamFiles::new(Vec::new()).read(|| self.read(params)).0 } else { self.read(params) }
    }

    /// The parameters as the chat keeps them: what the schema names, without its secrets. A user who runs
    /// the call again is asked for those.
    fn redact(&self, mut params: Value) -> Value {
        if self.has_secrets || !redact::is_plain(&self.schema, &params) {
            redact::strip(&self.schema, &mut params);
        }
        params
    }

    fn check_schema(&self, params: &Value) -> Result<()> {
        // The check alone is several times cheaper than the search for the error.
        if self.validator.is_valid(params) {
            return Ok(());
        }
        let error = self.validator.iter_errors(params).next();
        error.map_or(Ok(()), |error| Err(refusal::refused(&error, &self.schema, self.has_secrets, refusal::PARAMETERS)))
    }

    fn read(&self, params: &Value) -> Result<BoundHandler> {
        let read = catch_unwind(AssertUnwindSafe(|| (self.function.read)(params))).map_err(|panic| {
            let text =
                if self.has_secrets { "not shown: the parameters have secrets".to_owned() } else { panic_text(panic) };
            tracing::error!(function = self.function.name, panic = text, "reading the parameters panicked");
            Error::internal("the type of the parameters panicked while it was read")
        })?;
        let read = read.map_err(|error| self.unread(&error, params))?;
        match read.swallowed {
            // Among alternatives an error is how the right one is found.
            Some(error) if !self.has_alternatives(&error) => Err(self.unread(&error, params)),
            _ => Ok(read.value),
        }
    }

    fn has_alternatives(&self, error: &ReadError) -> bool {
        let above = error.path().count().saturating_sub(1);
        Subschemas::of_root(&self.schema).at(error.path().take(above)).have_alternatives()
    }

    fn unread(&self, error: &ReadError, params: &Value) -> Error {
        refusal::unread(error, params, &self.schema, self.has_secrets)
    }
}

/// The kind of the parameters when they are not an object.
fn not_an_object(schema: &Value) -> Option<String> {
    let mut root = schema;
    for _ in 0..8 {
        let target = root["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
        match target.and_then(|target| schema.pointer(target)) {
            Some(referred) if root.get("type").is_none() => root = referred,
            _ => break,
        }
    }
    match &root["type"] {
        Value::String(kind) if kind == "object" => None,
        Value::String(kind) if kind == "null" => Some("`()`".to_owned()),
        Value::String(kind) => Some(refusal::with_article(kind)),
        _ if root.get("anyOf").is_some() || root.get("oneOf").is_some() => Some("a choice of several forms".to_owned()),
        _ => Some("of no type".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refuse(schema: Value, params: &Value) -> (String, String, String) {
        #[derive(serde::Deserialize, schemars::JsonSchema)]
        struct Nothing {}
        let check = ParamsCheck {
            function: crate::function::tests::def::<Nothing>(),
            validator: bounds::compile(&schema).unwrap(),
            has_secrets: redact::has_secrets(&schema),
            has_files: false,
            schema,
        };
        let error = check.check_schema(params).unwrap_err();
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
    fn a_choice_of_forms_is_refused_where_the_meant_form_is_wrong() {
        let schema = json!({"type": "object", "properties": {
            "place": {"anyOf": [{"type": "object", "properties": {"x": {"type": "integer"}}}, {"type": "null"}]},
            "shape": {"oneOf": [
                {"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "integer"}}, "required": ["kind", "x"]},
                {"type": "object", "properties": {"kind": {"const": "b"}, "y": {"type": "integer"}}, "required": ["kind", "y"]},
            ]}
        }});
        for (params, field) in [
            (json!({"place": {"x": "1"}}), "place.x"),
            (json!({"place": 1}), "place"),
            (json!({"shape": {"kind": "b"}}), "shape.y"),
            (json!({"shape": {"kind": "b", "y": "1"}}), "shape.y"),
            (json!({"shape": {"kind": "c"}}), "shape"),
        ] {
            assert_eq!(refuse(schema.clone(), &params).1, field, "{params}");
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
