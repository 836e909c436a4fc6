//! Users' tokens: HS256 by a shared secret, RS256 or EdDSA by the keys of a JWKS.
//!
//! The algorithm is the key's, never the token's. A JWKS from a URL is fetched when first needed
//! and again when a token names a key it does not hold, at most once a minute.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::context::User;

/// Shortest HS256 secret, in bytes (RFC 7518, section 3.2).
const SHORTEST_SECRET: usize = 32;
const REFETCH_AFTER: Duration = Duration::from_secs(60);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a token was refused, or a key cannot be used. Never contains the token.
#[derive(Debug, Clone)]
pub struct AuthError(String);

impl AuthError {
    pub(super) fn new(error: &jsonwebtoken::errors::Error) -> Self {
        Self::say(match error.kind() {
            ErrorKind::ExpiredSignature => "The token has expired. Sign in again.",
            ErrorKind::InvalidSignature => "The token's signature is wrong.",
            ErrorKind::InvalidAudience => "The token is meant for another audience.",
            ErrorKind::InvalidIssuer => "The token comes from another issuer.",
            ErrorKind::ImmatureSignature => "The token is not valid yet.",
            ErrorKind::InvalidAlgorithm => "The token's algorithm is not the one of its key.",
            ErrorKind::MissingRequiredClaim(claim) => return Self(format!("The token has no `{claim}`.")),
            _ => "The token is not a valid one.",
        })
    }

    fn say(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AuthError {}

/// The claims that say who a user is.
#[derive(Serialize, Deserialize)]
pub(super) struct Claims {
    sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
}

/// Claims with their end, for signing.
#[derive(Serialize)]
pub(super) struct SignedClaims {
    #[serde(flatten)]
    claims: Claims,
    exp: u64,
}

impl SignedClaims {
    pub(super) fn of(user: &User, lifetime: Duration) -> Self {
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
        Self { claims: Claims::of(user), exp: now.saturating_add(lifetime.as_secs()) }
    }

    pub(super) fn encode(&self, header: &Header, key: &EncodingKey) -> Result<String, AuthError> {
        jsonwebtoken::encode(header, self, key).map_err(|error| AuthError::new(&error))
    }
}

impl Claims {
    fn of(user: &User) -> Self {
        Self {
            sub: user.id.clone(),
            tenant_id: Some(user.tenant_id.clone()),
            email: user.email.clone(),
            role: user.role.clone(),
            scopes: user.scopes.clone(),
        }
    }

    pub(super) fn into_user(self) -> Result<User, AuthError> {
        if self.sub.is_empty() || self.sub.len() > 128 {
            return Err(AuthError::say("The token's `sub` must have 1 to 128 bytes."));
        }
        let tenant_id = self.tenant_id.unwrap_or_else(|| super::LOCAL_TENANT.to_owned());
        if tenant_id.is_empty() || tenant_id.len() > 64 {
            return Err(AuthError::say("The token's `tenant_id` must have 1 to 64 bytes."));
        }
        let mut user = User::new(self.sub, tenant_id);
        user.email = self.email;
        user.role = self.role;
        user.scopes = self.scopes;
        Ok(user)
    }
}

/// Checks users' tokens.
#[derive(Clone)]
pub struct Verifier {
    keys: Keys,
    audience: Option<String>,
    issuer: Option<String>,
}

#[derive(Clone)]
enum Keys {
    Secret(DecodingKey),
    Set(JwkSet),
    Url(Arc<Fetched>),
}

struct Fetched {
    url: String,
    client: reqwest::Client,
    set: RwLock<(JwkSet, Option<Instant>)>,
}

impl Verifier {
    /// HS256 by a secret.
    ///
    /// # Errors
    /// When the secret has fewer than 32 bytes.
    pub fn by_secret(secret: &SecretString) -> Result<Self, AuthError> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < SHORTEST_SECRET {
            return Err(AuthError(format!(
                "the JWT secret has {} bytes and needs {SHORTEST_SECRET}: `openssl rand -hex 32` makes one",
                secret.len()
            )));
        }
        Ok(Self::with(Keys::Secret(DecodingKey::from_secret(secret))))
    }

    /// A token that [`Verifier::by_secret`] of the same secret accepts for `lifetime`.
    ///
    /// # Errors
    /// As `by_secret`.
    pub fn sign(secret: &SecretString, user: &User, lifetime: Duration) -> Result<String, AuthError> {
        Self::by_secret(secret)?;
        let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
        SignedClaims::of(user, lifetime).encode(&Header::new(Algorithm::HS256), &key)
    }

    /// RS256 or EdDSA by the keys of a JWKS file.
    ///
    /// # Errors
    /// When the file cannot be read or is no JWKS.
    pub fn by_jwks_file(path: &Path) -> Result<Self, AuthError> {
        let text = std::fs::read(path).map_err(|error| AuthError(format!("{}: {error}", path.display())))?;
        let set = crate::json::read(&text)
            .map_err(|error| AuthError(format!("{} is not a JWKS: {error}", path.display())))?;
        Ok(Self::with(Keys::Set(set)))
    }

    /// RS256 or EdDSA by the keys behind a URL.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn by_jwks_url(url: &str) -> Result<Self, AuthError> {
        crate::context::choose_cryptography();
        let client = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .build()
            .map_err(|error| AuthError(format!("no client for the JWKS: {error}")))?;
        let set = RwLock::new((JwkSet { keys: Vec::new() }, None));
        Ok(Self::with(Keys::Url(Arc::new(Fetched { url: url.to_owned(), client, set }))))
    }

