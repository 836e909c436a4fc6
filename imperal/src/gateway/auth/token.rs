//! Parses a signed token before anything in it is trusted.
//!
//! The size is checked first. Of the header only `alg`, `kid` and the presence of `crit` are read; the sender can put
//! anything else there. The claims are read after the signature was checked, by [`claims`](super::claims).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, IgnoredAny};

use super::AuthError;
use super::signature::{Algorithm, PublicKey, SecretKey};

/// Largest token, in bytes.
pub(super) const TOKEN_LIMIT: usize = 8 * 1024;

/// The members of a token's header that are read.
#[derive(serde::Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// True for a member that is present, whatever its value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// A token of three parts. Its signature has not been checked.
pub(super) struct UnverifiedToken<'a> {
    /// `None` for an algorithm that this build does not support.
    algorithm: Option<Algorithm>,
    kid: Option<String>,
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> UnverifiedToken<'a> {
    /// Splits a token into its parts.
    ///
    /// # Errors
    /// If it is too large, does not have three parts, or its header cannot be read or has `crit`.
    pub(super) fn parse(text: &'a str) -> Result<Self, AuthError> {
        if text.len() > TOKEN_LIMIT {
            let size = text.len();
            return Err(AuthError::invalid(format!("The token has {size} bytes; at most {TOKEN_LIMIT} are read.")));
        }
        let not_one = || AuthError::invalid("The token is not a valid one.");
        let (message, signature) = text.rsplit_once('.').ok_or_else(not_one)?;
        let (header, claims) = message.split_once('.').ok_or_else(not_one)?;
        if claims.contains('.') {
            return Err(not_one());
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| not_one())?;
        let header: Header = crate::json::read(&header).map_err(|_| not_one())?;
        if header.crit {
            // RFC 7515, section 4.1.11: these extensions must be understood, and this build supports none.
            return Err(AuthError::invalid("The token's header has `crit`, and no such extension is known here."));
        }
        let algorithm = header.alg.parse().ok();
        Ok(Self { algorithm, kid: header.kid, message, claims, signature })
    }

    /// The id of the key that signed the token, as the token claims.
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// Whether this key made the signature. The algorithm is the key's, never the one that the token names.
    pub(super) fn is_signed_by(&self, key: &PublicKey, algorithm: Algorithm) -> bool {
        self.algorithm == Some(algorithm)
            && self.signature().is_some_and(|signature| key.verifies(algorithm, self.message.as_bytes(), &signature))
    }

    /// Whether the token says HS256 and this secret made the signature.
    pub(super) fn is_signed_with(&self, secret: &SecretKey) -> bool {
        self.algorithm == Some(Algorithm::Hs256)
            && self.signature().is_some_and(|signature| secret.verifies(self.message.as_bytes(), &signature))
    }

    fn signature(&self) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(self.signature).ok()
    }

    /// The claims as JSON text.
    ///
    /// # Errors
    /// If they are not base64url.
    pub(super) fn claims(&self) -> Result<Vec<u8>, AuthError> {
        URL_SAFE_NO_PAD.decode(self.claims).map_err(|_| AuthError::invalid("The token is not a valid one."))
    }
}
