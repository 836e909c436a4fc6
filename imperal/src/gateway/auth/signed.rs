//! Tokens that this program signs itself: HS256, with a key that no other program has.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::AuthError;
use super::signature::SecretKey;
use crate::user::User;

/// The claims of a token to sign.
#[derive(Serialize)]
pub(super) struct SignedClaims<'a> {
    sub: &'a str,
    tenant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    scopes: &'a [String],
    /// The purpose of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aud: Option<&'a str>,
    /// Id and beginning of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth_time: Option<i64>,
    iat: i64,
    pub(super) exp: i64,
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl<'a> SignedClaims<'a> {
    pub(super) fn of(user: &'a User, lifetime: Duration) -> Self {
        let iat = now();
        Self {
            sub: &user.id,
            tenant_id: &user.tenant_id,
            email: user.email.as_deref(),
            role: user.role.as_deref(),
            scopes: &user.scopes,
            aud: None,
            jti: None,
            auth_time: None,
            iat,
            exp: iat.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)),
        }
    }

    /// The claims as a signed token (RFC 7519, compact form).
    pub(super) fn encode(&self, key: &SecretKey) -> Result<String, AuthError> {
        let claims = serde_json::to_vec(self)
            .map_err(|error| AuthError::unusable_key(format!("the claims of the token cannot be written: {error}")))?;
        let mut token = URL_SAFE_NO_PAD.encode(br#"{"typ":"JWT","alg":"HS256"}"#);
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(claims));
        let signature = key.sign(token.as_bytes());
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }
}
