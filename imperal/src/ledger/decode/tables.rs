//! From a table's row to a row of the contract.
//!
//! The impl block reads parts that several tables have; each function reads a whole row and reports what was wrong
//! with it.

use std::time::Duration;

use serde_json::{Map, Value};

use super::columns::{Cell, Columns, RowDecoder};
use super::gaps::lost_turn;
use crate::error::RunningTask;
use crate::ids::{CallId, QuestionId, TaskId, TurnId};
use crate::json;
#[cfg(feature = "postgres")]
use crate::ledger::Progress;
use crate::ledger::unreadable::Unreadable;
use crate::ledger::{
    AttemptEnding, AuditHash, AuditOutcome, AuditRow, CallRecord, ChainEnds, ClaimedTask, Event, EventBody,
    Incarnation, NewAudit, Orphan, Owner, PausedTask, Question, QuestionState, QueueLoad, SealedSecret, SecretPlace,
    StepKind, StoredAnswer, StoredDurable, StoredSecret, StoredStep, Task, TaskAttempt, TaskRecord, TaskState, Turn,
    TurnBody,
};
use crate::result::WireResult;

impl<R: Columns> RowDecoder<'_, R> {
    /// From the columns `tenant_id` and `user_id`.
    pub(super) fn owner(&mut self) -> Owner {
        Owner { tenant_id: self.text("tenant_id").into(), user_id: self.text("user_id").into() }
    }

    /// From the columns `node` and `incarnation`.
    fn incarnation(&mut self) -> Incarnation {
        Incarnation { node: self.text("node").into(), number: self.int("incarnation") }
    }

    /// A turn's body, from a column with its JSON and one with its id.
    fn body(&mut self, seq: i64, body: &str, turn_id: &str) -> TurnBody {
        let text = self.raw(body);
        if let Some(found) = text.and_then(|text| self.json(body, text)) {
            return found;
        }
        // JSON of another shape may still name the call or task.
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

    /// The result in an outcome turn; `None` if the column is null.
    fn outcome(&mut self, column: &str) -> Option<WireResult> {
        if matches!(self.row.cell(column), Cell::Null) {
            return None;
        }
        let text = self.raw(column)?;
        self.json::<TurnBody>(column, text)?.result
    }

    /// A task from the columns of its table, with its outcome turn in `outcome`.
    fn task(&mut self, row: i64) -> Task {
        let finished_at = self.maybe_time("finished_at");
        let result = self.outcome("outcome");
        let state = self.named("state").unwrap_or_else(|| match &result {
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
            queue: self.maybe_text("queue"),
            follows: self.maybe_raw_json("follows"),
            followed_by: None,
            before: None,
            state,
            long_running: self.flag("long_running"),
            percent: self.maybe_real("percent"),
            message: self.maybe_text("message"),
            created_at: self.time("created_at"),
            durable: self.maybe_flag("durable"),
            attempt: self.maybe_int("attempt").map_or(1, |number| u32::try_from(number).unwrap_or_default()),
            waits_for: self.maybe_named("waits_for"),
            ready_at: self.maybe_time("ready_at"),
            steps: self.maybe_json("steps"),
            open_questions: self
                .maybe_int("open_questions")
                .map_or(0, |count| u32::try_from(count).unwrap_or_default()),
            open_effects: self.maybe_int("open_effects").map_or(0, |count| u32::try_from(count).unwrap_or_default()),
            deadline_at: self.maybe_time("deadline_at"),
            cancel_requested_at: self.maybe_time("cancel_requested_at"),
            interrupted_at: self.maybe_time("interrupted_at"),
            finished_at,
            result,
        }
    }
}

/// One of the owner's turns, from `seq, at, body, turn_id`. `None` if its number cannot be read, because such a turn
/// has no place.
pub(in crate::ledger) fn turn(row: &impl Columns, owner: &Owner, unreadable: &Unreadable) -> Option<Turn> {
    turn_at(row, ["seq", "at", "body", "turn_id"], owner, unreadable)
}

/// A turn from four columns.
fn turn_at(row: &impl Columns, columns: [&str; 4], owner: &Owner, unreadable: &Unreadable) -> Option<Turn> {
    let mut decoder = RowDecoder::new(row);
    let [seq, at, body, turn_id] = columns;
    let place = decoder.int(seq);
    let at = decoder.time(at);
    let body = decoder.body(place, body, turn_id);
    let seq = u64::try_from(place).ok();
    if seq.is_none() {
        decoder.wrong("seq", "is negative");
    }
    decoder.report(unreadable, "turn", place, Some(owner));
    Some(Turn { seq: seq?, at, body })
}

/// One of the owner's calls, from its two turns.
pub(in crate::ledger) fn call(row: &impl Columns, owner: &Owner, unreadable: &Unreadable) -> Option<CallRecord> {
    let asked = turn_at(row, ["seq", "at", "body", "turn_id"], owner, unreadable)?;
    let replied = !matches!(row.cell("reply_seq"), Cell::Null);
    let columns = ["reply_seq", "reply_at", "reply_body", "reply_id"];
    let reply = replied.then(|| turn_at(row, columns, owner, unreadable)).flatten();
    Some(CallRecord { asked, reply })
}

/// A task; `task_no` is its row's number.
pub(in crate::ledger) fn record(row: &impl Columns, unreadable: &Unreadable) -> TaskRecord {
    let mut decoder = RowDecoder::new(row);
    let number = decoder.int("task_no");
    let task = decoder.task(number);
    let (owner, incarnation) = (decoder.owner(), decoder.incarnation());
    decoder.report(unreadable, "task", number, Some(&owner));
    TaskRecord { owner, incarnation, task }
}

/// The value of a step of a task; `None` if it is no longer kept.
pub(in crate::ledger) fn step_value(row: &impl Columns, task_id: TaskId, unreadable: &Unreadable) -> Option<String> {
    let mut decoder = RowDecoder::new(row);
    let value = decoder.maybe_text("value");
    decoder.report(unreadable, "step", format_args!("a step of task {task_id}"), None);
    value
}

/// A call that an ended incarnation left; `call_no` is its row's number, `body` the user's turn.
pub(in crate::ledger) fn left_call(row: &impl Columns, unreadable: &Unreadable) -> Orphan {
    let mut decoder = RowDecoder::new(row);
    let number = decoder.int("call_no");
    let call_id = decoder.maybe_id("call_id").unwrap_or_else(|| CallId::of_row(number));
    let turn = decoder.body(0, "body", "turn_id");
    let (owner, incarnation) = (decoder.owner(), decoder.incarnation());
    decoder.report(unreadable, "call", number, Some(&owner));
    Orphan::Call { call_id, owner, incarnation, turn }
}

/// One of the owner's events: a turn, or a task as it was at the event.
pub(in crate::ledger) fn event(
    row: &impl Columns,
    kind: EventKind,
    owner: &Owner,
    unreadable: &Unreadable,
) -> Option<Event> {
    let mut decoder = RowDecoder::new(row);
    let place = decoder.int("seq");
    let seq = u64::try_from(place).ok()?;
    let body = match kind {
        EventKind::Turn => EventBody::Turn(turn(row, owner, unreadable)?),
        EventKind::TaskColumns => EventBody::Task(decoder.task(0)),
        EventKind::TaskJson => {
            let text = decoder.raw("body");
            match text.and_then(|text| decoder.json::<Task>("body", text)) {
                Some(task) => EventBody::Task(task),
                None => EventBody::Turn(lost_turn(seq)),
            }
        }
    };
    decoder.report(unreadable, "task_event", place, Some(owner));
    Some(Event { seq, body })
}

/// How an event is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum EventKind {
    Turn,
    /// The task is JSON in `body`.
    TaskJson,
    /// The task has a column for each of its parts.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "only PostgreSQL stores events so"))]
    TaskColumns,
}

