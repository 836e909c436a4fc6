//! Decoding of stored rows, once for every backend that keeps them in columns.
//!
//! A column that cannot be decoded costs that column: the row keeps its place and its number, a
//! stand-in takes the place of what is lost, and the row is reported once (see [`Unreadable`]).
//! Nothing in this module fails. Knows no SQL: columns are found by name.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

#[cfg(feature = "postgres")]
use super::Progress;
use super::unreadable::{Unreadable, UnreadableRow};
use super::{
    AuditEnds, AuditHash, AuditOutcome, AuditRow, CallRecord, Event, EventBody, Incarnation, Limit, NewAudit, Orphan,
    Owner, Page, Task, TaskRecord, TaskState, Turn, TurnBody,
};
use crate::error::RunningTask;
use crate::ids::{CallId, TaskId, TurnId};
use crate::json;
use crate::result::WireResult;

/// What a column holds.
#[derive(Debug)]
pub(super) enum Cell<'r> {
    Null,
    Text(&'r str),
    Int(i64),
    Real(f64),
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "SQLite has none"))]
    Flag(bool),
    Bytes(&'r [u8]),
    /// What the engine itself could not read, with as much of its text as there is.
    Broken(String),
}

/// A row of an engine.
pub(super) trait Columns {
    /// The column of this name; null where the statement has none, as a list of tasks has no outcome.
    fn cell(&self, column: &str) -> Cell<'_>;

    /// A text as it was before it was stored.
    ///
    /// # Errors
    /// What can be made of a text that was not stored so.
    fn original(text: &str) -> Result<Cow<'_, str>, String>;
}

/// A row that is being decoded, and what was wrong with it so far.
pub(super) struct Reading<'r, R> {
    row: &'r R,
    wrong: Vec<String>,
}

impl<'r, R: Columns> Reading<'r, R> {
    pub(super) fn new(row: &'r R) -> Self {
        Self { row, wrong: Vec::new() }
    }

    fn wrong(&mut self, column: &str, what: impl Display) {
        self.wrong.push(format!("{column} {what}"));
    }

    /// Reports the row if anything was wrong with it.
    fn report(self, unreadable: &Unreadable, table: &'static str, row: impl Display, owner: Option<&Owner>) {
        if !self.wrong.is_empty() {
            let (row, why) = (row.to_string(), self.wrong.join(", "));
            unreadable.report(&UnreadableRow { table, row: &row, owner, why: &why });
        }
    }

    /// A number that may be missing; a stand-in is none.
    fn maybe_int(&mut self, column: &str) -> Option<i64> {
        match self.row.cell(column) {
            Cell::Null => None,
            Cell::Int(number) => Some(number),
            _ => {
                self.wrong(column, "is not a number");
                None
            }
        }
    }

    fn int(&mut self, column: &str) -> i64 {
        let missing = matches!(self.row.cell(column), Cell::Null);
        if missing {
            self.wrong(column, "is missing");
        }
        self.maybe_int(column).unwrap_or_default()
    }

    /// A number that counts from 0.
    fn count(&mut self, column: &str) -> u64 {
        u64::try_from(self.int(column)).unwrap_or_else(|_| {
            self.wrong(column, "is negative");
            0
        })
    }

    fn maybe_time(&mut self, column: &str) -> Option<Timestamp> {
        let micros = self.maybe_int(column)?;
        let time = Timestamp::from_microsecond(micros).ok();
        if time.is_none() {
            self.wrong(column, "is out of range for a time");
        }
        time
    }

    /// A time; 1970 stands in for one that cannot be read.
    fn time(&mut self, column: &str) -> Timestamp {
        let micros = self.int(column);
        Timestamp::from_microsecond(micros).unwrap_or_else(|_| {
            self.wrong(column, "is out of range for a time");
            Timestamp::UNIX_EPOCH
        })
    }

    fn maybe_text(&mut self, column: &str) -> Option<String> {
        let text = match self.row.cell(column) {
            Cell::Null => return None,
            Cell::Text(text) => R::original(text).map(Cow::into_owned),
            Cell::Broken(text) => Err(text),
            Cell::Bytes(bytes) => Err(String::from_utf8_lossy(bytes).into_owned()),
            Cell::Int(_) | Cell::Real(_) | Cell::Flag(_) => Err(String::new()),
        };
        Some(text.unwrap_or_else(|rest| {
            self.wrong(column, "is not a text as it is stored");
            rest
        }))
    }

    fn text(&mut self, column: &str) -> String {
        self.maybe_text(column).unwrap_or_else(|| {
            self.wrong(column, "is missing");
            String::new()
        })
    }

    fn flag(&mut self, column: &str) -> bool {
        match self.row.cell(column) {
            Cell::Flag(flag) => flag,
            Cell::Int(number) => number != 0,
            _ => {
                self.wrong(column, "is neither true nor false");
                false
            }
        }
    }

