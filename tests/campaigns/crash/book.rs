//! What one user was told: the model that the ledger is judged against.
//!
//! Only what arrived whole is written down. What was asked and not answered may or may not have
//! happened; the ledger alone says, and must say it consistently. A call is asked again until it is answered.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::driver::Plan;
use crate::SseEvent;

/// A call's answer as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) call_id: String,
    pub(crate) turn_id: String,
    pub(crate) seq: u64,
    pub(crate) task_ids: Vec<String>,
}

/// What one user was told so far.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) replies: Vec<Reply>,
    /// Turns that a service was told are in the chat.
    pub(crate) injected: Vec<String>,
    /// Tasks of which the user was told that the cancel is noted.
    pub(crate) cancelled: Vec<String>,
    /// Tags of calls of which the user was told that nothing was accepted.
    pub(crate) refused_calls: HashSet<String>,
    /// The call of which the user was told nothing, to be sent again.
    pub(crate) unanswered: Option<(String, Plan)>,
    /// Others' tasks that the user was refused.
    pub(crate) refused: Vec<String>,
    /// What the live stream showed; event n is at n - 1.
    pub(crate) streamed: Vec<String>,
    /// What the live stream should not have shown.
    pub(crate) odd: Vec<String>,
    /// Answers to good requests that were none.
    pub(crate) odd_answers: Vec<String>,
    /// What the user got of others.
    pub(crate) odd_grants: Vec<String>,
    /// Tags given out.
    asked: u64,
}

/// A user's book, shared by what acts for the user at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedBook(Arc<Mutex<Book>>);

impl SharedBook {
    pub(crate) fn open(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// A number that this user never used before.
    pub(crate) fn next(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// Writes an event of the live stream down.
    pub(crate) fn stream(&mut self, event: &SseEvent) {
        let Some(seq) = event.id else { return };
        let expected = self.streamed.len() as u64 + 1;
        if seq != expected {
            self.odd.push(format!("the stream showed event {seq} where {expected} comes next"));
            return;
        }
        self.streamed.push(event_key(&event.event, &event.data));
    }

    /// Tasks that the user was told of.
    pub(crate) fn acknowledged(&self) -> usize {
        self.replies.iter().map(|reply| reply.task_ids.len()).sum()
    }

    /// Writes a call's answer down.
    pub(crate) fn reply(&mut self, answer: &Value) {
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
pub(crate) fn event_key(kind: &str, data: &Value) -> String {
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    if kind == "turn" {
        format!("turn {}", text("turn_id"))
    } else {
        let asked = if data.get("cancel_requested_at").is_some_and(Value::is_string) { ", asked to stop" } else { "" };
        format!("task {} {}{asked}", text("task_id"), text("state"))
    }
}