/// An audit row. If it has a stand-in, its hash does not match and the audit check names the row.
pub(in crate::ledger) fn audit_row(row: &impl Columns, unreadable: &Unreadable) -> AuditRow {
    let mut decoder = RowDecoder::new(row);
    let number = decoder.int("audit_id");
    let owner = decoder.owner();
    let body = NewAudit {
        tenant_id: owner.tenant_id.to_string(),
        user_id: owner.user_id.to_string(),
        actor: decoder.text("actor"),
        app_id: decoder.maybe_text("app_id"),
        action: decoder.text("action"),
        target: decoder.maybe_text("target"),
        outcome: decoder.named("outcome").unwrap_or(AuditOutcome::Critical),
        detail: decoder.maybe_text("detail"),
    };
    let hash = decoder.maybe_hash("hash").unwrap_or(AuditHash::from_bytes([0; 32]));
    let at = decoder.time("at");
    decoder.report(unreadable, "audit", number, Some(&owner));
    AuditRow { audit_id: u64::try_from(number).unwrap_or_default(), at, body, hash }
}

/// The ends of an owner's audit chain; `None` if the owner has no chain.
pub(in crate::ledger) fn chain_ends(row: &impl Columns, unreadable: &Unreadable) -> Option<(Owner, ChainEnds)> {
    let mut decoder = RowDecoder::new(row);
    let owner = decoder.owner();
    let end = decoder.maybe_hash("audit_end");
    let ends = end.map(|end| ChainEnds::new(decoder.maybe_hash("audit_anchor"), decoder.count("audit_pruned"), end));
    decoder.report(unreadable, "owner", format_args!("{owner:?}"), Some(&owner));
    Some((owner, ends?))
}

