//! The chat page: its assets, its policy, and the one-time link that opens it.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::JsonSchema;
use serde::Serialize;

use super::api_error::ApiError;
use super::auth::{self, By, SignedIn, Way};
use super::{Gateway, json};

/// Nothing from elsewhere, nothing inline; pictures of other hosts, which the page asks about first.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; \
     connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

macro_rules! assets {
    ($($name:literal)*) => {
        [("/", include_str!("page/shell.html")), $((concat!("/page/", $name), include_str!(concat!("page/", $name)))),*]
    };
}
/// The page's files, in the binary: path, text.
const ASSETS: &[(&str, &str)] = &assets![
    "base.css" "page.css" "chat.css" "data.css" "form.css" "drawer.css" "favicon.svg"
    "account.js" "acts.js" "announce.js" "api.js" "audit.js" "calls.js" "chat.js" "connection.js" "dom.js" "drawer.js"
    "empty.js" "feed.js" "fields.js" "form.js" "functions.js" "gate.js" "groups.js" "inputs.js" "line.js" "links.js"
    "nodes.js" "numbers.js" "open.js" "page.js" "parts.js" "pictures.js" "results.js" "schema.js" "secrets.js"
    "shortcut.js" "stream.js" "tasklist.js" "tasks.js" "turns.js" "words.js"
];

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    }
}

/// The same for the same text, in every process of one build.
fn etag(text: &str) -> String {
    let mut digest = DefaultHasher::new();
    text.hash(&mut digest);
    format!("\"{:016x}\"", digest.finish())
}

pub(super) fn routes() -> Router<Gateway> {
    let mut router = Router::new().route("/open/{secret}", get(opening).post(open));
    for (path, text) in ASSETS {
        let tag = etag(text);
        let asset = move |headers: HeaderMap| async move {
            let known = headers.get(header::IF_NONE_MATCH).is_some_and(|shown| shown.as_bytes() == tag.as_bytes());
            let kept = [(header::CACHE_CONTROL, "no-cache".to_owned()), (header::ETAG, tag)];
            if known {
                return (StatusCode::NOT_MODIFIED, kept).into_response();
            }
            (kept, [(header::CONTENT_TYPE, content_type(path))], *text).into_response()
        };
        router = router.route(path, get(asset));
    }
    router
}

/// Nothing from elsewhere, and its one form goes to this server.
const OPENING_POLICY: &str =
    "default-src 'none'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const OPENING: &str = "<!doctype html><html lang=en><meta charset=utf-8><meta name=robots content=noindex>\
     <title>Opening</title><form method=post><button>Open the page</button></form>\
     <script src=/page/open.js></script></html>";

/// The page behind a one-time link, which opens the link by a POST of its own. A GET or HEAD changes
/// nothing, so mail scanners and previews can look at the address; it says nothing about the link either.
async fn opening() -> Response {
    // With `no-referrer` a browser would not say where the form comes from.
    let headers = [
        (header::CONTENT_SECURITY_POLICY, OPENING_POLICY),
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    (headers, OPENING).into_response()
}

/// Opens a one-time link: the browser becomes the link's user, and the link leaves the address.
async fn open(
    State(gateway): State<Gateway>,
    Path(secret): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    auth::same_origin(&headers)?;
    let to_the_page = [(header::LOCATION, "/")];
    let Some(user) = gateway.links.open(&secret) else {
        // Used already, by this browser perhaps: then the page opens, else it says what to do.
        return Ok((StatusCode::SEE_OTHER, to_the_page).into_response());
    };
    let cookie = gateway.auth.begin_session(&user, Way::of(&headers))?;
    Ok((StatusCode::SEE_OTHER, to_the_page, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Signs the browser out: the session is over for whoever has its cookie.
pub(super) async fn sign_out(State(gateway): State<Gateway>, headers: HeaderMap) -> Result<Response, ApiError> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(ApiError::malformed(
            "A bearer token is not a session and ends by itself. Leave out the Authorization header to end the page's.",
        ));
    }
    let Some(cleared) = gateway.auth.end_sessions(&headers).await? else {
        return Err(ApiError::unauthenticated("There is no session to end: the request has no cookie of this page."));
    };
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cleared)]).into_response())
}

/// A fresh link to the page.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NewLink {
    /// Path of the link on this server; holds for one use and one hour.
    path: String,
}

/// For the terminal only: a link opens a session that outlives any user's token.
pub(super) async fn new_link(
    SignedIn { access, by, .. }: SignedIn,
    State(gateway): State<Gateway>,
) -> Result<Response, ApiError> {
    if !matches!(by, By::Terminal) {
        return Err(access.refuse_link().await.into());
    }
    let secret = gateway.links.make(access.user().clone());
    Ok(json(StatusCode::OK, &NewLink { path: format!("/open/{secret}") }))
}
