//! Checks users' tokens: HS256 with a shared secret, or RS256, ES256, EdDSA and others with the keys of a JWKS.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::claims::Claims;
use super::jwks::Jwks;
use super::keys::{KeySet, SignatureCheck};
use super::signature::{Algorithm, SecretKey};
use super::signed::SignedClaims;
use super::token::UnverifiedToken;
use super::{AuthError, fetch};
use crate::user::User;

/// Shortest HS256 secret, in bytes (RFC 7518, section 3.2).
const SHORTEST_SECRET: usize = 32;

/// Checks users' tokens.
#[derive(Clone)]
pub struct Verifier {
    keys: Keys,
    audience: Option<String>,
    issuer: Option<String>,
}

#[derive(Clone)]
enum Keys {
    Secret(Arc<SecretKey>),
    File(Arc<KeySet>),
    Url(Jwks),
}

impl Verifier {
    /// HS256 with a shared secret.
    ///
    /// # Errors
    /// If the secret has fewer than 32 bytes.
    pub fn by_secret(secret: &SecretString) -> Result<Self, AuthError> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < SHORTEST_SECRET {
            return Err(AuthError::unusable_key(format!(
                "the JWT secret has {} bytes and needs {SHORTEST_SECRET}: `openssl rand -hex 32` makes one",
                secret.len()
            )));
        }
        Ok(Self::with(Keys::Secret(Arc::new(SecretKey::new(secret)))))
    }

    /// Signs a token that [`Verifier::by_secret`] with the same secret accepts for `lifetime`.
    ///
    /// # Errors
    /// As `by_secret`.
    pub fn sign(secret: &SecretString, user: &User, lifetime: Duration) -> Result<String, AuthError> {
        Self::by_secret(secret)?;
        SignedClaims::of(user, lifetime).encode(&SecretKey::new(secret.expose_secret().as_bytes()))
    }

    /// The keys of a JWKS file. Keys with other purposes or of unsupported types are skipped with a warning.
    ///
    /// # Errors
    /// If the file cannot be read, is not a JWKS, has a damaged or too weak key, or no key that can check a token.
    pub fn by_jwks_file(path: &Path) -> Result<Self, AuthError> {
        let shown = path.display();
        let text = std::fs::read(path).map_err(|error| AuthError::unusable_key(format!("{shown}: {error}")))?;
        let set =
            KeySet::read(&text).map_err(|error| AuthError::unusable_key(format!("{shown} is not a JWKS: {error}")))?;
        for key in &set.skipped {
            if key.is_fault {
                return Err(AuthError::unusable_key(format!("{shown}, {key}: replace the key or take it out")));
            }
            tracing::warn!(%key, jwks = %shown, "a key of the JWKS is not used");
        }
        if set.is_empty() {
            return Err(AuthError::unusable_key(format!(
                "{shown} has no key that can check a token: it needs an RSA, EC or Ed25519 key for signatures"
            )));
        }
        Ok(Self::with(Keys::File(Arc::new(set))))
    }

    /// The keys behind a URL, fetched when first needed and kept up to date.
    ///
    /// # Errors
    /// If it is not an `http` or `https` URL, or no HTTP client can be made.
    pub fn by_jwks_url(url: &str) -> Result<Self, AuthError> {
        Ok(Self::with(Keys::Url(Jwks::new(fetch::of_url(url)?))))
    }

    fn with(keys: Keys) -> Self {
        Self { keys, audience: None, issuer: None }
    }

    /// Requires `aud` to be or to contain this text.
    #[must_use]
    pub fn audience(mut self, audience: Option<String>) -> Self {
        self.audience = audience;
        self
    }

    /// Requires `iss` to be this text.
    #[must_use]
    pub fn issuer(mut self, issuer: Option<String>) -> Self {
        self.issuer = issuer;
        self
    }

    /// Requires tokens of this issuer for this resource. An issuer that was named before stays.
    #[cfg(feature = "mcp")]
    #[must_use]
    pub(crate) fn for_resource(mut self, issuer: &str, resource: &str) -> Self {
        self.audience = Some(resource.to_owned());
        self.issuer.get_or_insert_with(|| issuer.to_owned());
        self
    }

    /// Starts to fetch keys from a URL, so that the first token does not wait for them.
    pub(in crate::gateway) fn prefetch(&self) {
        if let Keys::Url(jwks) = &self.keys {
            jwks.prefetch();
        }
    }

    /// The token's user, and when the token expires.
    pub(super) async fn check(&self, token: &UnverifiedToken<'_>) -> Result<(User, Instant), AuthError> {
        match &self.keys {
            Keys::Secret(key) => {
                if token.algorithm() != Some(Algorithm::Hs256) {
                    return Err(SignatureCheck::OtherAlgorithm.refusal());
                }
                if !token.is_signed_with(key) {
                    return Err(SignatureCheck::WrongSignature.refusal());
                }
            }
            Keys::File(set) => match set.check(token) {
                SignatureCheck::Signed => {}
                otherwise => return Err(otherwise.refusal()),
            },
            Keys::Url(jwks) => jwks.check(token).await?,
        }
        let claims = Claims::read(&token.claims()?)?;
        let until = claims.valid_until()?;
        if let Some(audience) = &self.audience {
            claims.check_audience(audience)?;
        }
        if let Some(issuer) = &self.issuer {
            claims.check_issuer(issuer)?;
        }
        Ok((claims.user()?, until))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("audience", &self.audience)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