    fn with(keys: Keys) -> Self {
        Self { keys, audience: None, issuer: None }
    }

    /// Requires `aud` to hold this.
    #[must_use]
    pub fn audience(mut self, audience: Option<String>) -> Self {
        self.audience = audience;
        self
    }

    /// Requires `iss` to be this.
    #[must_use]
    pub fn issuer(mut self, issuer: Option<String>) -> Self {
        self.issuer = issuer;
        self
    }

    pub(super) async fn check(&self, token: &str) -> Result<User, AuthError> {
        let (key, algorithm) = match &self.keys {
            Keys::Secret(key) => (key.clone(), Algorithm::HS256),
            Keys::Set(set) => find(set, kid(token)?.as_deref())?,
            Keys::Url(fetched) => {
                let kid = kid(token)?;
                let held = find(&fetched.held(), kid.as_deref());
                match held {
                    Ok(found) => found,
                    Err(_) => find(&fetched.refetch().await?, kid.as_deref())?,
                }
            }
        };
        let mut validation = Validation::new(algorithm);
        validation.leeway = 5;
        validation.validate_nbf = true;
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.required_spec_claims.insert("aud".to_owned());
            }
            None => validation.validate_aud = false,
        }
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map_err(|error| AuthError::new(&error))?
            .claims
            .into_user()
    }
}

fn kid(token: &str) -> Result<Option<String>, AuthError> {
    Ok(jsonwebtoken::decode_header(token).map_err(|error| AuthError::new(&error))?.kid)
}

/// The named key, or the only one when the token names none.
fn find(set: &JwkSet, kid: Option<&str>) -> Result<(DecodingKey, Algorithm), AuthError> {
    let jwk = match kid {
        Some(kid) => set.find(kid),
        None if set.keys.len() == 1 => set.keys.first(),
        None => None,
    };
    let jwk = jwk.ok_or_else(|| AuthError::say("The token was signed by a key that is not known here."))?;
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::OctetKeyPair(_) => Algorithm::EdDSA,
        _ => return Err(AuthError::say("The token's key is of a kind that is not taken here.")),
    };
    let key = DecodingKey::from_jwk(jwk).map_err(|error| AuthError::new(&error))?;
    Ok((key, algorithm))
}

impl Fetched {
    fn held(&self) -> JwkSet {
        self.set.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    async fn refetch(&self) -> Result<JwkSet, AuthError> {
        {
            // One fetch a minute, whoever asks: an unknown key id is for strangers to make up.
            let mut set = self.set.write().unwrap_or_else(PoisonError::into_inner);
            if set.1.is_some_and(|at| at.elapsed() < REFETCH_AFTER) {
                return Ok(set.0.clone());
            }
            set.1 = Some(Instant::now());
        }
        let fetched: Result<JwkSet, reqwest::Error> =
            async { self.client.get(&self.url).send().await?.error_for_status()?.json().await }.await;
        match fetched {
            Ok(fetched) => {
                self.set.write().unwrap_or_else(PoisonError::into_inner).0 = fetched.clone();
                Ok(fetched)
            }
            Err(error) => {
                tracing::error!(error = %error.without_url(), "the JWKS could not be fetched");
                Err(AuthError::say("Tokens cannot be checked right now. Try again in a minute."))
            }
        }
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
