//! The log of a step: its requests and failed tries, as JSON for people, at most 4 KiB.

use std::sync::PoisonError;

use serde::Serialize;

use crate::sync::Mutex;

/// Most bytes of a log.
const LIMIT: usize = 4096;
/// Bytes that are left for the note on entries that were left out, and for the brackets.
const RESERVE: usize = 32;
/// Longest text in an entry, in bytes.
const TEXT: usize = 200;

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

/// A text for an entry.
pub(in crate::context) fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(TEXT));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