    fn maybe_real(&mut self, column: &str) -> Option<f64> {
        match self.row.cell(column) {
            Cell::Null => None,
            Cell::Real(number) if number.is_finite() => Some(number),
            _ => {
                self.wrong(column, "is not a number");
                None
            }
        }
    }

    /// A text that is stored as it is: an id, a state, JSON.
    fn raw(&mut self, column: &str) -> Option<&'r str> {
        match self.row.cell(column) {
            Cell::Text(text) => Some(text),
            Cell::Null => {
                self.wrong(column, "is missing");
                None
            }
            _ => {
                self.wrong(column, "is not a text");
                None
            }
        }
    }

    fn maybe_id<T: FromStr>(&mut self, column: &str) -> Option<T> {
        let id = self.raw(column)?.parse().ok();
        if id.is_none() {
            self.wrong(column, "is not a UUID");
        }
        id
    }

    fn word<T: Copy>(&mut self, column: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.raw(column)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            self.wrong(column, "is none of its words");
        }
        found
    }

    /// A hash where there is one. Zeros stand in for one that cannot be read: no row has it.
    fn maybe_hash(&mut self, column: &str) -> Option<AuditHash> {
        let bytes = match self.row.cell(column) {
            Cell::Null => return None,
            Cell::Bytes(bytes) => bytes.try_into().ok(),
            _ => None,
        };
        Some(AuditHash::from_bytes(bytes.unwrap_or_else(|| {
            self.wrong(column, "is not a hash");
            [0; 32]
        })))
    }

    fn json<T: DeserializeOwned>(&mut self, column: &str, text: &str) -> Option<T> {
        match json::read(text.as_bytes()) {
            Ok(value) => Some(value),
            // Never serde's own text: it quotes the content.
            Err(error) if error.is_data() => {
                self.wrong(column, "is JSON of another shape");
                None
            }
            Err(error) => {
                let (line, place) = (error.line(), error.column());
                self.wrong(column, format!("is not JSON, or nested too deep (line {line}, column {place})"));
                None
            }
        }
    }

    /// From the columns `tenant_id` and `user_id`.
    fn owner(&mut self) -> Owner {
        Owner { tenant_id: self.text("tenant_id").into(), user_id: self.text("user_id").into() }
    }

    /// From the columns `node` and `epoch`.
    fn incarnation(&mut self) -> Incarnation {
        Incarnation { node: self.text("node").into(), number: self.int("incarnation") }
    }

    /// What a turn says, from a column with its JSON and one with its id.
    fn body(&mut self, seq: i64, body: &str, turn_id: &str) -> TurnBody {
        let text = self.raw(body);
        if let Some(found) = text.and_then(|text| self.json(body, text)) {
            return found;
        }
        // Parts of a turn of another shape may still say whose work it was.
        let parts: Map<String, Value> = text.and_then(|text| json::read(text.as_bytes()).ok()).unwrap_or_default();
        let part = |name: &str| parts.get(name).and_then(Value::as_str);
        let turn_id = match self.row.cell(turn_id) {
            Cell::Text(text) => text.parse().ok(),
            _ => None,
        };
        TurnBody {
            app_id: part("app_id").unwrap_or_default().to_owned(),
            function: part("function").map(str::to_owned),
            call_id: part("call_id").and_then(|id| id.parse().ok()),
            task_id: part("task_id").and_then(|id| id.parse().ok()),
            ..TurnBody::unreadable(turn_id.unwrap_or_else(|| TurnId::of_row(seq)))
        }
    }

    /// The result in an outcome turn, where the column has one.
    fn outcome(&mut self, column: &str) -> Option<WireResult> {
        if matches!(self.row.cell(column), Cell::Null) {
            return None;
        }
        let text = self.raw(column)?;
        self.json::<TurnBody>(column, text)?.result
    }

    /// A task from the columns of its table, with its outcome turn in `outcome`.
    fn task(&mut self, row: i64) -> Task {
        const STATES: [(&str, TaskState); 6] = [
            (TaskState::Running.as_str(), TaskState::Running),
            (TaskState::Succeeded.as_str(), TaskState::Succeeded),
            (TaskState::Failed.as_str(), TaskState::Failed),
            (TaskState::Cancelled.as_str(), TaskState::Cancelled),
            (TaskState::TimedOut.as_str(), TaskState::TimedOut),
            (TaskState::Reclaimed.as_str(), TaskState::Reclaimed),
        ];
        let finished_at = self.maybe_time("finished_at");
        let result = self.outcome("outcome");
        let state = self.word("state", &STATES).unwrap_or_else(|| match &result {
            None if finished_at.is_none() => TaskState::Running,
            None => TaskState::Reclaimed,
            Some(result) if result.is_success() => TaskState::Succeeded,
            Some(_) => TaskState::Failed,
        });
        Task {
            task_id: self.maybe_id("task_id").unwrap_or_else(|| TaskId::of_row(row)),
            // No call has the number 0.
            call_id: self.maybe_id("call_id").unwrap_or_else(|| CallId::of_row(0)),
            app_id: self.text("app_id"),
            function: self.text("function"),
            name: self.text("name"),
            key: self.maybe_text("key"),
            state,
            long_running: self.flag("long_running"),
            percent: self.maybe_real("percent"),
            message: self.maybe_text("message"),
            created_at: self.time("created_at"),
            deadline_at: self.time("deadline_at"),
            cancel_requested_at: self.maybe_time("cancel_requested_at"),
            finished_at,
            result,
        }
    }
}

