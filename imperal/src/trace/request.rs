//! The gateway's requests as spans, which go on with their callers' traces.

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tracing::Instrument;

use super::TARGET;
use super::export::is_on;
use super::spans::continued;

/// Each request of the API in a span of its own.
pub(crate) fn requests<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    if is_on() { router.layer(from_fn(request)) } else { router }
}

async fn request(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    // The rest is the page's, or asks how the node is.
    let Some(route) = route.filter(|route| route.as_str().starts_with("/v1/")) else {
        return next.run(request).await;
    };
    let (method, route) = (request.method().as_str(), route.as_str());
    let span = tracing::debug_span!(
        target: TARGET,
        "request",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    );
    continued(&span, request.headers());
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", i64::from(response.status().as_u16()));
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}
