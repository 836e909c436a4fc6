//! Rows of the file for [`decode`](crate::ledger::decode), and the ways to run a statement.
//!
//! Knows no rule of the contract.

use std::borrow::Cow;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, Row};

use super::fault::Fault;
use super::readers::Reading;
use crate::ledger::decode::{self, Cell, Columns};
use crate::ledger::page::PageBuilder;
use crate::ledger::unreadable::Unreadable;
use crate::ledger::{Incarnation, Page, PageLimit, TaskRecord};

/// The states of a task without an outcome, for statements whose index has this condition.
macro_rules! open_states {
    () => {
        "('running', 'queued', 'waiting', 'stuck')"
    };
}
pub(super) use open_states;

/// Selects the columns of a task that [`record`] reads: [`TASK_COLUMNS`]. `$rest` follows the joins. A list leaves the
/// result out.
macro_rules! select_task {
    (list $rest:expr) => {
        select_task!("", "NULL", "", $rest)
    };
    // A list with more columns, each with a comma before it.
    (list $more:expr, $rest:expr) => {
        select_task!($more, "NULL", "", $rest)
    };
    ($rest:expr) => {
        select_task!("", "o.body", "LEFT JOIN turn o ON o.owner_id = t.owner_id AND o.seq = t.outcome_seq ", $rest)
    };
    ($more:expr, $outcome:literal, $join:literal, $rest:expr) => {
        concat!(
            "SELECT t.task_no, t.task_id, t.call_id, t.app_id, t.function, t.name, t.key, t.state, t.long_running, ",
            "t.percent, t.message, t.created_at, t.deadline_at, t.cancel_requested_at, t.finished_at, ",
            "t.durable, t.attempt, t.steps, t.interrupted_at, t.open_questions, t.open_effects, t.queue, t.follows, ",
            // A background task costs no look at the other table.
            // A queued task of a paused name waits for that.
            "CASE WHEN t.state = 'queued' AND t.durable AND EXISTS (",
            "SELECT 1 FROM durable d CROSS JOIN paused p ON p.app_id = d.app_id AND p.task_name = d.task_name ",
            "WHERE d.task_no = t.task_no) ",
            "THEN 'paused' ELSE t.waits_for END AS waits_for, ",
            "CASE WHEN t.durable THEN (SELECT d.ready_at FROM durable d WHERE d.task_no = t.task_no) END AS ready_at, ",
            $outcome,
            " AS outcome, t.node, t.incarnation, w.tenant_id, w.user_id",
            $more,
            " FROM task t LEFT JOIN owner w ON w.owner_id = t.owner_id ",
            $join,
            $rest
        )
    };
}
pub(super) use select_task;

/// The columns of `select_task`, in its order.
pub(super) const TASK_COLUMNS: [&str; 30] = [
    "task_no",
    "task_id",
    "call_id",
    "app_id",
    "function",
    "name",
    "key",
    "state",
    "long_running",
    "percent",
    "message",
    "created_at",
    "deadline_at",
    "cancel_requested_at",
    "finished_at",
    "durable",
    "attempt",
    "steps",
    "interrupted_at",
    "open_questions",
    "open_effects",
    "queue",
    "follows",
    "waits_for",
    "ready_at",
    "outcome",
    "node",
    "incarnation",
    "tenant_id",
    "user_id",
];

/// A task from the columns of `select_task`.
pub(super) fn record(row: &Row<'_>, unreadable: &Unreadable) -> TaskRecord {
    decode::record(&TaskCells(row), unreadable)
}

/// A row that begins with [`TASK_COLUMNS`]. SQLite knows a column's name only by asking for the name of each, which
/// takes longer than all the rest of a task's row.
struct TaskCells<'r>(&'r Row<'r>);

impl Columns for TaskCells<'_> {
    fn cell(&self, column: &str) -> Cell<'_> {
        match TASK_COLUMNS.iter().position(|known| *known == column) {
            Some(place) => self.0.get_ref(place).map_or(Cell::Null, cell),
            None => Cell::Null,
        }
    }

    fn original(text: &str) -> Result<Cow<'_, str>, String> {
        Ok(text.into())
    }
}

