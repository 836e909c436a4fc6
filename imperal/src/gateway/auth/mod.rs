//! Authentication: bearer tokens, the page's session cookie, the service token.
//!
//! Owns every comparison of a secret. A request comes from a user (bearer JWT, or the cookie that a one-time link sets)
//! or from a service (`X-Service-Token`). Each route asks for the one that it serves.

mod claims;
mod cookie;
mod error;
mod fetch;
mod jwks;
mod keys;
mod links;
mod local;
mod sessions;
mod signature;
mod signed;
mod token;
mod verifier;

use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::Gateway;
use super::api_error::ApiError;
use super::headers::{self, SERVICE_TOKEN};
use crate::platform::Access;
use crate::user::User;

pub(super) use cookie::CookieScheme;
pub use error::AuthError;
pub(super) use links::{LinkRefusal, OneTimeLinks};
pub use local::LocalKey;
use local::TerminalToken;
pub(crate) use local::{LOCAL_TENANT, LOCAL_USER};
pub(super) use sessions::PageSession;
use token::UnverifiedToken;
pub use verifier::Verifier;

/// Shortest service token, in bytes.
const SHORTEST_SERVICE_TOKEN: usize = 16;

/// The ways to sign in that a gateway accepts.
#[non_exhaustive]
pub struct Auth {
    /// Signs and checks the tokens of this machine's own user: page sessions and terminal tokens.
    pub local: LocalKey,
    /// Checks users' tokens.
    pub users: Option<Verifier>,
    /// The token of services.
    pub service_token: Option<SecretString>,
}

/// A user who has signed in.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) user: User,
    pub(super) by: SignInMethod,
    /// When the token or the session expires.
    until: Instant,
}

/// How a user signed in.
#[derive(Debug)]
pub(super) enum SignInMethod {
    /// A user's token from an issuer.
    Token,
    /// A terminal token of this machine.
    Terminal,
    /// A session cookie of the page.
    Page(PageSession),
}

impl Auth {
    /// Accepts this machine's own user only.
    pub fn local(local: LocalKey) -> Self {
        Self { local, users: None, service_token: None }
    }

    /// Accepts users' tokens that this verifier accepts.
    #[must_use]
    pub fn with_users(mut self, users: Verifier) -> Self {
        self.users = Some(users);
        self
    }

    /// Accepts services that show this token.
    ///
    /// # Errors
    /// If the token has fewer than 16 bytes.
    pub fn with_service_token(mut self, token: SecretString) -> Result<Self, AuthError> {
        let bytes = token.expose_secret().len();
        if bytes < SHORTEST_SERVICE_TOKEN {
            return Err(AuthError::unusable_key(format!(
                "the service token has {bytes} bytes and needs {SHORTEST_SERVICE_TOKEN}: `openssl rand -hex 16` makes one"
            )));
        }
        self.service_token = Some(token);
        Ok(self)
    }

    /// The user who sent this request.
    pub(super) async fn caller(&self, headers: &HeaderMap, method: &Method) -> Result<Caller, ApiError> {
        if let Some(value) = headers::text(headers, &header::AUTHORIZATION)? {
            let Some((_, token)) = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            else {
                return Err(ApiError::unauthenticated("The Authorization header is not `Bearer TOKEN`."));
            };
            return Ok(self.by_token(token.trim()).await?);
        }
        match self.session(headers, method)? {
            Some(session) => {
                let (user, until) = (session.user.clone(), session.until);
                Ok(Caller { user, until, by: SignInMethod::Page(session) })
            }
            None => Err(ApiError::unauthenticated("Send `Authorization: Bearer TOKEN`, or open the page by its link.")),
        }
    }

    async fn by_token(&self, text: &str) -> Result<Caller, AuthError> {
        let token = UnverifiedToken::parse(text)?;
        if let TerminalToken::Valid { user, until } = self.local.check_terminal_token(&token)? {
            return Ok(Caller { user, until, by: SignInMethod::Terminal });
        }
        let Some(users) = &self.users else {
            return Err(AuthError::invalid(
                "The token is not a valid one here: this process accepts only the terminal's own. To accept users' tokens, run `serve` with a JWT key.",
            ));
        };
        let (user, until) = users.check(&token).await?;
        if local::is_local(&user) {
            return Err(AuthError::invalid(format!(
                "The token's `sub` is `{LOCAL_USER}` in tenant `{LOCAL_TENANT}`, which is this machine's own user. Give the user another id or tenant."
            )));
        }
        Ok(Caller { user, until, by: SignInMethod::Token })
    }

