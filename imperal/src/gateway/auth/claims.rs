//! The claims of a token, read one by one so that errors name the claim.
//!
//! Scopes come as `scopes` or as OAuth's `scope` (RFC 8693, section 4.2; RFC 9068), each a list of strings or one
//! string with spaces.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::AuthError;
use crate::gateway::headers::{TENANT_ID_LIMIT, USER_ID_LIMIT, is_id};
use crate::user::User;

/// Largest difference between clocks of different machines, in seconds.
pub(super) const LEEWAY: f64 = 5.0;

/// The claims of a token whose signature is valid.
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// # Errors
    /// If they are not a JSON object.
    pub(super) fn read(text: &[u8]) -> Result<Self, AuthError> {
        crate::json::read(text).map(Self).map_err(|_| AuthError::invalid("The token's claims are not a JSON object."))
    }

    /// The end of the token's validity, leeway included.
    ///
    /// # Errors
    /// If it has expired, is not valid yet, or has no readable `exp`.
    pub(super) fn valid_until(&self) -> Result<Instant, AuthError> {
        let now = Timestamp::now().as_duration().as_secs_f64();
        let ends = self.number("exp")?.ok_or_else(|| AuthError::invalid("The token has no `exp`."))?;
        let left = ends + LEEWAY - now;
        if left.is_nan() || left <= 0.0 {
            return Err(AuthError::invalid("The token has expired. Sign in again."));
        }
        if self.number("nbf")?.is_some_and(|begins| begins - LEEWAY > now) {
            return Err(AuthError::invalid("The token is not valid yet."));
        }
        Ok(Instant::now() + Duration::try_from_secs_f64(left).unwrap_or(MAX_LIFETIME).min(MAX_LIFETIME))
    }

    /// # Errors
    /// If `aud` is neither this text nor a list that contains it.
    pub(super) fn check_audience(&self, wanted: &str) -> Result<(), AuthError> {
        let holds = match self.0.get("aud") {
            None | Some(Value::Null) => return Err(AuthError::invalid("The token has no `aud`.")),
            Some(Value::String(one)) => one == wanted,
            Some(Value::Array(several)) if several.iter().all(Value::is_string) => {
                several.iter().any(|one| one == wanted)
            }
            Some(other) => return Err(wrong("aud", "a text or a list of texts", other)),
        };
        if holds { Ok(()) } else { Err(AuthError::invalid("The token is meant for another audience.")) }
    }

    /// # Errors
    /// If `iss` is not this text.
    pub(super) fn check_issuer(&self, wanted: &str) -> Result<(), AuthError> {
        match self.text("iss")? {
            None => Err(AuthError::invalid("The token has no `iss`.")),
            Some(issuer) if issuer == wanted => Ok(()),
            Some(_) => Err(AuthError::invalid("The token comes from another issuer.")),
        }
    }

    /// The user that the token names.
    ///
    /// # Errors
    /// If a claim has the wrong type.
    pub(super) fn user(&self) -> Result<User, AuthError> {
        let id = self.text("sub")?.ok_or_else(|| AuthError::invalid("The token has no `sub`."))?;
        let tenant = self.text("tenant_id")?.unwrap_or(super::LOCAL_TENANT);
        for (claim, value, most) in [("sub", id, USER_ID_LIMIT), ("tenant_id", tenant, TENANT_ID_LIMIT)] {
            if !is_id(value, most) {
                let rule = format!("must have 1 to {most} bytes and no control characters");
                return Err(AuthError::invalid(format!("The token's `{claim}` {rule}.")));
            }
        }
        let mut user = User::new(id, tenant);
        user.email = self.text("email")?.map(str::to_owned);
        user.role = self.text("role")?.map(str::to_owned);
        for claim in ["scopes", "scope"] {
            for scope in self.words(claim)? {
                if !user.scopes.iter().any(|held| held == scope) {
                    user.scopes.push(scope.to_owned());
                }
            }
        }
        Ok(user)
    }

    pub(super) fn text(&self, claim: &str) -> Result<Option<&str>, AuthError> {
        match self.0.get(claim) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(claim, "a text", other)),
        }
    }

    fn number(&self, claim: &str) -> Result<Option<f64>, AuthError> {
        match self.0.get(claim) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| wrong(claim, "a number of seconds", value)),
        }
    }

    /// A whole number of seconds.
    pub(super) fn seconds(&self, claim: &str) -> Result<Option<i64>, AuthError> {
        match self.0.get(claim) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| wrong(claim, "a whole number of seconds", value)),
        }
    }

    /// A list of texts, or one text with spaces between them.
    fn words(&self, claim: &str) -> Result<Vec<&str>, AuthError> {
        let kind = "a list of texts, or one text with spaces between them";
        match self.0.get(claim) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(text.split_ascii_whitespace().collect()),
            Some(Value::Array(list)) => {
                list.iter().map(|one| one.as_str().ok_or_else(|| wrong(claim, kind, one))).collect()
            }
            Some(other) => Err(wrong(claim, kind, other)),
        }
    }
}

