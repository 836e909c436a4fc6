//! Between `cargo imperal dev` and the process that it starts again after each build.
//!
//! Owns the one line that the process says once it listens, and how it is told to stop: its standard
//! input ends. That works on every system, and a supervisor that was killed leaves no process behind.

use std::io::Read;

use serde::{Deserialize, Serialize};

use super::out;

/// Starts the line; no extension says this by accident.
const MARK: &str = "\u{1}imperal-dev ";

/// Where a process listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Announcement {
    pub(super) url: String,
    /// One-time link to the page.
    pub(super) link: String,
}

/// Says that calls are accepted.
pub(super) fn announce(url: &str, link: &str) {
    let listening = Announcement { url: url.to_owned(), link: link.to_owned() };
    if let Ok(text) = serde_json::to_string(&listening) {
        out::print_line(&format!("{MARK}{text}"));
    }
}

/// The announcement, if this line of a process is it.
pub(super) fn heard(line: &str) -> Option<Announcement> {
    serde_json::from_str(line.strip_prefix(MARK)?).ok()
}

/// Ends when standard input does.
pub(super) async fn until_input_ends() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut nothing = [0; 64];
        while std::io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
        let _ = ended.send(());
    });
    let _ = end.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_announcement_is_taken_for_it() {
        let line = format!("{MARK}{}", r#"{"url":"http://127.0.0.1:1","link":"http://127.0.0.1:1/open/x"}"#);
        assert_eq!(heard(&line).unwrap().url, "http://127.0.0.1:1");
        assert_eq!(heard("imperal-dev {}"), None);
    }
}
