//! The platform over HTTP: routes, authentication, live events, the chat page.
//!
//! Owns HTTP only: a route turns a request into one call of [`Access`](crate::platform::Access) and its result into
//! JSON.

mod allowed;
mod api_error;
mod audit;
mod auth;
mod body;
mod calls;
mod chat;
mod connection;
mod crowd;
mod documents;
mod draft_cursor;
mod drafts;
mod extensions;
mod files;
mod follow_up;
mod headers;
mod health;
mod hosts;
mod idempotency;
mod inject;
mod limits;
mod listener;
#[cfg(feature = "mcp")]
mod mcp;
mod metrics;
mod openapi;
mod operators;
mod page;
mod panics;
mod questions;
mod say;
mod schedules;
mod secrets;
mod session;
mod stream;
mod tasks;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use tokio_util::sync::CancellationToken;

pub use auth::{Auth, AuthError, LocalKey, Verifier};
pub(crate) use auth::{LOCAL_TENANT, LOCAL_USER};
pub use connection::ConnectionLimits;
pub use hosts::AllowedHosts;
pub use limits::UserLimits;
pub(crate) use listener::Listener;
pub use secrecy::SecretString;

use crate::platform::Platform;
use crate::user::User;
use auth::OneTimeLinks;

/// State that all routes share.
#[derive(Clone)]
pub(crate) struct Gateway {
    platform: Platform,
    auth: Arc<Auth>,
    links: Arc<OneTimeLinks>,
    /// The host names that it accepts.
    hosts: Arc<AllowedHosts>,
    /// The bound address. `None` behind a listener outside this crate.
    address: Option<SocketAddr>,
    limiter: Arc<limits::UserLimiter>,
    crowds: crowd::Crowds,
    /// The tenant of a service's message that names none.
    service_tenant: Arc<str>,
    wrong_tokens: Arc<inject::WrongTokenLog>,
    readiness: Arc<health::Readiness>,
    #[cfg(feature = "mcp")]
    mcp: Arc<crate::mcp::Mcp>,
    /// Ends the live streams, so that the server can stop.
    closing: CancellationToken,
}

impl Gateway {
    /// A gateway to this platform. It answers to every host name and has no limits per user.
    pub(crate) fn new(platform: Platform, auth: Auth) -> Self {
        if let Some(users) = &auth.users {
            users.prefetch();
        }
        Self {
            #[cfg(feature = "mcp")]
            mcp: Arc::new(crate::mcp::Mcp::new(&platform, crate::mcp::McpSettings::default())),
            platform,
            auth: Arc::new(auth),
            links: Arc::default(),
            hosts: Arc::new(AllowedHosts::any()),
            address: None,
            limiter: Arc::new(limits::UserLimiter::new(UserLimits::default())),
            crowds: crowd::Crowds::default(),
            service_tenant: LOCAL_TENANT.into(),
            wrong_tokens: Arc::default(),
            readiness: Arc::default(),
            closing: CancellationToken::new(),
        }
    }

    /// Limits each user's requests and streams.
    #[must_use]
    pub(crate) fn limits(mut self, limits: UserLimits) -> Self {
        self.limiter = Arc::new(limits::UserLimiter::new(limits));
        self
    }

    /// Answers to these host names only.
    #[must_use]
    pub(crate) fn hosts(mut self, hosts: AllowedHosts) -> Self {
        self.hosts = Arc::new(hosts);
        self
    }

    /// Serves MCP clients in this way.
    #[cfg(feature = "mcp")]
    #[must_use]
    pub(crate) fn mcp(mut self, settings: crate::mcp::McpSettings) -> Self {
        self.mcp = Arc::new(crate::mcp::Mcp::new(&self.platform, settings));
        self
    }

    /// The tenant of a service's message that names none.
    #[must_use]
    pub(crate) fn service_tenant(mut self, tenant: String) -> Self {
        self.service_tenant = tenant.into();
        self
    }

    pub(crate) fn platform(&self) -> &Platform {
        &self.platform
    }

    /// All routes, behind a listener at `address` or behind one that is not known here.
    pub(crate) fn router(&self, address: Option<SocketAddr>) -> Router {
        router(Self { address, ..self.clone() })
    }

    /// The secret of a new one-time link that signs a browser in as this user.
    pub(crate) fn new_link(&self, user: User) -> String {
        self.links.create(user)
    }

    /// Secrets of this user's links that were not opened.
    pub(crate) fn unopened_links(&self, user: &User) -> Vec<String> {
        self.links.unopened(user)
    }

    /// Makes links of the previous process valid again, each for one use.
    pub(crate) fn reopen_links(&self, secrets: Vec<String>, user: &User) {
        self.links.restore(secrets, user);
    }

    /// Stops the platform, then ends the live streams.
    pub(crate) async fn stop(&self, grace: Duration) {
        self.platform.shutdown(grace).await;
        self.closing.cancel();
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("platform", &self.platform).finish_non_exhaustive()
    }
}

