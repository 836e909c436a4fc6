//! Rows of the database for [`decode`](crate::ledger::decode), and values as the functions take them.
//!
//! Knows no rule of the contract.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Type};

use super::fault::{Fault, reasons};
use super::stored_text::{original, stored};
use crate::ledger::decode::{self, Cell, Columns};
use crate::ledger::unreadable::Unreadable;
use crate::ledger::{LedgerError, NewAudit, NewStep, Orphan, TurnBody};

/// The columns of `task_record` that [`record`](crate::ledger::decode::record) reads, and those of an orphaned call.
pub(super) const RECORD_COLUMNS: &str = "r.task_no, r.task_id::text AS task_id, r.call_id::text AS call_id, r.app_id, \
    r.function, r.name, r.key, r.state, r.long_running, r.percent, r.message, r.created_at, r.deadline_at, \
    r.cancel_requested_at, r.finished_at, r.body AS outcome, r.node, r.incarnation, r.tenant_id, r.user_id, r.owner_id, \
    r.head, r.task_no AS call_no, r.body, NULL::text AS turn_id, \
    r.durable, r.attempt, r.waits_for, r.ready_at, r.steps, r.interrupted_at, r.open_questions, r.queue, \
    r.open_effects, r.follows";

/// A number as PostgreSQL stores it, capped at its largest.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Capped at the last moment that programs can represent.
pub(super) fn micros(time: Duration) -> i64 {
    let most = Timestamp::MAX.as_microsecond();
    i64::try_from(time.as_micros()).map_or(most, |micros| micros.min(most))
}

/// A turn as JSON.
pub(super) fn to_json(turn: &TurnBody) -> Result<String, LedgerError> {
    turn.check_depth()?;
    serde_json::to_string(turn)
        .map_err(|error| LedgerError::Unavailable(format!("a turn cannot be written as JSON: {error}")))
}

/// JSON text as it comes from a caller. PostgreSQL's texts cannot hold a NUL, and JSON never has one.
pub(super) fn json_text(json: &str) -> Result<&str, LedgerError> {
    if json.contains('\0') {
        return Err(LedgerError::Unavailable("a value is not JSON: it has a NUL".to_owned()));
    }
    Ok(json)
}

/// A step of a message as the function in the database takes it.
pub(super) fn step_texts(step: &NewStep) -> Result<Vec<Option<Cow<'_, str>>>, LedgerError> {
    Ok(vec![
        Some(step.ordinal.to_string().into()),
        Some(step.kind.as_str().into()),
        Some(stored(&step.name)),
        Some(micros(step.took).to_string().into()),
        Some(json_text(&step.value)?.into()),
        step.log.as_deref().map(json_text).transpose()?.map(Cow::from),
    ])
}

/// An audit row as the functions in the database take it.
pub(super) fn audit(row: &NewAudit) -> Vec<Option<Cow<'_, str>>> {
    vec![
        Some(stored(&row.tenant_id)),
        Some(stored(&row.user_id)),
        Some(stored(&row.actor)),
        row.app_id.as_deref().map(stored),
        Some(stored(&row.action)),
        row.target.as_deref().map(stored),
        Some(row.outcome.as_str().into()),
        row.detail.as_deref().map(stored),
    ]
}

pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, Fault> {
    row.try_get(column).map_err(|error| Fault::Row(reasons(&error)))
}

pub(super) fn get_number(row: &Row, column: usize) -> Result<u64, Fault> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map_err(|_| Fault::Row(format!("{number} is negative")))
}

pub(super) fn get_id<T: FromStr<Err: Display>>(row: &Row, column: usize) -> Result<T, Fault> {
    let text: &str = get(row, column)?;
    text.parse().map_err(|error| Fault::Row(format!("invalid id {text:?}: {error}")))
}

pub(super) fn get_time(row: &Row, column: usize) -> Result<Timestamp, Fault> {
    let micros: i64 = get(row, column)?;
    Timestamp::from_microsecond(micros).map_err(|_| Fault::Row(format!("{micros} is out of range for a time")))
}

/// From the columns of [`RECORD_COLUMNS`]. A call has a null task id.
pub(super) fn orphan(row: &Row, unreadable: &Unreadable) -> Orphan {
    match row.cell("task_id") {
        Cell::Null => decode::left_call(row, unreadable),
        _ => Orphan::Task(decode::record(row, unreadable)),
    }
}

impl Columns for Row {
    fn cell(&self, column: &str) -> Cell<'_> {
        let Some(place) = self.columns().iter().position(|found| found.name() == column) else {
            return Cell::Null;
        };
        let cell = match *self.columns()[place].type_() {
            Type::INT8 => self.try_get::<_, Option<i64>>(place).map(|value| value.map(Cell::Int)),
            Type::FLOAT8 => self.try_get::<_, Option<f64>>(place).map(|value| value.map(Cell::Real)),
            Type::BOOL => self.try_get::<_, Option<bool>>(place).map(|value| value.map(Cell::Flag)),
            Type::BYTEA => self.try_get::<_, Option<&[u8]>>(place).map(|value| value.map(Cell::Bytes)),
            _ => self.try_get::<_, Option<&str>>(place).map(|value| value.map(Cell::Text)),
        };
        cell.map_or_else(|_| Cell::Broken(String::new()), |cell| cell.unwrap_or(Cell::Null))
    }

    fn original(text: &str) -> Result<Cow<'_, str>, String> {
        original(text)
    }
}
