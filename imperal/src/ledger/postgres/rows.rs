//! Between rows of the database and rows of the contract.
//!
//! Owns how texts, ids, times, states and JSON are stored. Knows no rule of the contract.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::fault::Fault;
use crate::ledger::{
    AuditHash, AuditOutcome, AuditRow, Event, EventBody, Incarnation, LedgerError, NewAudit, Orphan, Owner, Task,
    TaskRecord, TaskState, Turn, TurnBody,
};
use crate::result::WireResult;

/// The columns of `task_record` that [`record`] reads.
pub(super) const RECORD: &str = "r.task_id::text, r.call_id::text, r.app_id, r.function, r.name, r.state, \
    r.long_running, r.percent, r.message, r.created_at, r.deadline_at, r.cancel_requested_at, r.finished_at, r.body, \
    r.node, r.epoch, r.tenant_id, r.user_id, r.owner_id, r.head, r.key";

/// A text as it is stored: in bytea's escape format, since PostgreSQL's texts have no NUL.
pub(super) fn stored(text: &str) -> Cow<'_, str> {
    if text.contains(['\\', '\0']) { text.replace('\\', "\\\\").replace('\0', "\\000").into() } else { text.into() }
}

pub(super) fn original(text: &str) -> String {
    let mut original = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        original.push(match c {
            '\\' if rest.next() == Some('0') => {
                // The other two digits of `\000`.
                rest.nth(1);
                '\0'
            }
            other => other,
        });
    }
    original
}

/// A number as it is stored. There is nothing beyond the largest.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A turn as it is stored.
pub(super) fn to_json(turn: &TurnBody) -> Result<String, LedgerError> {
    serde_json::to_string(turn)
        .map_err(|error| LedgerError::Unavailable(format!("a turn cannot be written as JSON: {error}")))
}

/// An audit row as the functions take it.
pub(super) fn audit(row: &NewAudit) -> Vec<Option<Cow<'_, str>>> {
    vec![
        Some(stored(&row.tenant_id)),
        Some(stored(&row.user_id)),
        Some(stored(&row.actor)),
        row.app_id.as_deref().map(stored),
        Some(stored(&row.action)),
        row.target.as_deref().map(stored),
        Some(outcome_text(row.outcome).into()),
        row.detail.as_deref().map(stored),
    ]
}

pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, Fault> {
    row.try_get(column).map_err(|error| Fault::Row(super::fault::reasons(&error)))
}

pub(super) fn get_number(row: &Row, column: usize) -> Result<u64, Fault> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map_err(|_| Fault::Row(format!("{number} where a number counts from 1")))
}

pub(super) fn get_text(row: &Row, column: usize) -> Result<String, Fault> {
    Ok(original(get(row, column)?))
}

fn get_maybe_text(row: &Row, column: usize) -> Result<Option<String>, Fault> {
    Ok(get::<Option<&str>>(row, column)?.map(original))
}

pub(super) fn get_id<T: FromStr<Err: Display>>(row: &Row, column: usize) -> Result<T, Fault> {
    let text: &str = get(row, column)?;
    text.parse().map_err(|error| Fault::Row(format!("{text:?} where an id should be: {error}")))
}

pub(super) fn get_time(row: &Row, column: usize) -> Result<Timestamp, Fault> {
    get_maybe_time(row, column)?.ok_or_else(|| Fault::Row("no time where one should be".to_owned()))
}

fn get_maybe_time(row: &Row, column: usize) -> Result<Option<Timestamp>, Fault> {
    let micros: Option<i64> = get(row, column)?;
    let time = |micros| {
        Timestamp::from_microsecond(micros).map_err(|_| Fault::Row(format!("{micros} where a time should be")))
    };
    micros.map(time).transpose()
}

/// JSON from a row.
fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    crate::json::read(text.as_bytes()).map_err(|error| Fault::Row(error.to_string()))
}

/// The result that an outcome turn holds, where a column has one.
fn get_result(row: &Row, column: usize) -> Result<Option<WireResult>, Fault> {
    match get::<Option<&str>>(row, column)? {
        None => Ok(None),
        Some(text) => Ok(parse::<TurnBody>(text)?.result),
    }
}

/// An owner from two columns.
pub(super) fn owner(row: &Row, tenant: usize) -> Result<Owner, Fault> {
    Ok(Owner { tenant_id: get_text(row, tenant)?.into(), user_id: get_text(row, tenant + 1)?.into() })
}

fn life(row: &Row, node: usize) -> Result<Incarnation, Fault> {
    Ok(Incarnation { node: get_text(row, node)?.into(), epoch: get(row, node + 1)? })
}

