//! A ledger's rows, as they are judged: the same for a file and a database.

use std::collections::HashMap;

use serde_json::Value;

/// A turn as it is stored.
#[derive(Debug)]
pub(crate) struct TurnRow {
    pub(crate) owner: i64,
    pub(crate) seq: u64,
    pub(crate) turn_id: String,
    pub(crate) body: Value,
}

/// A call as it is stored.
#[derive(Debug)]
pub(crate) struct CallRow {
    pub(crate) owner: i64,
    pub(crate) call_id: String,
    pub(crate) state: String,
}

/// A task as it is stored.
#[derive(Debug)]
pub(crate) struct TaskRow {
    pub(crate) owner: i64,
    pub(crate) task_id: String,
    pub(crate) call_id: String,
    pub(crate) state: String,
    pub(crate) asked_to_stop: bool,
    pub(crate) outcome_seq: Option<u64>,
}

/// A task's event as it is stored.
#[derive(Debug)]
pub(crate) struct TaskEventRow {
    pub(crate) owner: i64,
    pub(crate) seq: u64,
    pub(crate) body: Value,
}

/// An audit row as it is stored.
#[derive(Debug)]
pub(crate) struct AuditRow {
    pub(crate) owner: i64,
    pub(crate) action: String,
    pub(crate) target: String,
    pub(crate) outcome: String,
}

/// Everything in a ledger, at one moment.
#[derive(Debug)]
pub(crate) struct Contents {
    /// Tenant, user and latest number of each owner.
    pub(crate) owners: HashMap<i64, (String, String, u64)>,
    pub(crate) turns: Vec<TurnRow>,
    pub(crate) calls: Vec<CallRow>,
    pub(crate) tasks: Vec<TaskRow>,
    pub(crate) task_events: Vec<TaskEventRow>,
    pub(crate) audit: Vec<AuditRow>,
}

impl Contents {
    /// An owner's id, once they have one.
    pub(crate) fn owner(&self, tenant: &str, user: &str) -> Option<i64> {
        self.owners.iter().find(|(_, (t, u, _))| t == tenant && u == user).map(|(id, _)| *id)
    }
}
