//! The tables that are damaged: their columns by kind, for each backend, and the rows.
//!
//! Knows no value: `cases` has those.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    /// SQLite: a text may hold any bytes, and foreign keys can be switched off.
    File,
    /// PostgreSQL: ids are of the type UUID, and rows that others link to are kept, so fewer values are possible.
    Database,
}

/// A kind of column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A text that users or authors choose.
    Text,
    /// The same, or NULL.
    MaybeText,
    /// A UUID.
    Id,
    /// A turn or a task as JSON.
    Json,
    /// One word of a list.
    Word,
    /// The same, or NULL.
    MaybeWord,
    /// A time in microseconds.
    Time,
    /// The same, or NULL.
    MaybeTime,
    /// A sequence number or a count.
    Number,
    /// The same, or NULL.
    MaybeNumber,
    /// The number of a row of another table.
    Link,
    /// True or false as a number.
    Flag,
    /// A number with a fraction.
    Real,
    /// 32 bytes.
    Hash,
}

/// A table with its columns and the rows that are damaged in turn.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Kind, Option<Backend>)],
    rows: Rows,
}

enum Rows {
    /// The row with this condition.
    Where(&'static str),
    /// A row for each of these conditions.
    Each(&'static [&'static str]),
    /// Anna's rows in the order of a column, by their places.
    OfAnna { order: &'static str, places: &'static [u32] },
}

/// A column of both backends.
const fn both(name: &'static str, kind: Kind) -> (&'static str, Kind, Option<Backend>) {
    (name, kind, None)
}

/// A column that SQLite alone has, or that PostgreSQL's types and keys protect.
const fn file(name: &'static str, kind: Kind) -> (&'static str, Kind, Option<Backend>) {
    (name, kind, Some(Backend::File))
}

/// A column of PostgreSQL alone.
const fn database(name: &'static str, kind: Kind) -> (&'static str, Kind, Option<Backend>) {
    (name, kind, Some(Backend::Database))
}

