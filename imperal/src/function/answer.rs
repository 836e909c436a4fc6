//! Checks the answer to a question against the schema that the question was asked with.

use serde_json::Value;

use super::{bounds, integers, refusal};
use crate::codes;
use crate::error::Error;
use crate::json;
use crate::result::Result;

/// The field of a request that has the answer.
pub(crate) const ANSWER: &str = "answer";

/// Checks an answer, and makes whole floats integers where the schema says integer.
///
/// # Errors
/// `VALIDATION_MISSING_FIELD` or `VALIDATION_TYPE_ERROR`, with the path in a form as field, or `answer` for an answer
/// that is no form. `INTERNAL` for a schema that no validator takes.
pub(crate) fn check_answer(schema: &Value, mut answer: Value) -> Result<Value> {
    if json::depth(&answer) > json::DATA_DEPTH {
        json::discard(answer);
        let text = format!("The answer is nested deeper than {} levels.", json::DATA_DEPTH);
        return Err(Error::user(codes::VALIDATION_TYPE_ERROR, text).with_field(ANSWER));
    }
    let is_form = answer.is_object();
    integers::coerce(schema, &mut answer);
    let validator = bounds::compile(schema)
        .map_err(|why| Error::internal(format!("the schema of the question cannot be checked: {why}")))?;
    let refused =
        validator.iter_errors(&answer).next().map(|error| refusal::refused(&error, schema, false, "the answer"));
    match refused {
        None => Ok(answer),
        Some(error) if error.field().is_none() && !is_form => Err(error.with_field(ANSWER)),
        Some(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refused_answer_names_the_field() {
        let schema = json!({
            "type": "object",
            "properties": {"count": {"type": "integer", "minimum": 1}},
            "required": ["count"]
        });
        assert_eq!(check_answer(&schema, json!({"count": 2.0})).unwrap(), json!({"count": 2}));
        let missing = check_answer(&schema, json!({})).unwrap_err();
        assert_eq!((missing.code(), missing.field()), (&codes::VALIDATION_MISSING_FIELD, Some("count")));
        let low = check_answer(&schema, json!({"count": 0})).unwrap_err();
        assert_eq!((low.code(), low.field()), (&codes::VALIDATION_TYPE_ERROR, Some("count")));
        let other = check_answer(&json!({"enum": ["yes", "no"]}), json!("maybe")).unwrap_err();
        assert!(other.message().starts_with("the answer "), "{other}");
        assert_eq!(other.field(), Some(ANSWER));
    }
}
