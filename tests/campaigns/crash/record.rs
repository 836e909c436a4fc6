//! One user's record of all answers: the model that the judge compares with the ledger.
//!
//! It records complete answers only. A request without an answer may or may not have taken effect; the
//! ledger decides, and must be consistent. The user repeats such a call until it is answered.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::driver::Plan;
use crate::SseEvent;

/// The answer to a call.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) call_id: String,
    pub(crate) turn_id: String,
    pub(crate) seq: u64,
    pub(crate) task_ids: Vec<String>,
}

/// The answers that one user has received.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) replies: Vec<Reply>,
    /// Turns whose injection was acknowledged to a service.
    pub(crate) injected: Vec<String>,
    /// Tasks whose cancel was acknowledged.
    pub(crate) cancelled: Vec<String>,
    /// Tasks and the answers to their question that were accepted.
    pub(crate) answers: Vec<(String, u64)>,
    /// Tags of calls that were refused with nothing accepted.
    pub(crate) refused_calls: HashSet<String>,
    /// The call without an answer, to be repeated.
    pub(crate) unanswered: Option<(String, Plan)>,
    /// Tasks of other users that this user was refused.
    pub(crate) refused: Vec<String>,
    /// Uploads that were acknowledged.
    pub(crate) uploaded: Vec<String>,
    /// Uploads whose deletion was acknowledged, and those whose deletion was tried.
    pub(crate) deleted: Vec<String>,
    pub(crate) tried_to_delete: HashSet<String>,
    /// Schedules that were acknowledged.
    pub(crate) scheduled: Vec<String>,
    /// The events of the live stream; event n is at n - 1.
    pub(crate) streamed: Vec<String>,
    /// Wrong events of the live stream.
    pub(crate) odd: Vec<String>,
    /// Wrong answers to valid requests.
    pub(crate) odd_answers: Vec<String>,
    /// Answers that gave this user access to other users' tasks.
    pub(crate) odd_grants: Vec<String>,
    /// Number of tags so far.
    asked: u64,
}

/// A user's record, shared by the tasks that act for the user.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedRecord(Arc<Mutex<Record>>);

impl SharedRecord {
    pub(crate) fn open(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    /// A number that this user has not used before.
    pub(crate) fn next(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// Records an event of the live stream.
    pub(crate) fn stream(&mut self, event: &SseEvent) {
        let Some(seq) = event.id else { return };
        let expected = self.streamed.len() as u64 + 1;
        if seq != expected {
            self.odd.push(format!("the stream showed event {seq} where {expected} comes next"));
            return;
        }
        self.streamed.push(event_key(&event.event, &event.data));
    }

    /// Number of tasks whose start was acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.replies.iter().map(|reply| reply.task_ids.len()).sum()
    }

    /// Records the answer to a call.
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

/// A key that differs for any two events: a turn's id, or a task's id and state.
pub(crate) fn event_key(kind: &str, data: &Value) -> String {
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
    if kind == "turn" {
        format!("turn {}", text("turn_id"))
    } else {
        let asked = if data.get("cancel_requested_at").is_some_and(Value::is_string) { ", asked to stop" } else { "" };
        format!("task {} {}{asked}", text("task_id"), text("state"))
    }
}