/// A turn of this owner's, from `seq, at, body, turn_id`. `None` for a number that is none: such a
/// turn has no place.
pub(super) fn turn(row: &impl Columns, owner: &Owner, unreadable: &Unreadable) -> Option<Turn> {
    turn_at(row, ["seq", "at", "body", "turn_id"], owner, unreadable)
}

/// A turn from four columns.
fn turn_at(row: &impl Columns, columns: [&str; 4], owner: &Owner, unreadable: &Unreadable) -> Option<Turn> {
    let mut reading = Reading::new(row);
    let [seq, at, body, turn_id] = columns;
    let place = reading.int(seq);
    let at = reading.time(at);
    let body = reading.body(place, body, turn_id);
    let seq = u64::try_from(place).ok();
    if seq.is_none() {
        reading.wrong("seq", "is negative");
    }
    reading.report(unreadable, "turn", place, Some(owner));
    Some(Turn { seq: seq?, at, body })
}

/// A call of this owner's, from its two turns.
pub(super) fn call(row: &impl Columns, owner: &Owner, unreadable: &Unreadable) -> Option<CallRecord> {
    let asked = turn_at(row, ["seq", "at", "body", "turn_id"], owner, unreadable)?;
    let replied = !matches!(row.cell("reply_seq"), Cell::Null);
    let columns = ["reply_seq", "reply_at", "reply_body", "reply_id"];
    let reply = replied.then(|| turn_at(row, columns, owner, unreadable)).flatten();
    Some(CallRecord { asked, reply })
}

/// A task with its row's number in `task_no`.
pub(super) fn record(row: &impl Columns, unreadable: &Unreadable) -> TaskRecord {
    let mut reading = Reading::new(row);
    let number = reading.int("task_no");
    let task = reading.task(number);
    let (owner, incarnation) = (reading.owner(), reading.incarnation());
    reading.report(unreadable, "task", number, Some(&owner));
    TaskRecord { owner, incarnation, task }
}

/// A call that was left, with its row's number in `call_no` and the user's turn in `body`.
pub(super) fn left_call(row: &impl Columns, unreadable: &Unreadable) -> Orphan {
    let mut reading = Reading::new(row);
    let number = reading.int("call_no");
    let call_id = reading.maybe_id("call_id").unwrap_or_else(|| CallId::of_row(number));
    let turn = reading.body(0, "body", "turn_id");
    let (owner, incarnation) = (reading.owner(), reading.incarnation());
    reading.report(unreadable, "call", number, Some(&owner));
    Orphan::Call { call_id, owner, incarnation, turn }
}

/// An event of this owner's, from its number and one of two: a turn, or a task as it was then.
pub(super) fn event(row: &impl Columns, kind: EventKind, owner: &Owner, unreadable: &Unreadable) -> Option<Event> {
    let mut reading = Reading::new(row);
    let place = reading.int("seq");
    let seq = u64::try_from(place).ok()?;
    let body = match kind {
        EventKind::Turn => EventBody::Turn(turn(row, owner, unreadable)?),
        EventKind::TaskColumns => EventBody::Task(reading.task(0)),
        EventKind::TaskJson => {
            let text = reading.raw("body");
            match text.and_then(|text| reading.json::<Task>("body", text)) {
                Some(task) => EventBody::Task(task),
                None => EventBody::Turn(lost_turn(seq)),
            }
        }
    };
    reading.report(unreadable, "task_event", place, Some(owner));
    Some(Event { seq, body })
}

/// How an event is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventKind {
    Turn,
    /// The task is JSON in `body`.
    TaskJson,
    /// The task has a column for each part.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "PostgreSQL's alone"))]
    TaskColumns,
}

/// Stands in for an event of which nothing but its number is left.
fn lost_turn(seq: u64) -> Turn {
    let row = i64::try_from(seq).unwrap_or_default();
    Turn { seq, at: Timestamp::UNIX_EPOCH, body: TurnBody::unreadable(TurnId::of_row(row)) }
}

