//! The damages: each column of each table, for both backends, and the values that it is damaged with.
//!
//! A run takes a sample that rotates. It holds every column of every table and every value of every
//! kind of column; their combinations change with the seed.

use std::collections::HashSet;

use imperal_tests::{Dice, seed_from_env, seed_of_the_time};

/// How the ledger has to notice a damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// It reports an unreadable or contradictory row.
    Row,
    /// The check of the audit trail names the row, readable or not.
    Trail,
    /// It cannot notice: the value is a possible one.
    Nothing,
    /// It depends on the other rows.
    Other,
}

/// One damage.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) sql: String,
    pub(super) finding: Finding,
    /// The table and, unless its row is deleted, the column.
    column: (&'static str, Option<&'static str>),
    /// The kind of the column and the number of the value among its values.
    value: Option<(Kind, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    /// SQLite: a text may hold any bytes, and foreign keys can be switched off.
    File,
    /// PostgreSQL: ids are of the type UUID and links are foreign keys, so fewer values are possible.
    Database,
}

/// A kind of column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
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
struct Table {
    name: &'static str,
    columns: &'static [(&'static str, Kind, Option<Backend>)],
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

const TABLES: [Table; 7] = [
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
            file("durable", Kind::Flag),
            file("attempt", Kind::Number),
            file("waits_for", Kind::MaybeWord),
            file("steps", Kind::MaybeText),
            file("open_questions", Kind::Number),
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
];

