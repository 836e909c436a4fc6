//! `POST /mcp`: the functions as tools for MCP clients.
//!
//! Owns what a request has to pass before it is read as MCP: sign-in, origin, size; the address of the page for links in
//! answers; and where clients learn of the issuer of tokens.

use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::api_error::ApiError;
use super::{Gateway, auth, body, headers};
use crate::mcp::McpRequest;
use crate::platform::Access;

/// Sent by the command `mcp`, which closes a connection only to cancel its request.
const BRIDGE: &str = "imperal-mcp-bridge";
/// Sent by the command `mcp` too: the name of the client that talks to it.
const CLIENT: &str = "imperal-mcp-client";

pub(super) async fn serve(
    State(gateway): State<Gateway>,
    access: Access,
    OriginalUri(uri): OriginalUri,
    request: Request,
) -> Result<Response, ApiError> {
    // Pages of other sites have no business here, whatever token they have.
    auth::same_origin(request.headers())?;
    if request.method() != Method::POST {
        // A client of the handshake era opens a stream or ends its session. There are none.
        return Ok((StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response());
    }
    let page = page_address(request.headers(), &uri)?;
    let (mut parts, content) = request.into_parts();
    let bytes = body::json_bytes(Request::from_parts(parts.clone(), content)).await?;
    let memory = body::estimate_memory(&bytes);
    let cancels = parts.headers.contains_key(BRIDGE);
    let client = client_name(&parts.headers);
    // The rest needs no token.
    parts.headers.remove(header::AUTHORIZATION);
    parts.headers.remove(header::COOKIE);
    add_task_name(&mut parts.headers, &bytes);
    let http = axum::http::Request::from_parts(parts, Bytes::from(bytes));
    let response =
        gateway.mcp.respond(McpRequest { access: access.of_program(), http, page, memory, client, cancels }).await;
    Ok(response.map(axum::body::Body::new))
}

/// The name of the client, of which requests after a handshake say nothing.
fn client_name(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    text(CLIENT).map(str::to_owned).or_else(|| crate::mcp::of_user_agent(text("user-agent")?).map(str::to_owned))
}

/// The header that repeats the name of the tool, or the id of the task, for proxies.
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// Adds the header with the id of the task to a request that lacks it. The specification wants it of clients, but
/// `FastMCP` 4.1 sends none with `tasks/get`. A header with another id is still refused.
fn add_task_name(headers: &mut HeaderMap, body: &[u8]) {
    #[derive(serde::Deserialize)]
    struct Message {
        params: Params,
    }
    #[derive(serde::Deserialize)]
    struct Params {
        #[serde(rename = "taskId")]
        task_id: String,
    }
    let is_of_task = headers.get("mcp-method").is_some_and(|method| method.as_bytes().starts_with(b"tasks/"));
    if !is_of_task || headers.contains_key(NAME) {
        return;
    }
    if let Ok(Message { params }) = crate::json::read::<Message>(body)
        && let Ok(task_id) = HeaderValue::try_from(params.task_id)
    {
        headers.insert(NAME, task_id);
    }
}

/// Where clients get tokens, if this server has an issuer for them.
pub(super) async fn metadata(State(gateway): State<Gateway>, OriginalUri(uri): OriginalUri) -> Response {
    match gateway.mcp.auth_issuer().and_then(|issuer| issuer.metadata_at(uri.path())) {
        Some(metadata) => super::json(StatusCode::OK, &metadata),
        None => super::api_error::route_not_found(uri).await.into_response(),
    }
}

/// Tells a client that is refused without a token where it gets one, if this server has an issuer for them.
pub(super) async fn name_issuer(State(gateway): State<Gateway>, mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED
        && let Some(issuer) = gateway.mcp.auth_issuer()
        && let Ok(challenge) = HeaderValue::try_from(issuer.challenge())
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The address of the chat page as the client can reach it: next to the address of this route.
fn page_address(headers: &HeaderMap, uri: &Uri) -> Result<String, ApiError> {
    let host = headers::host(headers, uri)?.unwrap_or("localhost");
    let is_https = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme.as_bytes() == b"https");
    let folder = uri.path().trim_end_matches('/').strip_suffix("mcp").unwrap_or("/");
    Ok(format!("{}://{host}{folder}", if is_https { "https" } else { "http" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_next_to_the_route() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "chat.example:8443".parse().unwrap());
        let address = |headers: &HeaderMap, path: &'static str| page_address(headers, &Uri::from_static(path)).unwrap();
        assert_eq!(address(&headers, "/mcp"), "http://chat.example:8443/");
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        assert_eq!(address(&headers, "/chat/mcp"), "https://chat.example:8443/chat/");
    }
}
