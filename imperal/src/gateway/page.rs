//! The chat page's files, compiled in, and its content security policy.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::Gateway;

/// Allows nothing from other hosts and nothing inline, except images: the page asks before it loads one.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; \
     connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

macro_rules! assets {
    ($($name:literal)*) => {
        [("/", include_str!("page/shell.html")), ("/favicon.ico", include_str!("page/favicon.svg")), $((concat!("/page/", $name), include_str!(concat!("page/", $name)))),*]
    };
}
/// The page's files, in the binary: path, text.
const ASSETS: &[(&str, &str)] = &assets![
    "base.css" "controls.css" "page.css" "chat.css" "task-card.css" "data.css" "prose.css" "ui-tree.css"
    "function-list.css" "form.css" "activity-panel.css" "forced-colors.css" "favicon.svg"
    "account-menu.js" "actions.js" "activity-panel.js" "announce-setting.js" "announcer.js" "api.js" "audit.js"
    "back-button.js" "calls.js" "chat.js" "confirm-dialog.js" "connection-status.js" "copy-button.js"
    "copy-text.js" "cut-text.js" "dom.js" "drafts.js" "empty-chat.js" "event-stream.js" "exact-json.js"
    "field-controls.js" "field-inputs.js" "format.js" "function-form.js" "function-list.js" "group-controls.js"
    "images.js" "links.js" "markdown-inline.js" "markdown.js" "open-link.js" "page.js" "param-list.js"
    "prose.js" "reconcile.js" "result-data.js" "schema.js" "search-shortcut.js" "secrets.js" "shared-stream.js"
    "show-more.js" "signed-out.js" "store.js" "task-card.js" "task-list.js" "turn-words.js" "turns.js"
    "ui-collections.js" "ui-inputs.js" "ui-props.js" "ui-tree.js"
];

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg" | "ico") => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    }
}

/// Equal for equal texts in every process of one build.
fn etag(text: &str) -> String {
    let mut digest = DefaultHasher::new();
    text.hash(&mut digest);
    format!("\"{:016x}\"", digest.finish())
}

pub(super) fn routes() -> Router<Gateway> {
    let mut router = Router::new();
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

#[cfg(test)]
mod tests {
    use super::ASSETS;

    /// A program may serve the routes under a path.
    #[test]
    fn page_addresses_are_relative() {
        for (path, text) in ASSETS {
            for absolute in ["\"/v1/", "`/v1/", "=\"/page/"] {
                assert!(!text.contains(absolute), "{path} has {absolute}");
            }
        }
    }
}
