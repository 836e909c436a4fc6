//! Sessions of the chat page: one-time links begin them, `GET /v1/session` describes them, `DELETE` ends them.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::JsonSchema;
use serde::Serialize;

use super::api_error::ApiError;
use super::auth::{self, CookieScheme, LinkRefusal, SignInMethod, SignedIn};
use super::extensions::{ExtensionInfo, describe_extensions};
use super::say::AssistantInfo;
use super::{Gateway, json};

/// The caller, and what they can run.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Session {
    user: SessionUser,
    extensions: Vec<ExtensionInfo>,
    /// The most bytes of an uploaded file.
    file_bytes: u64,
    /// The assistant; absent if no model is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant: Option<AssistantInfo>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SessionUser {
    id: String,
    tenant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

/// The signed-in user. Each page load begins here, so this renews a session in use.
pub(super) async fn read_session(
    SignedIn { access, by, .. }: SignedIn,
    State(gateway): State<Gateway>,
    headers: HeaderMap,
) -> Response {
    let user = access.user();
    let user = SessionUser { id: user.id.clone(), tenant_id: user.tenant_id.clone(), email: user.email.clone() };
    let answer = json(
        StatusCode::OK,
        &Session {
            user,
            extensions: describe_extensions(&gateway),
            assistant: AssistantInfo::of(&access),
            file_bytes: gateway.platform.most_file_bytes(),
        },
    );
    match by {
        SignInMethod::Page(session) => match gateway.auth.renew_session(&session, CookieScheme::of(&headers)) {
            Some(cookie) => ([(header::SET_COOKIE, cookie)], answer).into_response(),
            None => answer,
        },
        SignInMethod::Token | SignInMethod::Terminal => answer,
    }
}

/// The one-time links. They need no sign-in, unlike the routes of the API.
pub(super) fn routes() -> Router<Gateway> {
    Router::new().route("/open/{secret}", get(link_page).post(open_link))
}

/// Allows the one form, which posts to this server, and one script.
const LINK_PAGE_POLICY: &str =
    "default-src 'none'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const LINK_PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=robots content=noindex>\
     <title>Opening</title><form method=post><button>Open the page</button></form>\
     <script src=../page/open-link.js></script></html>";

/// The page behind a one-time link. Its script posts the form, and only that POST uses the link up: mail scanners and
/// previews that GET the address change nothing. The page does not reveal whether the link is valid.
async fn link_page() -> Response {
    // With `no-referrer` a browser would send the form with `Origin: null`.
    let headers = [
        (header::CONTENT_SECURITY_POLICY, LINK_PAGE_POLICY),
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    (headers, LINK_PAGE).into_response()
}

/// Uses a one-time link: sets the session cookie and redirects to the page, so the link leaves the address bar.
async fn open_link(
    State(gateway): State<Gateway>,
    Path(secret): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    auth::same_origin(&headers)?;
    let to = |place: &'static str| [(header::LOCATION, place)];
    // If this browser has a session, the page opens all the same; else it says what is wrong with the link.
    let user = match gateway.links.redeem(&secret) {
        Ok(user) => user,
        Err(LinkRefusal::Used) => return Ok((StatusCode::SEE_OTHER, to("../?link=used")).into_response()),
        Err(LinkRefusal::Unknown) => return Ok((StatusCode::SEE_OTHER, to("../?link=unknown")).into_response()),
    };
    let cookie = gateway.auth.begin_session(&user, CookieScheme::of(&headers))?;
    Ok((StatusCode::SEE_OTHER, to("../"), [(header::SET_COOKIE, cookie)]).into_response())
}

/// Signs out: ends the session for every browser that holds its cookie.
pub(super) async fn sign_out(State(gateway): State<Gateway>, headers: HeaderMap) -> Result<Response, ApiError> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(ApiError::malformed(
            "A bearer token cannot be signed out; it expires. Leave out the Authorization header to end the page's session.",
        ));
    }
    let Some(cleared) = gateway.auth.end_sessions(&headers).await? else {
        return Err(ApiError::unauthenticated(
            "There is no session to end: the request has no session cookie of this page.",
        ));
    };
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cleared)]).into_response())
}

/// A new one-time link to the page.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NewLink {
    /// Path of the link on this server. It works once, within one hour.
    path: String,
}

/// For the terminal only: a link starts a session that outlives any user's token.
pub(super) async fn new_link(
    SignedIn { access, by, .. }: SignedIn,
    State(gateway): State<Gateway>,
) -> Result<Response, ApiError> {
    if !matches!(by, SignInMethod::Terminal) {
        return Err(access.refuse_link().await.into());
    }
    let secret = gateway.links.create(access.user().clone());
    Ok(json(StatusCode::OK, &NewLink { path: format!("/open/{secret}") }))
}
