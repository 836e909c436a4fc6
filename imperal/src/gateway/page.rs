//! The chat page: its assets, its policy, and the one-time link that opens it.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::JsonSchema;
use serde::Serialize;

use super::failure::Failure;
use super::{Gateway, json};
use crate::platform::Access;

/// Nothing from elsewhere, nothing inline.
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
    "acts.js" "announce.js" "api.js" "audit.js" "calls.js" "chat.js" "connection.js" "dom.js" "drawer.js" "empty.js"
    "feed.js" "fields.js" "form.js" "functions.js" "gate.js" "groups.js" "inputs.js" "line.js" "nodes.js" "page.js"
    "results.js" "schema.js" "secrets.js" "shortcut.js" "stream.js" "tasklist.js" "tasks.js" "turns.js" "words.js"
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
    let mut router = Router::new().route("/open/{secret}", get(open));
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

/// Opens a one-time link: the browser becomes the link's user, and the link leaves the address.
async fn open(State(gateway): State<Gateway>, Path(secret): Path<String>) -> Result<Response, Failure> {
    let Some(user) = gateway.links.open(&secret) else {
        // Used already, by this browser perhaps: then the page opens, else it says what to do.
        return Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/")]).into_response());
    };
    let token = gateway.auth.local.sign(&user).map_err(|error| Failure::unauthenticated(error.to_string()))?;
    let name = gateway.auth.local.cookie_name();
    let cookie = format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000");
    // Not a redirect: a strict cookie set on one would be missing from the very next request of a
    // link that was opened from elsewhere.
    let html = "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=\"0;url=/\"><title>Opening</title>";
    Ok(([(header::SET_COOKIE, cookie), (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned())], html)
        .into_response())
}

/// A fresh link to the page.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NewLink {
    /// Path of the link on this server; holds for one use and one hour.
    path: String,
}

/// For the terminal only: a link opens a session that outlives any user's token.
pub(super) async fn new_link(
    access: Access,
    State(gateway): State<Gateway>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if !gateway.auth.is_terminal(&headers) {
        return Err(access.refuse_link().await.into());
    }
    let secret = gateway.links.make(access.user().clone());
    Ok(json(StatusCode::OK, &NewLink { path: format!("/open/{secret}") }))
}