/// The tables of durable tasks, of which Anna has a running, a queued, a stuck, an ended and a waiting one.
const DURABLE_TABLES: [Table; 6] = [
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
            file("input", Kind::Text),
            file("user", Kind::Text),
        ],
        rows: ANNAS_DURABLE,
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
    fn conditions(&self) -> Vec<String> {
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

/// SQL of values that a healthy column of this kind never has.
fn values(kind: Kind, backend: Backend) -> Vec<String> {
    let not_utf8 = "CAST(x'44414d414745ff80' AS TEXT)";
    let values: &[&str] = match (kind, backend) {
        (Kind::Text | Kind::MaybeText, Backend::File) => &[not_utf8],
        (Kind::Text | Kind::MaybeText, Backend::Database) => &[r"'DAMAGE\q'", r"'DAMAGE\00'", r"'DAMAGE\'"],
        (Kind::Id, Backend::File) => &["'not-a-uuid'", "''", not_utf8],
        (Kind::Id, Backend::Database) => &["gen_random_uuid()"],
        (Kind::Json, Backend::File) => {
            &["'not json'", "'{}'", "'[]'", "''", "'{\"turn_id\":7,\"app_id\":\"contract\"}'", not_utf8]
        }
        (Kind::Json, Backend::Database) => {
            &["'not json'", "'{}'", "'[]'", "''", "'{\"turn_id\":7,\"app_id\":\"contract\"}'"]
        }
        (Kind::Word | Kind::MaybeWord, Backend::File) => &["'DAMAGE'", "''", not_utf8],
        (Kind::Word | Kind::MaybeWord, Backend::Database) => &["'DAMAGE'", "''"],
        (Kind::Time | Kind::MaybeTime, _) => &["9223372036854775807", "-9223372036854775808"],
        (Kind::Number | Kind::MaybeNumber, _) => &["9223372036854775807", "-9223372036854775808", "-3", "4000000"],
        (Kind::Link, _) => &["999"],
        (Kind::Flag, _) => &["7", "-9223372036854775808"],
        (Kind::Real, Backend::File) => &["9e999"],
        (Kind::Real, Backend::Database) => &["'NaN'", "'Infinity'"],
        (Kind::Hash, Backend::File) => &["x''", "x'00'", "zeroblob(33)"],
        (Kind::Hash, Backend::Database) => &[r"''", r"'\x00'"],
    };
    let mut values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    if kind == Kind::Json {
        values.extend([nested_turn(127), nested_turn(100_000)]);
    }
    values
}

/// A turn whose parameters are nested deeper than any reader accepts.
fn nested_turn(levels: usize) -> String {
    let (open, close) = ("[".repeat(levels), "]".repeat(levels));
    format!(
        r#"'{{"turn_id":"0198c0de-0000-7000-8000-000000000000","role":"user","type":"response","text":"","app_id":"contract","function":"work","params":{open}{close}}}'"#
    )
}

fn finding(table: &str, column: &str, kind: Kind, backend: Backend) -> Finding {
    match (table, kind, backend) {
        ("audit", ..) | ("owner", Kind::Hash, _) => Finding::Trail,
        ("turn", Kind::Id, Backend::File) => Finding::Nothing,
        // Compared with versions, and never shown.
        ("task", ..) if column == "refused_program" => Finding::Nothing,
        ("turn", Kind::Json, _)
        | ("task", Kind::Text | Kind::Real, _)
        | ("task", Kind::Id | Kind::Word | Kind::MaybeWord, Backend::File) => Finding::Row,
        ("task", Kind::MaybeText, _) if column != "key" => Finding::Row,
        _ => Finding::Other,
    }
}

/// Every damage of a backend.
fn all(backend: Backend) -> Vec<Case> {
    of(&TABLES, backend)
}

fn of(tables: &[Table], backend: Backend) -> Vec<Case> {
    let mut cases = Vec::new();
    for table in tables {
        let rows = table.conditions();
        for &(column, kind, only) in table.columns {
            if only.is_some_and(|only| only != backend) {
                continue;
            }
            for (number, value) in values(kind, backend).into_iter().enumerate() {
                for row in &rows {
                    cases.push(Case {
                        sql: format!("UPDATE {} SET {column} = {value} WHERE {row}", table.name),
                        finding: finding(table.name, column, kind, backend),
                        column: (table.name, Some(column)),
                        value: Some((kind, number)),
                    });
                }
            }
        }
        // PostgreSQL's foreign keys keep rows that other rows link to.
        if backend == Backend::Database && ["owner", "node"].contains(&table.name) {
            continue;
        }
        for row in &rows {
            cases.push(Case {
                sql: format!("DELETE FROM {} WHERE {row}", table.name),
                finding: Finding::Other,
                column: (table.name, None),
                value: None,
            });
        }
    }
    cases
}

/// In a random order, the cases with a column or a value that no case before them has.
fn sample(mut cases: Vec<Case>, seed: u64) -> Vec<Case> {
    Dice::new(seed).shuffle(&mut cases);
    let (mut columns, mut values) = (HashSet::new(), HashSet::new());
    cases.retain(|case| {
        let (column, value) = (columns.insert(case.column), values.insert(case.value));
        column || value
    });
    cases
}

/// The cases of this run: a sample; with `IMPERAL_DAMAGE=all` every case; with any other text in it
/// the cases whose SQL contains that text.
pub(super) fn chosen(backend: Backend) -> Vec<Case> {
    choose(all(backend), backend)
}

/// The same of the tables of durable tasks, in a file.
pub(super) fn chosen_durable() -> Vec<Case> {
    choose(of(&DURABLE_TABLES, Backend::File), Backend::File)
}

fn choose(cases: Vec<Case>, backend: Backend) -> Vec<Case> {
    match std::env::var("IMPERAL_DAMAGE") {
        Ok(text) if text == "all" => cases,
        Ok(text) if !text.is_empty() => cases.into_iter().filter(|case| case.sql.contains(&text)).collect(),
        _ => {
            let seed = seed_from_env().unwrap_or_else(seed_of_the_time);
            let (total, sample) = (cases.len(), sample(cases, seed));
            eprintln!(
                "{backend:?}: {} of {total} damages; IMPERAL_TEST_SEED={seed} repeats them, IMPERAL_DAMAGE=all tries all",
                sample.len()
            );
            sample
        }
    }
}

#[test]
fn every_sample_has_every_column_and_every_value_of_its_kind() {
    for backend in [Backend::File, Backend::Database] {
        let cases = all(backend);
        let columns: HashSet<_> = cases.iter().map(|case| case.column).collect();
        let values: HashSet<_> = cases.iter().map(|case| case.value).collect();
        for seed in 0..20 {
            let sample = sample(cases.clone(), seed);
            assert_eq!(sample.iter().map(|case| case.column).collect::<HashSet<_>>(), columns);
            assert_eq!(sample.iter().map(|case| case.value).collect::<HashSet<_>>(), values);
            assert!(sample.len() < cases.len() / 2, "{} of {} cases are no sample", sample.len(), cases.len());
        }
    }
}

#[test]
fn samples_of_enough_runs_are_all_cases() {
    for (backend, at_least) in [(Backend::File, 300), (Backend::Database, 150)] {
        let cases = all(backend);
        assert!(cases.len() > at_least, "{} cases only", cases.len());
        let mut sampled = HashSet::new();
        for seed in 0..200 {
            sampled.extend(sample(cases.clone(), seed).into_iter().map(|case| case.sql));
        }
        assert_eq!(sampled.len(), cases.len());
    }
}