/// Timers do not reach further than some centuries.
const MAX_LIFETIME: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

fn wrong(claim: &str, kind: &str, value: &Value) -> AuthError {
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    AuthError::invalid(format!("The token's `{claim}` must be {kind}, and is or holds {is}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: &Value) -> Claims {
        Claims::read(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn reads_scopes_in_every_common_form() {
        for scopes in [
            json!({"scopes": ["a", "b"]}),
            json!({"scopes": "a b"}),
            json!({"scope": "a b"}),
            json!({"scope": ["a"], "scopes": "a  b"}),
        ] {
            let mut all = json!({"sub": "anna"});
            all.as_object_mut().unwrap().extend(scopes.as_object().unwrap().clone());
            let mut scopes = claims(&all).user().unwrap().scopes;
            scopes.sort();
            assert_eq!(scopes, ["a", "b"], "{all}");
        }
    }

    #[test]
    fn names_the_claim_that_cannot_be_used() {
        for (claim, value) in [
            ("sub", json!(7)),
            ("sub", json!("")),
            ("sub", json!("anna\nben")),
            ("sub", Value::Null),
            ("tenant_id", json!(42)),
            ("tenant_id", json!("x".repeat(65))),
            ("email", json!(false)),
            ("role", json!(["admin"])),
            ("scopes", json!({"a": true})),
            ("scope", json!([1])),
        ] {
            let mut all = json!({"sub": "anna"});
            all[claim] = value;
            let said = claims(&all).user().unwrap_err().to_string();
            assert!(said.contains(&format!("`{claim}`")), "{all}: {said}");
        }
    }

    #[test]
    fn checks_times_audience_and_issuer() {
        let now = Timestamp::now().as_second();
        assert!(claims(&json!({"exp": now + 60})).valid_until().is_ok());
        assert!(claims(&json!({"exp": 1e300})).valid_until().is_ok());
        for bad in
            [json!({}), json!({"exp": now - 60}), json!({"exp": "soon"}), json!({"exp": now + 60, "nbf": now + 60})]
        {
            assert!(claims(&bad).valid_until().is_err(), "{bad}");
        }
        assert!(claims(&json!({"aud": ["a", "b"]})).check_audience("b").is_ok());
        for bad in [json!({}), json!({"aud": "a"}), json!({"aud": [["b"]]}), json!({"aud": {"b": 1}})] {
            assert!(claims(&bad).check_audience("b").is_err(), "{bad}");
        }
        assert!(claims(&json!({"iss": "i"})).check_issuer("i").is_ok());
        for bad in [json!({}), json!({"iss": "j"}), json!({"iss": ["i"]})] {
            assert!(claims(&bad).check_issuer("i").is_err(), "{bad}");
        }
    }
}