pub(super) const TABLES: [Table; 9] = [
    Table {
        name: "owner",
        columns: &[
            both("tenant_id", Kind::Text),
            both("user_id", Kind::Text),
            both("head", Kind::Number),
            both("audit_end", Kind::Hash),
            both("pruned", Kind::Number),
            file("audit_pruned_to", Kind::Number),
            both("audit_anchor", Kind::Hash),
            both("audit_pruned", Kind::Number),
            both("stored", Kind::Number),
            both("stored_day", Kind::Number),
        ],
        rows: Rows::Where("user_id = 'anna'"),
    },
    Table {
        name: "node",
        columns: &[
            both("node", Kind::Text),
            both("incarnation", Kind::Number),
            both("lease_until", Kind::MaybeTime),
            both("lease", Kind::MaybeNumber),
            file("draining", Kind::Flag),
        ],
        rows: Rows::Where("node = 'a'"),
    },
    Table {
        name: "turn",
        columns: &[
            both("turn_id", Kind::Id),
            file("owner_id", Kind::Link),
            both("seq", Kind::Number),
            both("at", Kind::Time),
            both("body", Kind::Json),
        ],
        // A call, its reply, an outcome, and the call without a reply.
        rows: Rows::OfAnna { order: "seq", places: &[0, 1, 2, 6] },
    },
    Table {
        name: "call",
        columns: &[
            both("call_id", Kind::Id),
            file("owner_id", Kind::Link),
            file("node", Kind::Text),
            both("incarnation", Kind::Number),
            both("turn_seq", Kind::Number),
            both("state", Kind::Word),
            both("reply_seq", Kind::MaybeNumber),
            both("cancel_requested_at", Kind::MaybeTime),
        ],
        rows: Rows::OfAnna { order: "call_no", places: &[1, 2] },
    },
    Table {
        name: "task",
        columns: &[
            both("task_id", Kind::Id),
            both("call_id", Kind::Id),
            file("owner_id", Kind::Link),
            file("node", Kind::Text),
            both("incarnation", Kind::Number),
            both("app_id", Kind::Text),
            both("function", Kind::Text),
            both("name", Kind::Text),
            both("state", Kind::Word),
            file("abandoned", Kind::Flag),
            file("long_running", Kind::Flag),
            both("percent", Kind::Real),
            both("message", Kind::MaybeText),
            database("progress_at", Kind::MaybeTime),
            database("progress_no", Kind::Number),
            both("created_at", Kind::Time),
            both("deadline_at", Kind::Time),
            both("cancel_requested_at", Kind::MaybeTime),
            both("interrupted_at", Kind::MaybeTime),
            both("untold_since", Kind::MaybeTime),
            database("refused_program", Kind::Text),
            both("finished_at", Kind::MaybeTime),
            both("outcome_seq", Kind::MaybeNumber),
            both("key", Kind::MaybeText),
            database("attempt", Kind::Number),
            database("waits_for", Kind::Word),
            database("ready_at", Kind::MaybeTime),
            database("steps", Kind::Json),
            database("open_questions", Kind::Number),
            database("open_effects", Kind::Number),
            file("durable", Kind::Flag),
            file("attempt", Kind::Number),
            file("waits_for", Kind::MaybeWord),
            file("steps", Kind::MaybeText),
            file("open_questions", Kind::Number),
            file("open_effects", Kind::Number),
        ],
        rows: Rows::OfAnna { order: "task_no", places: &[0, 1, 2] },
    },
    Table {
        name: "task_event",
        columns: &[
            file("owner_id", Kind::Link),
            file("body", Kind::Json),
            both("seq", Kind::Number),
            database("task_id", Kind::Id),
            database("state", Kind::Word),
            database("percent", Kind::Real),
            database("message", Kind::MaybeText),
            database("attempt", Kind::Number),
            database("waits_for", Kind::Word),
            database("ready_at", Kind::MaybeTime),
            database("steps", Kind::Json),
            database("open_questions", Kind::Number),
            database("open_effects", Kind::Number),
            database("deadline_at", Kind::MaybeTime),
            database("cancel_requested_at", Kind::MaybeTime),
            database("finished_at", Kind::MaybeTime),
            database("interrupted_at", Kind::MaybeTime),
            both("outcome_seq", Kind::MaybeNumber),
        ],
        rows: Rows::OfAnna { order: "seq", places: &[0, 1] },
    },
    Table {
        name: "audit",
        columns: &[
            both("at", Kind::Time),
            file("owner_id", Kind::Link),
            both("actor", Kind::Text),
            both("app_id", Kind::MaybeText),
            both("action", Kind::Text),
            both("target", Kind::MaybeText),
            both("outcome", Kind::Word),
            both("detail", Kind::MaybeText),
            both("hash", Kind::Hash),
        ],
        rows: Rows::OfAnna { order: "audit_id", places: &[0, 2] },
    },
    Table {
        name: "draft",
        columns: &[
            file("draft_id", Kind::Id),
            file("owner_id", Kind::Link),
            database("node_id", Kind::Number),
            both("call_id", Kind::Id),
            both("task_id", Kind::Id),
            both("attempt", Kind::Number),
            database("ends", Kind::Number),
        ],
        // Of a running task, and of a call without a reply.
        rows: Rows::OfAnna { order: "draft_id", places: &[0, 1] },
    },
    Table {
        name: "draft_piece",
        columns: &[
            file("draft_id", Kind::Id),
            both("at", Kind::Number),
            file("ends", Kind::Number),
            both("text", Kind::Text),
        ],
        rows: Rows::Each(&[
            "at = 0 AND draft_id = (SELECT draft_id FROM draft WHERE owner_id = (SELECT owner_id FROM owner WHERE \
             user_id = 'anna') ORDER BY draft_id LIMIT 1)",
            "at = 4 AND draft_id = (SELECT draft_id FROM draft WHERE owner_id = (SELECT owner_id FROM owner WHERE \
             user_id = 'anna') ORDER BY draft_id LIMIT 1)",
        ]),
    },
];

