//! Between rows of the file and rows of the contract.
//!
//! Owns how ids, times, states and JSON are stored, and the three ways to run a statement. Knows
//! no rule of the contract.

use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Params, Row};
use serde::de::DeserializeOwned;

use super::fault::Fault;
use super::readers::Reading;
use crate::ledger::page::Filling;
use crate::ledger::{
    AuditHash, AuditOutcome, Incarnation, Limit, Owner, Page, Task, TaskRecord, TaskState, Turn, TurnBody,
};
use crate::result::WireResult;

/// All columns of a task that [`record`] reads. `$rest` goes on after the joins. A list leaves the result out.
macro_rules! select_task {
    ($rest:literal) => {
        select_task!("o.body", "LEFT JOIN turn o ON o.owner_id = t.owner_id AND o.seq = t.outcome_seq ", $rest)
    };
    (list $rest:literal) => {
        select_task!("NULL", "", $rest)
    };
    ($outcome:literal, $join:literal, $rest:literal) => {
        concat!(
            "SELECT t.task_id, t.call_id, t.app_id, t.function, t.name, t.state, t.long_running, t.percent, ",
            "t.message, t.created_at, t.deadline_at, t.cancel_requested_at, t.finished_at, ",
            $outcome,
            ", t.node, t.epoch, w.tenant_id, w.user_id, t.key ",
            "FROM task t JOIN owner w ON w.owner_id = t.owner_id ",
            $join,
            $rest
        )
    };
}
pub(super) use select_task;

/// A statement without rows; how many rows it changed.
pub(super) fn execute(conn: &Connection, sql: &str, params: impl Params) -> Result<usize, Fault> {
    Ok(conn.prepare_cached(sql)?.execute(params)?)
}

/// The first row, if there is one.
pub(super) fn one<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// Rows up to a limit. Those behind it are not read, and none is once nobody waits for them any more. `look`
/// may refuse all of them at any row.
pub(super) fn page<T>(
    reading: &Reading<'_>,
    sql: &str,
    params: impl Params,
    limit: Limit,
    look: impl Fn(&Row<'_>) -> Result<(), Fault>,
    read: impl Fn(&Row<'_>) -> Result<T, Fault>,
) -> Result<Page<T>, Fault> {
    let mut statement = reading.conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut page = Filling::new(limit);
    while let Some(row) = rows.next()? {
        reading.go_on()?;
        look(row)?;
        if !page.takes(size(row)?) {
            return Ok(page.end(true));
        }
        page.push(read(row)?);
    }
    Ok(page.end(false))
}

/// The bytes of a row's texts.
fn size(row: &Row<'_>) -> Result<u64, Fault> {
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
    let mut statement = conn.prepare_cached(sql)?;
    statement.query_and_then(params, read)?.collect()
}

/// A number as SQLite stores it. There is nothing beyond its largest.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from a row.
pub(super) fn get_number(row: &Row<'_>, column: usize) -> Result<u64, Fault> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| Fault::Row(format!("{number} where a number counts from 1")))
}

/// An id from a row.
pub(super) fn get_id<T: FromStr>(row: &Row<'_>, column: usize) -> Result<T, Fault> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| Fault::Row(format!("{text:?} where an id should be")))
}

/// A time from a row.
pub(super) fn get_time(row: &Row<'_>, column: usize) -> Result<Timestamp, Fault> {
    get_maybe_time(row, column)?.ok_or_else(|| Fault::Row("no time where one should be".to_owned()))
}

fn get_maybe_time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Fault> {
    let micros: Option<i64> = row.get(column)?;
    micros
        .map(|micros| {
            Timestamp::from_microsecond(micros).map_err(|_| Fault::Row(format!("{micros} where a time should be")))
        })
        .transpose()
}

/// A hash from a row, where it has one.
pub(super) fn get_hash(row: &Row<'_>, column: usize) -> Result<Option<AuditHash>, Fault> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    bytes
        .map(|bytes| <[u8; 32]>::try_from(bytes).map(AuditHash::from_bytes))
        .transpose()
        .map_err(|bytes| Fault::Row(format!("{} bytes where a hash should be", bytes.len())))
}

/// JSON from a row.
pub(super) fn get_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, Fault> {
    parse(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    Ok(crate::json::read(text.as_bytes())?)
}

/// The result that an outcome turn holds, where a column has one.
pub(super) fn outcome_from(row: &Row<'_>, column: usize) -> Result<Option<WireResult>, Fault> {
    match row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)? {
        None => Ok(None),
        Some(text) => Ok(parse::<TurnBody>(text)?.result),
    }
}

/// A turn from `seq, at, body`.
pub(super) fn turn(row: &Row<'_>) -> Result<Turn, Fault> {
    turn_at(row, 0)
}

/// A turn from three columns.
pub(super) fn turn_at(row: &Row<'_>, first: usize) -> Result<Turn, Fault> {
    Ok(Turn { seq: get_number(row, first)?, at: get_time(row, first + 1)?, body: get_json(row, first + 2)? })
}

/// A life from two columns.
pub(super) fn life(row: &Row<'_>, node: usize) -> Result<Incarnation, Fault> {
    Ok(Incarnation { node: row.get::<_, String>(node)?.into(), epoch: row.get(node + 1)? })
}

/// An owner from two columns.
pub(super) fn owner(row: &Row<'_>, tenant: usize) -> Result<Owner, Fault> {
    Ok(Owner { tenant_id: row.get::<_, String>(tenant)?.into(), user_id: row.get::<_, String>(tenant + 1)?.into() })
}

/// A task from the columns of [`select_task`].
pub(super) fn record(row: &Row<'_>) -> Result<TaskRecord, Fault> {
    let task = Task {
        task_id: get_id(row, 0)?,
        call_id: get_id(row, 1)?,
        app_id: row.get(2)?,
        function: row.get(3)?,
        name: row.get(4)?,
        key: row.get(18)?,
        state: state(row, 5)?,
        long_running: row.get(6)?,
        percent: row.get(7)?,
        message: row.get(8)?,
        created_at: get_time(row, 9)?,
        deadline_at: get_time(row, 10)?,
        cancel_requested_at: get_maybe_time(row, 11)?,
        finished_at: get_maybe_time(row, 12)?,
        result: outcome_from(row, 13)?,
    };
    Ok(TaskRecord { owner: owner(row, 16)?, holder: life(row, 14)?, task })
}

fn state(row: &Row<'_>, column: usize) -> Result<TaskState, Fault> {
    let text: String = row.get(column)?;
    [
        TaskState::Running,
        TaskState::Succeeded,
        TaskState::Failed,
        TaskState::Cancelled,
        TaskState::TimedOut,
        TaskState::Reclaimed,
    ]
    .into_iter()
    .find(|state| state.as_str() == text)
    .ok_or_else(|| Fault::Row(format!("{text:?} where a task's state should be")))
}

/// How an audit row's outcome is stored.
pub(super) fn outcome_text(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Done => "done",
        AuditOutcome::Refused => "refused",
        AuditOutcome::Critical => "critical",
    }
}

/// An audit row's outcome from a column.
pub(super) fn audit_outcome(row: &Row<'_>, column: usize) -> Result<AuditOutcome, Fault> {
    let text: String = row.get(column)?;
    [AuditOutcome::Done, AuditOutcome::Refused, AuditOutcome::Critical]
        .into_iter()
        .find(|outcome| outcome_text(*outcome) == text)
        .ok_or_else(|| Fault::Row(format!("{text:?} where an outcome should be")))
}
