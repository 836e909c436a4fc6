//! What one user was told: the model that the ledger is judged against.
//!
//! Only what arrived whole is written down. What was asked and not answered may or may not have
//! happened; the ledger alone says, and must say it consistently.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::SseEvent;

/// A call's answer as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) call_id: String,
    pub(super) turn_id: String,
    pub(super) seq: u64,
    pub(super) task_ids: Vec<String>,
}

/// What one user was told so far.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) replies: Vec<Reply>,
    /// Turns that a service was told are in the chat.
    pub(super) injected: Vec<String>,
    /// Tasks of which the user was told that the cancel is noted.
    pub(super) cancelled: Vec<String>,
    /// Others' tasks that the user was refused.
    pub(super) refused: Vec<String>,
    /// What the live stream showed; event n is at n - 1.
    pub(super) streamed: Vec<String>,
    /// What the live stream should not have shown.
    pub(super) odd: Vec<String>,
    /// Answers to good requests that were none.
    pub(super) odd_answers: Vec<String>,
    /// What the user got of others.
    pub(super) odd_grants: Vec<String>,
    /// Tags given out.
    asked: u64,
}

/// A user's book, shared by what acts for the user at once.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedBook(Arc<Mutex<Book>>);

impl SharedBook {
    pub(super) fn open(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// A number that this user never used before.
    pub(super) fn next(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// Writes an event of the live stream down.
    pub(super) fn stream(&mut self, event: &SseEvent) {
        let Some(seq) = event.id else { return };
        let expected = self.streamed.len() as u64 + 1;
        if seq != expected {
            self.odd.push(format!("the stream showed event {seq} where {expected} comes next"));
            return;
        }
        self.streamed.push(event_key(&event.event, &event.data));
    }

    /// Writes a call's answer down.
    pub(super) fn reply(&mut self, answer: &Value) {
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let tasks = answer.pointer("/result/data/task_ids").and_then(Value::as_array);
        self.replies.push(Reply {
            call_id: text("/call_id"),
            turn_id: text("/turn/turn_id"),
            seq: answer.pointer("/turn/seq").and_then(Value::as_u64).unwrap_or_default(),
            task_ids: tasks.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        });
    }
}

/// What tells one event from every other: of a turn its id, of a task its state.
pub(super) fn event_key(kind: &str, data: &Value) -> String {
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    if kind == "turn" {
        format!("turn {}", text("turn_id"))
    } else {
        let asked = if data.get("cancel_requested_at").is_some_and(Value::is_string) { ", asked to stop" } else { "" };
        format!("task {} {}{asked}", text("task_id"), text("state"))
    }
}
