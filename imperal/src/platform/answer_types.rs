//! The types of answers that bodies have asked for in this process.
//!
//! A type may refuse a value that its schema allows, as a checked newtype does. An answer is tried with the types of its
//! question's schema before it is stored, so that the person who answers learns it. A process that has not asked yet
//! knows no type: the body learns it then.

use std::collections::HashMap;
use std::panic::catch_unwind;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::codes;
use crate::context::AnswerCheck;
use crate::error::Error;
use crate::result::Result;

/// Most schemas that are known at once. A program has a few; one that makes them while it runs may have many.
const MOST: usize = 1_000;

/// The checks of each schema, by its hash.
#[derive(Debug, Default)]
pub(super) struct AnswerTypes(Mutex<HashMap<[u8; 32], Vec<AnswerCheck>>>);

impl AnswerTypes {
    /// Notes a type by its schema as JSON.
    pub(super) fn note(&self, schema: &str, check: AnswerCheck) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Sha256::digest(schema).into();
        if known.len() >= MOST && !known.contains_key(&key) {
            return;
        }
        let checks = known.entry(key).or_default();
        if !checks.iter().any(|one| std::ptr::fn_addr_eq(*one, check)) {
            checks.push(check);
        }
    }

    /// Refuses an answer that no known type of this schema takes.
    ///
    /// # Errors
    /// `VALIDATION_TYPE_ERROR`.
    pub(super) fn check(&self, schema: &Value, answer: &Value) -> Result<()> {
        let key: [u8; 32] = Sha256::digest(schema.to_string()).into();
        let checks = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned().unwrap_or_default();
        let mut refusal = None;
        for check in checks {
            match catch_unwind(|| check(answer)) {
                Ok(Err(why)) => refusal = Some(why),
                // If it panics, that is the author's own code: the body will meet it.
                Ok(Ok(())) | Err(_) => return Ok(()),
            }
        }
        let refuse = |why: String| {
            let text = format!("The answer has a value that is not right: {}.", why.trim_end_matches('.'));
            Err(Error::user(codes::VALIDATION_TYPE_ERROR, text))
        };
        refusal.map_or(Ok(()), refuse)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_refused_when_no_type_of_its_schema_takes_it() {
        let types = AnswerTypes::default();
        let schema = json!({"type": "string"});
        assert!(types.check(&schema, &json!("x")).is_ok(), "no type is known");
        types.note(&schema.to_string(), |answer| if answer == "a" { Ok(()) } else { Err("only a.".to_owned()) });
        let refused = types.check(&schema, &json!("x")).unwrap_err();
        assert_eq!(refused.message(), "The answer has a value that is not right: only a.");
        assert!(types.check(&schema, &json!("a")).is_ok());
        assert!(types.check(&json!({"type": "number"}), &json!("x")).is_ok(), "another schema");
        types.note(&schema.to_string(), |answer| if answer == "x" { Ok(()) } else { Err("only x".to_owned()) });
        assert!(types.check(&schema, &json!("x")).is_ok(), "another type takes it");
    }
}
