//! The log of a step: its requests, failed tries and written documents, as JSON for people, at most 4 KiB.

use std::sync::PoisonError;

use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::scope::hex;
use crate::rows::DocumentWrite;
use crate::sync::Mutex;

/// Most bytes of a log.
const LIMIT: usize = 4096;
/// Bytes that are left for the note on entries that were left out, and for the brackets.
const RESERVE: usize = 32;
/// Longest text in an entry, in bytes.
const TEXT: usize = 200;
/// Most documents that an entry names, and the longest of these names, in bytes.
const NAMED: usize = 8;
const DOCUMENT_NAME: usize = 64;

/// One entry.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::context) enum Entry {
    /// A request, with its redirects.
    Request {
        method: String,
        /// Host and path, without the query.
        url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A failed try of a step that is retried.
    Try { attempt: u32, error: String },
    /// The documents that the step wrote: names of the first ones, their number, and a hash of all.
    Documents { documents: Vec<String>, count: usize, sha256: String },
    /// Entries that were left out.
    More { more: u32 },
}

/// The entries of a step, over all of its tries in one attempt of the task.
#[derive(Debug, Default)]
pub(crate) struct StepLog(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    json: Vec<String>,
    bytes: usize,
    more: u32,
}

impl StepLog {
    /// Adds an entry. The first ones are kept.
    pub(in crate::context) fn add(&self, entry: &Entry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match serde_json::to_string(entry) {
            Ok(json) if entries.more == 0 && entries.bytes + json.len() < LIMIT - RESERVE => {
                entries.bytes += json.len() + 1;
                entries.json.push(json);
            }
            _ => entries.more += 1,
        }
    }

    /// The log as a JSON array; `None` if there is nothing in it.
    pub(super) fn to_json(&self) -> Option<String> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let more =
            (entries.more > 0).then(|| serde_json::to_string(&Entry::More { more: entries.more }).ok()).flatten();
        let all: Vec<&str> = entries.json.iter().chain(&more).map(String::as_str).collect();
        (!all.is_empty()).then(|| format!("[{}]", all.join(",")))
    }
}

/// The log of a step that wrote documents. Its last entry names them: other entries make room for it.
///
/// The hash is SHA-256 over a line `collection/id body-hash` for each document in the order of the writes; the
/// body hash is `-` for one that was deleted.
pub(crate) fn log_with_documents(log: Option<&str>, writes: &[DocumentWrite]) -> String {
    let mut lines = Sha256::new();
    for DocumentWrite { collection, id, document, .. } in writes {
        let body = document.as_ref().map_or("-".to_owned(), |new| hex(&Sha256::digest(&new.body)));
        lines.update(format!("{collection}/{id} {body}\n"));
    }
    let name = |write: &DocumentWrite| {
        let mark = if write.document.is_none() { "-" } else { "" };
        cut_to(format!("{mark}{}/{}", write.collection, write.id), DOCUMENT_NAME)
    };
    let documents = writes.iter().take(NAMED).map(name).collect();
    let entry = Entry::Documents { documents, count: writes.len(), sha256: hex(&lines.finalize()) };
    let mut before: Vec<serde_json::Value> = log.and_then(|log| serde_json::from_str(log).ok()).unwrap_or_default();
    let mut more = match before.last().and_then(|last| last["more"].as_u64()) {
        Some(more) => {
            before.pop();
            more
        }
        None => 0,
    };
    loop {
        let left_out = (more > 0).then(|| json!({ "more": more }));
        let all: Vec<serde_json::Value> = before.iter().cloned().chain(left_out).chain([json!(entry)]).collect();
        let text = json!(all).to_string();
        if text.len() <= LIMIT || before.pop().is_none() {
            return text;
        }
        more += 1;
    }
}

/// A text for an entry.
pub(in crate::context) fn cut(text: String) -> String {
    cut_to(text, TEXT)
}

fn cut_to(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::NewDocument;

    #[test]
    fn a_log_has_4_kib_and_counts_what_it_leaves_out() {
        let log = StepLog::default();
        assert_eq!(log.to_json(), None);
        for attempt in 0..100 {
            log.add(&Entry::Try { attempt, error: cut("\"".repeat(500)) });
        }
        let json = log.to_json().unwrap();
        assert!(json.len() <= LIMIT, "{}", json.len());
        let entries: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
        assert_eq!(entries[0]["attempt"], 0);
        assert_eq!(entries.last().unwrap()["more"], 101 - entries.len());

        let writes: Vec<_> =
            (0..256).map(|n| DocumentWrite::delete("things", format!("{n}{}", "\0".repeat(500)))).collect();
        let with = log_with_documents(Some(&json), &writes);
        assert!(with.len() <= LIMIT, "{}", with.len());
        let all: Vec<serde_json::Value> = serde_json::from_str(&with).unwrap();
        let [.., more, documents] = &all[..] else { panic!("{with}") };
        assert_eq!((more["more"].as_u64(), &documents["count"]), (Some(102 - all.len() as u64), &json!(256)));
    }

    #[test]
    fn documents_of_a_step_are_named_with_a_hash_of_their_content() {
        let put = |body: &str| DocumentWrite::put("things", "a", NewDocument::new(body));
        let log = |writes: &[DocumentWrite]| log_with_documents(None, writes);
        let entries: Vec<serde_json::Value> =
            serde_json::from_str(&log(&[put("1"), DocumentWrite::delete("things", "b")])).unwrap();
        assert_eq!(entries[0]["documents"], json!(["things/a", "-things/b"]));
        assert_eq!(entries[0]["count"], 2);
        let all = [log(&[put("1")]), log(&[put("2")]), log(&[DocumentWrite::delete("things", "a")])];
        assert!(all[0] != all[1] && all[1] != all[2], "{all:?}");
    }
}
