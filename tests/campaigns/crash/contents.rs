//! A ledger's rows in one form for SQLite and PostgreSQL.

use std::collections::HashMap;

use serde_json::Value;

/// A stored turn.
#[derive(Debug)]
pub(crate) struct TurnRow {
    pub(crate) owner: i64,
    pub(crate) seq: u64,
    pub(crate) turn_id: String,
    pub(crate) body: Value,
}

/// A stored call.
#[derive(Debug)]
pub(crate) struct CallRow {
    pub(crate) owner: i64,
    pub(crate) call_id: String,
    pub(crate) state: String,
}

/// A stored task.
#[derive(Debug)]
pub(crate) struct TaskRow {
    pub(crate) owner: i64,
    pub(crate) task_id: String,
    pub(crate) call_id: String,
    pub(crate) state: String,
    pub(crate) asked_to_stop: bool,
    pub(crate) outcome_seq: Option<u64>,
    pub(crate) durable: bool,
}

impl TaskRow {
    /// Whether it has no outcome yet.
    pub(crate) fn is_open(&self) -> bool {
        is_open(&self.state)
    }
}

/// Whether a task in this state has no outcome yet.
pub(crate) fn is_open(state: &str) -> bool {
    matches!(state, "running" | "queued" | "waiting" | "stuck")
}

/// A stored event of a task.
#[derive(Debug)]
pub(crate) struct TaskEventRow {
    pub(crate) owner: i64,
    pub(crate) seq: u64,
    pub(crate) body: Value,
}

/// A stored audit row.
#[derive(Debug)]
pub(crate) struct AuditRow {
    pub(crate) owner: i64,
    pub(crate) action: String,
    pub(crate) target: String,
    pub(crate) outcome: String,
}

/// All rows of a ledger at one moment.
#[derive(Debug)]
pub(crate) struct Contents {
    /// By owner: tenant, user and head.
    pub(crate) owners: HashMap<i64, (String, String, u64)>,
    pub(crate) turns: Vec<TurnRow>,
    pub(crate) calls: Vec<CallRow>,
    pub(crate) tasks: Vec<TaskRow>,
    pub(crate) task_events: Vec<TaskEventRow>,
    pub(crate) audit: Vec<AuditRow>,
}

impl Contents {
    /// The id of an owner who has one.
    pub(crate) fn owner(&self, tenant: &str, user: &str) -> Option<i64> {
        self.owners.iter().find(|(_, (t, u, _))| t == tenant && u == user).map(|(id, _)| *id)
    }
}