/// Selects the columns of a question that [`question`](crate::ledger::decode::question) reads, and its owner. A question
/// of a missing task or owner is not found. A damaged ordinal names no step of another task.
macro_rules! select_question {
    ($rest:expr) => {
        select_question!("q.schema", $rest)
    };
    ($schema:literal, $rest:expr) => {
        concat!(
            "SELECT q.question_no, q.question_id, q.task_no, t.task_id, q.ordinal, s.name, q.text, ",
            $schema,
            " AS schema, ",
            "q.fallback, q.state, q.asked_at, q.until, q.answered_by, q.answered_at, s.value, w.tenant_id, w.user_id ",
            "FROM question q CROSS JOIN task t ON t.task_no = q.task_no CROSS JOIN owner w ON w.owner_id = t.owner_id ",
            "LEFT JOIN step s ON s.step_id = (q.task_no << 16) + q.ordinal AND q.ordinal BETWEEN 1 AND 65535 ",
            $rest
        )
    };
}
pub(super) use select_question;

/// Runs a statement that returns no rows. Returns the number of changed rows.
pub(super) fn execute(conn: &Connection, sql: &str, params: impl Params) -> Result<usize, Fault> {
    counted::one_more();
    Ok(conn.prepare_cached(sql)?.execute(params)?)
}

/// The first row, if any.
pub(super) fn one<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    counted::one_more();
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// Rows up to a limit. Rows behind it are not read, and reading stops when the caller has gone. `look` can refuse the
/// whole page at any row.
pub(super) fn page<T>(
    reading: &Reading<'_>,
    sql: &str,
    params: impl Params,
    limit: PageLimit,
    look: impl Fn(&Row<'_>) -> Result<(), Fault>,
    read: impl Fn(&Row<'_>) -> Result<T, Fault>,
) -> Result<Page<T>, Fault> {
    let mut statement = reading.conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut page = PageBuilder::new(limit);
    while let Some(row) = rows.next()? {
        reading.go_on()?;
        look(row)?;
        if !page.accepts(size(row)?) {
            return Ok(page.end(true));
        }
        page.push(read(row)?);
    }
    Ok(page.end(false))
}

/// Bytes of a row's texts.
pub(super) fn size(row: &Row<'_>) -> Result<u64, Fault> {
    let mut bytes = 0;
    for column in 0..row.as_ref().column_count() {
        if let ValueRef::Text(text) | ValueRef::Blob(text) = row.get_ref(column)? {
            bytes += text.len() as u64;
        }
    }
    Ok(bytes)
}

/// All rows.
pub(super) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    counted::one_more();
    let mut statement = conn.prepare_cached(sql)?;
    statement.query_and_then(params, read)?.collect()
}

/// A number as SQLite stores it, capped at its largest.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that is never negative.
pub(super) fn get_number(row: &Row<'_>, column: usize) -> Result<u64, Fault> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| Fault::Row(format!("{number} where a number counts from 1")))
}

/// An incarnation, from the columns `node` and `incarnation`. A node's name that is not UTF-8 matches no node.
pub(super) fn incarnation(row: &Row<'_>) -> Result<Incarnation, Fault> {
    let node = match row.cell("node") {
        Cell::Text(node) => node.into(),
        Cell::Broken(node) => node.into(),
        _ => "".into(),
    };
    Ok(Incarnation { node, number: row.get("incarnation")? })
}

fn cell(value: ValueRef<'_>) -> Cell<'_> {
    match value {
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Real(number) => Cell::Real(number),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Text(text),
            Err(_) => Cell::Broken(String::from_utf8_lossy(bytes).into_owned()),
        },
        ValueRef::Null => Cell::Null,
    }
}

impl Columns for Row<'_> {
    fn cell(&self, column: &str) -> Cell<'_> {
        self.get_ref(column).map_or(Cell::Null, cell)
    }

    fn original(text: &str) -> Result<Cow<'_, str>, String> {
        Ok(text.into())
    }
}

#[cfg(not(test))]
mod counted {
    pub(super) const fn one_more() {}
}

/// Statements that this thread has run, for tests that count those of an operation.
#[cfg(test)]
pub(super) mod counted {
    use std::cell::Cell;

    thread_local! {
        static STATEMENTS: Cell<u32> = const { Cell::new(0) };
    }

    pub(in crate::ledger::sqlite) fn statements() -> u32 {
        STATEMENTS.get()
    }

    pub(super) fn one_more() {
        STATEMENTS.set(STATEMENTS.get() + 1);
    }
}