/// The owner, from the columns `tenant_id` and `user_id`.
pub(in crate::ledger) fn owner(row: &impl Columns, unreadable: &Unreadable) -> Owner {
    let mut decoder = RowDecoder::new(row);
    let owner = decoder.owner();
    decoder.report(unreadable, "owner", format_args!("{owner:?}"), Some(&owner));
    owner
}

/// A task's latest progress, from the columns of its table.
#[cfg(feature = "postgres")]
pub(in crate::ledger) fn progress(row: &impl Columns, task_id: TaskId, unreadable: &Unreadable) -> Progress {
    let mut decoder = RowDecoder::new(row);
    let (percent, message) = (decoder.maybe_real("percent"), decoder.maybe_text("message"));
    let (steps, at) = (decoder.maybe_json("steps"), decoder.time("progress_at"));
    decoder.report(unreadable, "task", task_id, None);
    Progress { task_id, percent, message, steps, at }
}

/// A claimed task, from the columns of what another process needs to continue it.
pub(in crate::ledger) fn claimed(row: &impl Columns, record: TaskRecord, unreadable: &Unreadable) -> ClaimedTask {
    let mut decoder = RowDecoder::new(row);
    let claimed = ClaimedTask {
        task_name: decoder.text("task_name"),
        input: decoder.raw("input").unwrap_or_default().to_owned(),
        user: decoder.raw("user_json").unwrap_or_default().to_owned(),
        root_task: decoder.maybe_id("root_task").unwrap_or(record.task.task_id),
        ran: Duration::from_micros(decoder.count("ran")),
        crashes: u32::try_from(decoder.count("crashes")).unwrap_or(u32::MAX),
        fruitless: u32::try_from(decoder.count("fruitless")).unwrap_or(u32::MAX),
        claimed_at: decoder.time("claimed_at"),
        ready_at: decoder.maybe_time("was_ready_at"),
        has_steps: decoder.flag("has_steps"),
        record,
    };
    decoder.report(unreadable, "durable", claimed.record.task.task_id, Some(&claimed.record.owner));
    claimed
}

/// A question, with the value of its step in `value`. One whose state cannot be read is withdrawn: it cannot
/// be answered.
pub(in crate::ledger) fn question(row: &impl Columns, unreadable: &Unreadable) -> Question {
    let mut decoder = RowDecoder::new(row);
    let stored = decoder.maybe_raw_json::<StoredAnswer>("value");
    let question = Question {
        question_id: decoder.maybe_id("question_id").unwrap_or_else(|| QuestionId::of_row(0)),
        task_id: decoder.maybe_id("task_id").unwrap_or_else(|| TaskId::of_row(0)),
        ordinal: u16::try_from(decoder.int("ordinal")).unwrap_or_default(),
        name: decoder.text("name"),
        text: decoder.text("text"),
        schema: decoder.maybe_raw_json("schema").unwrap_or_default(),
        fallback: decoder.maybe_raw_json("fallback"),
        state: decoder.named("state").unwrap_or(QuestionState::Withdrawn),
        asked_at: decoder.time("asked_at"),
        until: decoder.time("until"),
        answer: match stored {
            Some(StoredAnswer::Answered(answer)) => Some(answer),
            _ => None,
        },
        answered_by: decoder.maybe_text("answered_by"),
        answered_at: decoder.maybe_time("answered_at"),
    };
    decoder.report(unreadable, "question", question.question_id, None);
    question
}

/// A stored step.
pub(in crate::ledger) fn step(row: &impl Columns, unreadable: &Unreadable) -> StoredStep {
    let mut decoder = RowDecoder::new(row);
    let step = StoredStep {
        ordinal: u16::try_from(decoder.int("ordinal")).unwrap_or_default(),
        name: decoder.text("name"),
        kind: decoder.named("kind").unwrap_or(StepKind::Step),
        attempt: u32::try_from(decoder.count("attempt")).unwrap_or_default(),
        began_at: decoder.time("began_at"),
        done_at: decoder.time("done_at"),
        bytes: decoder.count("bytes"),
        value: decoder.maybe_raw("value").map(str::to_owned),
        log: decoder.maybe_raw("log").map(str::to_owned),
    };
    decoder.report(unreadable, "step", &step.name, None);
    step
}