/// A turn from `seq, at, body`.
pub(super) fn turn(row: &Row) -> Result<Turn, Fault> {
    turn_at(row, 0)
}

/// A turn from three columns.
pub(super) fn turn_at(row: &Row, first: usize) -> Result<Turn, Fault> {
    Ok(Turn { seq: get_number(row, first)?, at: get_time(row, first + 1)?, body: parse(get(row, first + 2)?)? })
}

/// A task from the columns of [`RECORD`].
pub(super) fn record(row: &Row) -> Result<TaskRecord, Fault> {
    let task = task(row, 0, 13, 20)?;
    Ok(TaskRecord { owner: owner(row, 16)?, holder: life(row, 14)?, task })
}

/// A task from thirteen columns, the outcome turn in another, and its key in a third.
fn task(row: &Row, first: usize, outcome: usize, key: usize) -> Result<Task, Fault> {
    Ok(Task {
        task_id: get_id(row, first)?,
        call_id: get_id(row, first + 1)?,
        app_id: get_text(row, first + 2)?,
        function: get_text(row, first + 3)?,
        name: get_text(row, first + 4)?,
        key: get_maybe_text(row, key)?,
        state: state(get(row, first + 5)?)?,
        long_running: get(row, first + 6)?,
        percent: get(row, first + 7)?,
        message: get_maybe_text(row, first + 8)?,
        created_at: get_time(row, first + 9)?,
        deadline_at: get_time(row, first + 10)?,
        cancel_requested_at: get_maybe_time(row, first + 11)?,
        finished_at: get_maybe_time(row, first + 12)?,
        result: get_result(row, outcome)?,
    })
}

/// From the columns of [`RECORD`]; a call has no task id.
pub(super) fn orphan(row: &Row) -> Result<Orphan, Fault> {
    if get::<Option<&str>>(row, 0)?.is_some() {
        return Ok(Orphan::Task(record(row)?));
    }
    Ok(Orphan::Call {
        call_id: get_id(row, 1)?,
        owner: owner(row, 16)?,
        holder: life(row, 14)?,
        turn: parse(get(row, 13)?)?,
    })
}

/// From `seq, at, body`, and a task's columns where `at` is null.
pub(super) fn event(row: &Row) -> Result<Event, Fault> {
    let seq = get_number(row, 0)?;
    if seq == 0 {
        return Err(LedgerError::Pruned(get_number(row, 1)?).into());
    }
    let body = match get_maybe_time(row, 1)? {
        Some(at) => EventBody::Turn(Turn { seq, at, body: parse(get(row, 2)?)? }),
        None => EventBody::Task(task(row, 3, 2, 16)?),
    };
    Ok(Event { seq, body })
}

pub(super) fn get_hash(row: &Row, column: usize) -> Result<AuditHash, Fault> {
    let bytes: &[u8] = get(row, column)?;
    bytes.try_into().map(AuditHash::from_bytes).map_err(|_| Fault::Row("no hash where one should be".to_owned()))
}

/// From the columns of the audit reads.
pub(super) fn audit_row(row: &Row) -> Result<AuditRow, Fault> {
    let body = NewAudit {
        tenant_id: get_text(row, 2)?,
        user_id: get_text(row, 3)?,
        actor: get_text(row, 4)?,
        app_id: get_maybe_text(row, 5)?,
        action: get_text(row, 6)?,
        target: get_maybe_text(row, 7)?,
        outcome: audit_outcome(get(row, 8)?)?,
        detail: get_maybe_text(row, 9)?,
    };
    Ok(AuditRow { audit_id: get_number(row, 0)?, at: get_time(row, 1)?, hash: get_hash(row, 10)?, body })
}

fn state(text: &str) -> Result<TaskState, Fault> {
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

fn outcome_text(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Done => "done",
        AuditOutcome::Refused => "refused",
        AuditOutcome::Critical => "critical",
    }
}

fn audit_outcome(text: &str) -> Result<AuditOutcome, Fault> {
    [AuditOutcome::Done, AuditOutcome::Refused, AuditOutcome::Critical]
        .into_iter()
        .find(|outcome| outcome_text(*outcome) == text)
        .ok_or_else(|| Fault::Row(format!("{text:?} where an outcome should be")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_text_has_no_nul_and_comes_back() {
        for text in ["", "plain", "\0", "\\0", "a\\\0b\\\\0\0", "\\"] {
            assert!(!stored(text).contains('\0'));
            assert_eq!(original(&stored(text)), text);
        }
    }
}
