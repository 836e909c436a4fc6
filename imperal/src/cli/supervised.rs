//! The protocol between `cargo imperal dev` and the process that it supervises.
//!
//! The process prints one marked line when it listens, and stops when its standard input ends. That works on
//! every system, and a supervisor that was killed leaves no process behind. The other side is in the crate
//! `cargo-imperal`; the suite `scaffold` runs both.

use std::io::Read;

use serde::Serialize;

use super::out;

/// Start of the line. No extension prints it by accident.
const ANNOUNCEMENT: &str = "\u{1}imperal-dev ";

/// Where a process listens.
#[derive(Debug, Serialize)]
struct Announcement {
    url: String,
    /// One-time link to the chat page.
    link: String,
}

/// Says that calls are accepted, and where.
pub(super) fn announce(url: &str, link: &str) {
    let listening = Announcement { url: url.to_owned(), link: link.to_owned() };
    if let Ok(text) = serde_json::to_string(&listening) {
        out::print_line(&format!("{ANNOUNCEMENT}{text}"));
    }
}

/// Returns when standard input ends.
pub(super) async fn until_input_ends() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut nothing = [0; 64];
        while std::io::stdin().read(&mut nothing).is_ok_and(|read| read > 0) {}
        let _ = ended.send(());
    });
    let _ = end.await;
}