/// A secret. What cannot be read of it cannot be opened either.
pub(in crate::ledger) fn secret(row: &impl Columns, unreadable: &Unreadable) -> StoredSecret {
    let mut decoder = RowDecoder::new(row);
    let place = SecretPlace {
        tenant_id: decoder.text("tenant_id"),
        user_id: decoder.text("user_id"),
        app_id: decoder.text("app_id"),
        name: decoder.text("name"),
    };
    let sealed = SealedSecret {
        key_id: decoder.text("key_id"),
        salt: decoder.bytes("salt"),
        nonce: decoder.bytes("nonce"),
        ciphertext: decoder.bytes("ciphertext"),
    };
    let (version, set_at, set_by) = (decoder.count("version"), decoder.time("set_at"), decoder.text("set_by"));
    let owner = Owner::new(&place.tenant_id, &place.user_id);
    decoder.report(unreadable, "secret", format_args!("{} of {}", place.name, place.app_id), Some(&owner));
    StoredSecret { place, version, set_at, set_by, sealed }
}

/// An attempt of a durable task. One whose end has no known name was cut off.
pub(in crate::ledger) fn attempt(row: &impl Columns, task_id: TaskId, unreadable: &Unreadable) -> TaskAttempt {
    let mut decoder = RowDecoder::new(row);
    let ended_at = decoder.maybe_time("ended_at");
    let has_ended = !matches!(row.cell("ended_at"), Cell::Null);
    let attempt = TaskAttempt {
        number: u32::try_from(decoder.count("number")).unwrap_or_default(),
        node: decoder.text("node"),
        program: decoder.text("program"),
        began_at: decoder.time("began_at"),
        ended_at,
        ended_by: has_ended.then(|| decoder.named("ended_by").unwrap_or(AttemptEnding::Crashed)),
        notes: decoder.maybe_raw("notes").map(str::to_owned),
    };
    decoder.report(unreadable, "attempt", format_args!("{} of task {task_id}", attempt.number), None);
    attempt
}

/// What is stored of a durable task.
pub(in crate::ledger) fn durable(row: &impl Columns, task_id: TaskId, unreadable: &Unreadable) -> StoredDurable {
    let mut decoder = RowDecoder::new(row);
    let stored = StoredDurable {
        task_name: decoder.text("task_name"),
        input: decoder.raw("input").unwrap_or_default().to_owned(),
        program: decoder.text("program"),
        root_task: decoder.maybe_id("root_task").unwrap_or(task_id),
    };
    decoder.report(unreadable, "durable", task_id, None);
    stored
}

/// The load of a queue, from the columns of its numbers.
pub(in crate::ledger) fn queue_load(row: &impl Columns, unreadable: &Unreadable) -> QueueLoad {
    let mut decoder = RowDecoder::new(row);
    let mut load = QueueLoad::new(decoder.text("app_id"), decoder.text("queue"));
    (load.running, load.ready) = (decoder.count("running"), decoder.count("ready"));
    load.oldest_ready_at = decoder.maybe_time("oldest_ready_at");
    decoder.report(unreadable, "queue", &load.queue, None);
    load
}

/// A durable task that is paused.
pub(in crate::ledger) fn paused_task(row: &impl Columns, unreadable: &Unreadable) -> PausedTask {
    let mut decoder = RowDecoder::new(row);
    let (app_id, task_name) = (decoder.text("app_id"), decoder.text("task_name"));
    let paused = PausedTask::new(app_id, task_name, decoder.time("since"), decoder.text("paused_by"));
    decoder.report(unreadable, "paused", &paused.task_name, None);
    paused
}

/// The running task that has a key; `task_no` is its row's number.
pub(in crate::ledger) fn running_task(row: &impl Columns, unreadable: &Unreadable) -> RunningTask {
    let mut decoder = RowDecoder::new(row);
    let number = decoder.int("task_no");
    let task_id = decoder.maybe_id("task_id").unwrap_or_else(|| TaskId::of_row(number));
    let task = RunningTask::new(task_id, &decoder.text("name"));
    decoder.report(unreadable, "task", number, None);
    task
}

/// A call's id, or a stand-in that names the row by its number.
pub(in crate::ledger) fn call_id(row: &impl Columns, number: i64, unreadable: &Unreadable) -> CallId {
    let mut decoder = RowDecoder::new(row);
    let id = decoder.maybe_id("call_id").unwrap_or_else(|| CallId::of_row(number));
    decoder.report(unreadable, "call", number, None);
    id
}

/// A task's id, or a stand-in that names the row by its number.
pub(in crate::ledger) fn task_id(row: &impl Columns, number: i64, unreadable: &Unreadable) -> TaskId {
    let mut decoder = RowDecoder::new(row);
    let id = decoder.maybe_id("task_id").unwrap_or_else(|| TaskId::of_row(number));
    decoder.report(unreadable, "task", number, None);
    id
}