    /// The session of the request's cookie. `None` without a cookie.
    fn session(&self, headers: &HeaderMap, method: &Method) -> Result<Option<PageSession>, ApiError> {
        let shown = CookieScheme::of(headers).values(headers, self.local.cookie_name());
        if shown.is_empty() {
            return Ok(None);
        }
        if !method.is_safe() {
            same_origin(headers)?;
        }
        let holding = shown.iter().filter_map(|cookie| self.local.session(cookie).ok());
        let sessions: Vec<PageSession> = holding.collect();
        if sessions.iter().any(|session| session.user != sessions[0].user) {
            return Err(ApiError::unauthenticated(
                "This browser has sessions of several users. Delete its cookies of this host, then open a new link.",
            ));
        }
        let latest = sessions.into_iter().max_by_key(|session| session.until);
        let over = || ApiError::unauthenticated("The session has ended. Open a new link: run the `link` command.");
        latest.ok_or_else(over).map(Some)
    }

    /// `Set-Cookie` of a new session for a user.
    pub(super) fn begin_session(&self, user: &User, way: CookieScheme) -> Result<String, AuthError> {
        Ok(way.set(self.local.cookie_name(), &self.local.new_session(user)?))
    }

    /// `Set-Cookie` with a later end, for a session in use that is due for renewal.
    pub(super) fn renew_session(&self, session: &PageSession, way: CookieScheme) -> Option<String> {
        Some(way.set(self.local.cookie_name(), &self.local.renewed(session)?))
    }

    /// Ends every session of the request. Returns the `Set-Cookie` that deletes it in the browser, or `None` if the
    /// request has no session.
    ///
    /// # Errors
    /// If another site's page sends the request, or the end cannot be stored.
    pub(super) async fn end_sessions(&self, headers: &HeaderMap) -> Result<Option<String>, ApiError> {
        let way = CookieScheme::of(headers);
        let shown = way.values(headers, self.local.cookie_name());
        if shown.is_empty() {
            return Ok(None);
        }
        same_origin(headers)?;
        for session in shown.iter().filter_map(|cookie| self.local.session(cookie).ok()) {
            if let Err(error) = self.local.end(&session).await {
                tracing::error!(%error, "an ended session could not be stored");
                return Err(ApiError::from(crate::Error::user(
                    crate::codes::UNAVAILABLE,
                    "The session is ended only until this process exits: the data folder cannot be written. Try again.",
                )));
            }
        }
        Ok(Some(way.clear(self.local.cookie_name())))
    }

    /// Whether the request has the service token.
    ///
    /// # Errors
    /// 400 if its header cannot be read.
    pub(super) fn is_service(&self, headers: &HeaderMap) -> Result<bool, ApiError> {
        let shown = headers::text(headers, &SERVICE_TOKEN)?;
        let (Some(expected), Some(shown)) = (&self.service_token, shown) else { return Ok(false) };
        Ok(expected.expose_secret().as_bytes().ct_eq(shown.as_bytes()).into())
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

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        match error.retry_after() {
            Some(retry_after) => Self::unavailable(error.to_string(), retry_after),
            None => Self::unauthenticated(error.to_string()),
        }
    }
}

/// Browsers send cookies with requests from any page. A request that changes something must come from the page itself.
pub(super) fn same_origin(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(origin) = headers::text(headers, &header::ORIGIN)? else { return Ok(()) };
    let host = headers::text(headers, &header::HOST)?;
    if origin.split_once("://").is_some_and(|(_, origin)| host.is_some_and(|host| host.eq_ignore_ascii_case(origin))) {
        return Ok(());
    }
    Err(ApiError::from(crate::Error::user(
        crate::codes::PERMISSION_DENIED,
        "The request comes from another site's page. Send it from a page of this host.",
    )))
}

/// When a sign-in ends: its token or session expires, or the user signs out.
#[derive(Debug)]
pub(super) struct SignInExpiry {
    until: Instant,
    session: Option<(String, sessions::EndedSessions)>,
}

impl SignInExpiry {
    /// Waits for the end.
    pub(super) async fn wait(&self) {
        let timeout = tokio::time::sleep_until(self.until);
        match &self.session {
            None => timeout.await,
            Some((id, ended)) => tokio::select! {
                () = timeout => {}
                () = ended.until_ended(id) => {}
            },
        }
    }
}

/// The signed-in user's access to the platform, and how they signed in.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) access: Access,
    pub(super) by: SignInMethod,
    pub(super) end: SignInExpiry,
}

impl FromRequestParts<Gateway> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, ApiError> {
        let Caller { user, by, until } = gateway.auth.caller(&parts.headers, &parts.method).await?;
        gateway.limiter.count_request(&user)?;
        let session = match &by {
            SignInMethod::Page(session) => Some((session.id.clone(), gateway.auth.local.ended().clone())),
            SignInMethod::Token | SignInMethod::Terminal => None,
        };
        Ok(Self { access: gateway.platform.access(user), by, end: SignInExpiry { until, session } })
    }
}

/// The signed-in user's access to the platform.
impl FromRequestParts<Gateway> for Access {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, ApiError> {
        SignedIn::from_request_parts(parts, gateway).await.map(|signed_in| signed_in.access)
    }
}

#[cfg(test)]
mod tests;