/// The tables of durable tasks, of which Anna has a running, a queued, a stuck, an ended and a waiting one.
pub(super) const DURABLE_TABLES: [Table; 7] = [
    Table {
        name: "task",
        columns: &[
            file("task_id", Kind::Id),
            file("call_id", Kind::Id),
            file("owner_id", Kind::Link),
            file("node", Kind::Text),
            file("incarnation", Kind::Number),
            file("app_id", Kind::Text),
            file("state", Kind::Word),
            file("abandoned", Kind::Flag),
            file("deadline_at", Kind::MaybeTime),
            file("interrupted_at", Kind::MaybeTime),
            file("untold_since", Kind::MaybeTime),
            file("finished_at", Kind::MaybeTime),
            file("outcome_seq", Kind::MaybeNumber),
            file("durable", Kind::Flag),
            file("attempt", Kind::Number),
            file("waits_for", Kind::MaybeWord),
            file("steps", Kind::MaybeText),
            file("open_questions", Kind::Number),
            file("open_effects", Kind::Number),
        ],
        rows: ANNAS_DURABLE,
    },
    Table {
        name: "durable",
        columns: &[
            file("app_id", Kind::Text),
            file("task_name", Kind::Text),
            file("root_task", Kind::Id),
            file("cap", Kind::Number),
            file("ran", Kind::Number),
            file("claimed_at", Kind::MaybeTime),
            file("crashes", Kind::Number),
            file("fruitless", Kind::Number),
            file("ready_at", Kind::MaybeTime),
            file("refused_by", Kind::Text),
            file("refused_since", Kind::MaybeTime),
            file("stuck_since", Kind::MaybeTime),
            file("values_until", Kind::MaybeTime),
            file("program", Kind::Text),
            file("input", Kind::Text),
            file("user", Kind::Text),
        ],
        rows: ANNAS_DURABLE,
    },
    Table {
        name: "attempt",
        columns: &[
            file("task_no", Kind::Number),
            file("number", Kind::Number),
            file("node", Kind::Text),
            file("program", Kind::Text),
            file("began_at", Kind::Time),
            file("ended_at", Kind::Time),
            file("ended_by", Kind::Word),
        ],
        // Of a queued and a waiting task.
        rows: Rows::Each(&["task_no = 7", "task_no = 10"]),
    },
    Table {
        name: "step",
        columns: &[
            file("step_id", Kind::Number),
            file("name", Kind::Text),
            file("kind", Kind::Word),
            file("attempt", Kind::Number),
            file("began_at", Kind::Time),
            file("done_at", Kind::Time),
            file("codec", Kind::Number),
            file("log", Kind::MaybeText),
            file("value", Kind::MaybeText),
        ],
        rows: Rows::Each(&[
            "step_id = (6 << 16) + 1",
            "step_id = (6 << 16) + 2",
            "step_id = (6 << 16) + 3",
            "step_id = (10 << 16) + 1",
            "step_id = (10 << 16) + 2",
        ]),
    },
    Table {
        name: "question",
        columns: &[
            file("question_id", Kind::Id),
            file("task_no", Kind::Number),
            file("ordinal", Kind::Number),
            file("state", Kind::Word),
            file("asked_at", Kind::Time),
            file("until", Kind::Time),
            file("answered_at", Kind::MaybeTime),
            file("answered_by", Kind::MaybeText),
            file("text", Kind::Text),
            file("schema", Kind::Json),
            file("fallback", Kind::Json),
        ],
        // An answered and an open one.
        rows: Rows::Each(&["task_no = 10 AND ordinal = 1", "task_no = 10 AND ordinal = 2"]),
    },
    Table { name: "node", columns: &[file("draining", Kind::Flag)], rows: Rows::Where("node = 'a'") },
    Table { name: "owner", columns: &[], rows: Rows::Where("user_id = 'anna'") },
];

/// Ben's tasks come before them.
const ANNAS_DURABLE: Rows = Rows::Each(&["task_no = 6", "task_no = 7", "task_no = 8", "task_no = 9", "task_no = 10"]);

impl Table {
    /// A condition for each row.
    pub(super) fn conditions(&self) -> Vec<String> {
        let (order, places) = match self.rows {
            Rows::Where(condition) => return vec![condition.to_owned()],
            Rows::Each(conditions) => return conditions.iter().map(|condition| (*condition).to_owned()).collect(),
            Rows::OfAnna { order, places } => (order, places),
        };
        let own = "owner_id = (SELECT owner_id FROM owner WHERE user_id = 'anna')";
        let name = self.name;
        let row = |place| {
            format!(
                "{own} AND {order} = (SELECT {order} FROM {name} WHERE {own} ORDER BY {order} LIMIT 1 OFFSET {place})"
            )
        };
        places.iter().map(row).collect()
    }
}
