//! Who is asking: bearer tokens, the page's cookie, the service token.
//!
//! Owns every comparison of a secret. A request is a user (by bearer JWT, or by the cookie that a
//! one-time link sets) or a service (by `X-Service-Token`); a route asks for the one it serves.

mod jwt;
mod links;
mod local;

use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::Gateway;
use super::failure::Failure;
use crate::context::User;
use crate::platform::Access;

pub use jwt::{AuthError, Verifier};
pub(super) use links::Links;
pub use local::LocalKey;
pub(crate) use local::{LOCAL_TENANT, LOCAL_USER};

/// The ways in that this process accepts.
#[non_exhaustive]
pub struct Auth {
    /// Signs and checks the tokens of this machine's own user: the page's cookie, the terminal.
    pub local: LocalKey,
    /// Checks users' tokens.
    pub users: Option<Verifier>,
    /// What services show.
    pub service_token: Option<SecretString>,
}

impl Auth {
    /// Only this machine's own user.
    pub fn local(local: LocalKey) -> Self {
        Self { local, users: None, service_token: None }
    }

    /// Adds users by token.
    #[must_use]
    pub fn with_users(mut self, users: Verifier) -> Self {
        self.users = Some(users);
        self
    }

    /// Adds services by token.
    #[must_use]
    pub fn with_service_token(mut self, token: SecretString) -> Self {
        self.service_token = Some(token);
        self
    }

    pub(super) async fn user(&self, headers: &HeaderMap, method: &Method) -> Result<User, Failure> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let token = value.to_str().ok().and_then(|value| {
                let (scheme, token) = value.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
            });
            let Some(token) = token else {
                return Err(Failure::unauthenticated("The Authorization header is not `Bearer TOKEN`."));
            };
            return self.by_token(token).await;
        }
        match cookie(headers, self.local.cookie_name()) {
            Some(token) => {
                if !method.is_safe() {
                    same_origin(headers)?;
                }
                self.local.check(token).map_err(|_| {
                    Failure::unauthenticated("The session is over. Open a fresh link: run the `link` command.")
                })
            }
            None => Err(Failure::unauthenticated("Send `Authorization: Bearer TOKEN`, or open the page by its link.")),
        }
    }

    async fn by_token(&self, token: &str) -> Result<User, Failure> {
        if LocalKey::signed_here(token) {
            return self.local.check(token).map_err(|error| Failure::unauthenticated(error.to_string()));
        }
        match &self.users {
            Some(users) => users.check(token).await.map_err(|error| Failure::unauthenticated(error.to_string())),
            None => Err(Failure::unauthenticated("This process takes no user tokens: `serve` does, with a JWT key.")),
        }
    }

    /// Whether the request comes from this machine's own user by a token of the terminal's.
    pub(super) fn is_terminal(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        shown.and_then(|value| value.split_once(' ')).is_some_and(|(_, token)| self.local.check(token.trim()).is_ok())
    }

    /// Whether the request shows the service token.
    pub(super) fn is_service(&self, headers: &HeaderMap) -> bool {
        let (Some(expected), Some(shown)) = (&self.service_token, headers.get("x-service-token")) else { return false };
        expected.expose_secret().as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("users", &self.users.is_some())
            .field("service_token", &self.service_token.is_some())
            .finish_non_exhaustive()
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// A cookie travels by itself; what changes something must come from the page that has it.
fn same_origin(headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let same = match text(header::ORIGIN) {
        None => true,
        Some(origin) => origin.split_once("://").is_some_and(|(_, host)| Some(host) == text(header::HOST)),
    };
    if same {
        Ok(())
    } else {
        Err(Failure::from(crate::Error::user(
            crate::codes::PERMISSION_DENIED,
            "This comes from another site's page and is refused.",
        )))
    }
}

/// The signed-in user's door to the platform.
impl FromRequestParts<Gateway> for Access {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Failure> {
        let user = gateway.auth.user(&parts.headers, &parts.method).await?;
        gateway.meter.request(&user)?;
        Ok(gateway.platform.access(user))
    }
}