fn router(gateway: Gateway) -> Router {
    let api = Router::new()
        .route("/v1/extensions/{app_id}/call", post(calls::call_function))
        .route("/v1/calls/{call_id}/cancel", post(calls::cancel_call))
        .route("/v1/chat/turns", get(chat::turns))
        .route("/v1/chat/say", post(say::say))
        .route("/v1/chat/allowed", get(allowed::list))
        .route("/v1/chat/allowed/{app_id}/{function}", delete(allowed::take_back))
        .route("/v1/events/stream", get(stream::stream))
        .route("/v1/drafts", get(drafts::list))
        .route("/v1/drafts/{draft_id}", get(drafts::one))
        .route("/v1/tasks", get(tasks::recent))
        .route("/v1/tasks/active", get(tasks::active))
        .route("/v1/tasks/{task_id}", get(tasks::one))
        .route("/v1/tasks/{task_id}/steps", get(tasks::steps))
        .route("/v1/tasks/{task_id}/timeline", get(tasks::timeline))
        .route("/v1/tasks/{task_id}/export", get(tasks::export))
        .route("/v1/tasks/{task_id}/questions", get(questions::list))
        .route("/v1/tasks/{task_id}/answer", post(questions::answer))
        .route("/v1/tasks/{task_id}/cancel", post(tasks::cancel))
        .route("/v1/tasks/{task_id}/continue", post(follow_up::continue_task))
        .route("/v1/tasks/{task_id}/run-again", post(follow_up::run_again))
        .route("/v1/operator/tasks", get(operators::tasks))
        .route("/v1/operator/tasks/cancel", post(operators::cancel))
        .route("/v1/operator/tasks/retry", post(operators::retry))
        .route("/v1/operator/paused", get(operators::paused).post(operators::pause))
        .route("/v1/operator/queues", get(operators::queues))
        .route("/v1/operator/jobs", get(operators::jobs))
        .route("/v1/operator/schedules", get(operators::schedules))
        .route("/v1/operator/schedules/pause", post(operators::pause_schedules))
        .route("/v1/operator/documents", get(documents::collections))
        .route("/v1/operator/documents/page", get(documents::page))
        .route("/v1/operator/documents/import", post(documents::import))
        .route("/v1/operator/documents/delete", post(documents::delete))
        .route("/v1/operator/secrets/rotate", post(secrets::rotate))
        .route("/v1/schedules", get(schedules::list).post(schedules::create))
        .route("/v1/schedules/preview", post(schedules::preview))
        .route("/v1/schedules/{schedule_id}", get(schedules::one).patch(schedules::edit).delete(schedules::remove))
        .route("/v1/schedules/{schedule_id}/pause", post(schedules::pause))
        .route("/v1/schedules/{schedule_id}/resume", post(schedules::resume))
        .route("/v1/schedules/{schedule_id}/run", post(schedules::run))
        .route("/v1/schedules/{schedule_id}/runs", get(schedules::runs))
        .route("/v1/files", get(files::list).post(files::upload))
        .route("/v1/files/{file_id}", get(files::read).delete(files::remove))
        .route("/v1/secrets", get(secrets::list))
        .route("/v1/secrets/{app_id}/{name}", get(secrets::one).put(secrets::set).delete(secrets::remove))
        .route("/v1/internal/chat/inject", post(inject::inject))
        .route("/v1/internal/link", post(session::new_link))
        .route("/v1/extensions", get(extensions::extensions))
        .route("/v1/extensions/{app_id}/manifest", get(extensions::manifest))
        .route("/v1/extensions/{app_id}/icon", get(extensions::icon))
        .route("/v1/session", get(session::read_session).delete(session::sign_out))
        .route("/v1/audit", get(audit::audit))
        .route("/v1/audit/check", get(audit::check_audit))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::document));
    #[cfg(feature = "mcp")]
    let api = {
        let refusals = axum::middleware::map_response_with_state(gateway.clone(), mcp::name_issuer);
        let metadata = crate::mcp::METADATA;
        api.route("/mcp", axum::routing::any(mcp::serve).layer(refusals))
            .route(metadata, get(mcp::metadata))
            .route(&format!("{metadata}/{{*path}}"), get(mcp::metadata))
    };
    #[cfg(feature = "otel")]
    let api = crate::trace::requests(api);
    api.merge(page::routes())
        .merge(session::routes())
        .fallback(api_error::route_not_found)
        .method_not_allowed_fallback(api_error::method_not_allowed)
        .layer(DefaultBodyLimit::max(body::BODY_LIMIT))
        .layer(axum::middleware::from_fn_with_state(gateway.clone(), hosts::check_host))
        .layer(axum::middleware::from_fn(panics::catch_panics))
        .layer(axum::middleware::map_response(add_security_headers))
        .layer(axum::middleware::map_response_with_state(gateway.clone(), metrics::count_refusals))
        .with_state(gateway)
}

/// Adds the security headers that every response has.
async fn add_security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::CACHE_CONTROL, "no-store");
    set(header::CONTENT_SECURITY_POLICY, page::POLICY);
    response
}

/// A JSON response.
fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response(),
        Err(error) => {
            tracing::error!(%error, "a response could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