/// Fills the numbers that are missing among events in order, so that a reader sees no gap; of two
/// with one number the first is kept.
pub(super) fn without_gaps(
    found: Page<Event>,
    after: u64,
    limit: Limit,
    owner: &Owner,
    unreadable: &Unreadable,
) -> Page<Event> {
    let report = |seq: u64, why: &str| {
        let row = seq.to_string();
        unreadable.report(&UnreadableRow { table: "event", row: &row, owner: Some(owner), why });
    };
    let limit = limit.rows as usize;
    let mut page = Page { rows: Vec::with_capacity(found.rows.len()), more: found.more };
    let mut next = after.saturating_add(1);
    for event in found.rows {
        if event.seq < next {
            report(event.seq, "two rows have this number");
            continue;
        }
        while next < event.seq && page.rows.len() < limit {
            report(next, "the row of this number is missing");
            page.rows.push(Event { seq: next, body: EventBody::Turn(lost_turn(next)) });
            next += 1;
        }
        if page.rows.len() >= limit {
            return Page { more: limit > 0, ..page };
        }
        next = event.seq.saturating_add(1);
        page.rows.push(event);
    }
    page
}

/// A line of the audit trail. The hash of a row with a stand-in does not fit: the check names it.
pub(super) fn audit_row(row: &impl Columns, unreadable: &Unreadable) -> AuditRow {
    const OUTCOMES: [(&str, AuditOutcome); 3] = [
        (AuditOutcome::Done.as_str(), AuditOutcome::Done),
        (AuditOutcome::Refused.as_str(), AuditOutcome::Refused),
        (AuditOutcome::Critical.as_str(), AuditOutcome::Critical),
    ];
    let mut reading = Reading::new(row);
    let number = reading.int("audit_id");
    let owner = reading.owner();
    let body = NewAudit {
        tenant_id: owner.tenant_id.to_string(),
        user_id: owner.user_id.to_string(),
        actor: reading.text("actor"),
        app_id: reading.maybe_text("app_id"),
        action: reading.text("action"),
        target: reading.maybe_text("target"),
        outcome: reading.word("outcome", &OUTCOMES).unwrap_or(AuditOutcome::Critical),
        detail: reading.maybe_text("detail"),
    };
    let hash = reading.maybe_hash("hash").unwrap_or(AuditHash::from_bytes([0; 32]));
    let at = reading.time("at");
    reading.report(unreadable, "audit", number, Some(&owner));
    AuditRow { audit_id: u64::try_from(number).unwrap_or_default(), at, body, hash }
}

/// The ends of an owner's audit chain; `None` for an owner without one.
pub(super) fn audit_ends(row: &impl Columns, unreadable: &Unreadable) -> Option<(Owner, AuditEnds)> {
    let mut reading = Reading::new(row);
    let owner = reading.owner();
    let end = reading.maybe_hash("audit_end");
    let ends = end.map(|end| AuditEnds::new(reading.maybe_hash("audit_anchor"), reading.count("audit_pruned"), end));
    reading.report(unreadable, "owner", format_args!("{owner:?}"), Some(&owner));
    Some((owner, ends?))
}

/// Whose row it is, from the columns `tenant_id` and `user_id`.
pub(super) fn owner(row: &impl Columns, unreadable: &Unreadable) -> Owner {
    let mut reading = Reading::new(row);
    let owner = reading.owner();
    reading.report(unreadable, "owner", format_args!("{owner:?}"), Some(&owner));
    owner
}

/// A task's latest progress, from the columns of its table.
#[cfg(feature = "postgres")]
pub(super) fn progress(row: &impl Columns, task_id: TaskId, unreadable: &Unreadable) -> Progress {
    let mut reading = Reading::new(row);
    let percent = reading.maybe_real("percent").unwrap_or_default();
    let (message, at) = (reading.text("message"), reading.time("progress_at"));
    reading.report(unreadable, "task", task_id, None);
    Progress { task_id, percent, message, at }
}

/// The task that has a key, with its row's number in `task_no`.
pub(super) fn running_task(row: &impl Columns, unreadable: &Unreadable) -> RunningTask {
    let mut reading = Reading::new(row);
    let number = reading.int("task_no");
    let task_id = reading.maybe_id("task_id").unwrap_or_else(|| TaskId::of_row(number));
    let task = RunningTask::new(task_id, &reading.text("name"));
    reading.report(unreadable, "task", number, None);
    task
}

/// An id; a stand-in for the row of this number where it cannot be read.
pub(super) fn task_id(row: &impl Columns, number: i64, unreadable: &Unreadable) -> TaskId {
    let mut reading = Reading::new(row);
    let id = reading.maybe_id("task_id").unwrap_or_else(|| TaskId::of_row(number));
    reading.report(unreadable, "task", number, None);
    id
}
