//! The chat page's files, compiled in, and its content security policy.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::Gateway;

/// Allows nothing from other hosts, and nothing inline but `data:` images. The address of a remote image could tell its
/// host what a text says that somebody else wrote.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     media-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

macro_rules! assets {
    ($($name:literal)*) => {
        [("/", include_str!("page/shell.html")), ("/favicon.ico", include_str!("page/favicon.svg")), $((concat!("/page/", $name), include_str!(concat!("page/", $name)))),*]
    };
}
/// The page's files, in the binary: path, text.
const ASSETS: &[(&str, &str)] = &assets![
    "base.css" "controls.css" "page.css" "dialogs.css" "chat.css" "task-card.css" "data.css" "prose.css" "ui-tree.css"
    "function-list.css" "form.css" "files.css" "activity-panel.css" "question.css" "timeline.css" "secret-settings.css" "schedule-dialog.css" "schedule-list.css" "composer.css" "forced-colors.css" "favicon.svg"
    "account-menu.js" "action-error.js" "actions.js" "activity-panel.js" "announce-setting.js" "announcer.js" "answer-progress.js" "answer-reader.js" "answers.js" "approval-view.js" "api.js" "asked-list.js" "assistant-turns.js" "audit.js" "audit-words.js"
    "back-button.js" "cancel-button.js" "calls.js" "cancel-all.js" "chat.js" "clocks.js" "composer.js" "confirm-dialog.js" "connection-status.js"
    "copy-button.js" "copy-text.js" "cut-text.js" "dom.js" "drafts.js" "durable-progress.js" "effect-words.js" "empty-chat.js" "end-words.js" "estimate.js"
    "event-stream.js" "exact-json.js" "field-controls.js" "field-inputs.js" "file-info.js" "file-picker.js" "file-row.js" "file-upload.js" "file-view.js" "file-words.js" "folds.js" "follow-up.js"
    "format.js" "function-form.js" "function-list.js" "group-controls.js" "images.js" "keys.js" "links.js" "live-text.js" "live-texts.js" "markdown-inline.js" "markdown.js" "menu-button.js" "message-lines.js"
    "open-link.js" "outcome.js" "page.js" "param-list.js" "plain-words.js" "prose.js" "question-news.js" "question-reader.js" "question-strip.js" "question-view.js" "question-words.js" "questions.js"
    "queue-places.js" "reconcile.js" "request-key.js" "result-data.js" "schedule-dialog.js" "schedule-list.js" "schedule-preview.js" "schedule-row.js" "schedule-rule.js" "schedule-runs.js"
    "schedule-times.js" "schedule-what.js" "schedule-when.js" "schedule-words.js" "schedules.js" "schema.js" "search-shortcut.js" "secret-settings.js" "secrets.js" "shared-stream.js" "show-more.js"
    "side-panel.js" "signed-out.js" "slash-menu.js" "step-list.js" "store.js" "stored-steps.js" "task-card.js"
    "task-link.js" "task-list.js" "task-progress.js" "task-questions.js" "task-words.js" "timeline-head.js" "timeline-panel.js" "timeline-reader.js" "timeline-words.js" "turn-words.js" "turns.js" "ui-collections.js" "ui-inputs.js" "ui-props.js"
    "ui-tree.js" "wait-words.js" "work-clock.js" "working-sign.js" "zone-box.js"
];

/// In the shell: replaced by the command that prints a link, for a browser that is not signed in.
const LINK_COMMAND: &str = "content=\"cargo run -- link\"";

/// The command that prints a new link, as it was typed to start this process.
fn link_command() -> String {
    // `cargo run` tells the programs that it runs.
    if std::env::var_os("CARGO_PKG_NAME").is_some() {
        return "cargo run -- link".to_owned();
    }
    let program = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&program).file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    // Another program has the routes in it, or a name that a shell or HTML would read differently.
    if name.is_empty() || !name.chars().all(plain) { "cargo run -- link".to_owned() } else { format!("{name} link") }
}

fn shell(text: &str) -> String {
    text.replace(LINK_COMMAND, &format!("content=\"{}\"", link_command()))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg" | "ico") => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    }
}

/// Equal for equal texts in every process of one build.
fn etag(text: &[u8]) -> String {
    let mut digest = DefaultHasher::new();
    text.hash(&mut digest);
    format!("\"{:016x}\"", digest.finish())
}

pub(super) fn routes() -> Router<Gateway> {
    let mut router = Router::new();
    for (path, text) in ASSETS {
        let text = if *path == "/" { Bytes::from(shell(text)) } else { Bytes::from_static(text.as_bytes()) };
        let tag = etag(&text);
        let asset = move |headers: HeaderMap| async move {
            let known = headers.get(header::IF_NONE_MATCH).is_some_and(|shown| shown.as_bytes() == tag.as_bytes());
            let kept = [(header::CACHE_CONTROL, "no-cache".to_owned()), (header::ETAG, tag)];
            if known {
                return (StatusCode::NOT_MODIFIED, kept).into_response();
            }
            (kept, [(header::CONTENT_TYPE, content_type(path))], text).into_response()
        };
        router = router.route(path, get(asset));
    }
    router
}

#[cfg(test)]
mod tests {
    use super::{ASSETS, LINK_COMMAND, shell};

    #[test]
    fn the_shell_names_the_command_of_this_program() {
        let (_, text) = ASSETS.iter().find(|(path, _)| *path == "/").unwrap();
        assert_eq!(text.matches(LINK_COMMAND).count(), 1);
        assert!(shell(text).contains(" link\""));
    }

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
