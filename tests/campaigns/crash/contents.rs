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
    pub(crate) name: String,
    /// The task that it goes on from.
    pub(crate) follows: Option<String>,
}

impl TaskRow {
    /// Whether it is a durable task of a journey, which announces, and does an effect.
    pub(crate) fn is_leg(&self) -> bool {
        self.durable && self.name.starts_with('<')
    }

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
    pub(crate) detail: String,
}

/// A stored file.
#[derive(Debug)]
pub(crate) struct FileRow {
    pub(crate) owner: i64,
    pub(crate) file_id: String,
    pub(crate) name: String,
    pub(crate) state: String,
}

/// A stored schedule.
#[derive(Debug)]
pub(crate) struct ScheduleRow {
    pub(crate) owner: i64,
    pub(crate) schedule_id: String,
    /// Whether a node still has to look at it.
    pub(crate) is_awake: bool,
    /// Whether its start was over when it was accepted, so that it is due on another day.
    pub(crate) is_for_later: bool,
}

/// The columns of a [`ScheduleRow`] after its id, in SQL of both databases.
pub(crate) const AWAKE: &str = "wake_at IS NOT NULL, wake_at IS NOT NULL AND wake_at > created_at + 3600000000";

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
    /// The kinds of the rows of each task's effect, in their order.
    pub(crate) effects: HashMap<String, Vec<String>>,
    /// The task and the name of each stored step.
    pub(crate) steps: Vec<(String, String)>,
    /// The owner and the id of each document.
    pub(crate) documents: Vec<(i64, String)>,
    /// By owner: whether the stored totals of its documents are those of its rows.
    pub(crate) totals: Vec<(i64, bool)>,
    pub(crate) files: Vec<FileRow>,
    /// By owner: whether the stored totals of its files are those of its rows.
    pub(crate) file_totals: Vec<(i64, bool)>,
    pub(crate) schedules: Vec<ScheduleRow>,
}

/// Whether the totals of each shelf are those of its rows, in SQL of both databases.
pub(crate) fn totals(schema: &str) -> String {
    format!(
        "SELECT s.owner_id, s.documents = count(d.document_no) AND s.bytes = coalesce(sum(d.bytes), 0)
         FROM {schema}shelf s LEFT JOIN {schema}collection c ON c.shelf_no = s.shelf_no
         LEFT JOIN {schema}document d ON d.collection_no = c.collection_no
         GROUP BY s.shelf_no, s.owner_id, s.documents, s.bytes"
    )
}

/// Whether the totals of the files of each shelf are those of its rows, in SQL of both databases.
pub(crate) fn file_totals(schema: &str) -> String {
    format!(
        "SELECT s.owner_id, s.files = count(f.file_id) AND s.file_bytes = coalesce(sum(f.size), 0)
         FROM {schema}shelf s LEFT JOIN {schema}file f
            ON f.owner_id = s.owner_id AND f.app_id = s.app_id AND f.state <> 'deleting'
         GROUP BY s.shelf_no, s.owner_id, s.files, s.file_bytes"
    )
}

/// The task that a stored link leads to.
pub(crate) fn followed(link: Option<&str>) -> Option<String> {
    let link: Value = serde_json::from_str(link?).expect("stored JSON is JSON");
    link["task_id"].as_str().map(str::to_owned)
}

/// The rows of effects by their tasks.
pub(crate) fn by_task(rows: impl IntoIterator<Item = (String, String)>) -> HashMap<String, Vec<String>> {
    let mut effects: HashMap<String, Vec<String>> = HashMap::new();
    for (task_id, kind) in rows {
        effects.entry(task_id).or_default().push(kind);
    }
    effects
}

impl Contents {
    /// The id of an owner who has one.
    pub(crate) fn owner(&self, tenant: &str, user: &str) -> Option<i64> {
        self.owners.iter().find(|(_, (t, u, _))| t == tenant && u == user).map(|(id, _)| *id)
    }
}
