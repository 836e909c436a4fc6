//! Spans of the gateway's requests, which continue their callers' traces.

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Version};
use tracing::Instrument;

use super::TARGET;
use super::export::is_on;
use super::spans::continued;

/// Puts each request of the API into a span.
pub(crate) fn requests<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    if is_on() { router.layer(from_fn(request)) } else { router }
}

async fn request(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    // Other routes serve the page, health and metrics.
    let Some(route) = route.filter(|route| route.as_str().starts_with("/v1/")) else {
        return next.run(request).await;
    };
    let (method, route, host) = (request.method().as_str(), route.as_str(), host(request.headers()));
    let span = tracing::debug_span!(
        target: TARGET,
        "request",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        url.path = request.uri().path(),
        url.scheme = scheme(request.headers()),
        network.protocol.version = version(request.version()),
        server.address = host.as_ref().map(|host| host.host().trim_matches(['[', ']'])),
        server.port = host.as_ref().and_then(Authority::port_u16).map(i64::from),
        http.response.status_code = tracing::field::Empty,
        error.r#type = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    );
    continued(&span, request.headers());
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("error.type", status.as_str());
        span.record("otel.status_code", "ERROR");
    }
    response
}

/// The host that the caller named: the proxy's if there is one.
fn host(headers: &HeaderMap) -> Option<Authority> {
    Authority::try_from(headers.get(HOST)?.as_bytes()).ok()
}

/// The scheme that the caller used. A proxy that ends TLS names it in a header.
fn scheme(headers: &HeaderMap) -> &'static str {
    let said = headers.get("x-forwarded-proto").map(HeaderValue::as_bytes);
    if said.is_some_and(|said| said.eq_ignore_ascii_case(b"https")) { "https" } else { "http" }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_and_the_host_are_the_callers() {
        let mut headers = HeaderMap::new();
        assert_eq!((scheme(&headers), host(&headers)), ("http", None));
        headers.insert("x-forwarded-proto", HeaderValue::from_static("HTTPS"));
        headers.insert(HOST, HeaderValue::from_static("[::1]:8080"));
        assert_eq!(scheme(&headers), "https");
        assert_eq!(host(&headers).unwrap().port_u16(), Some(8080));
        headers.insert(HOST, HeaderValue::from_static("no host"));
        assert_eq!(host(&headers), None);
    }
}
