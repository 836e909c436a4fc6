//! The reads of the contract. Each is one statement and so sees one state of the file.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Params, Row, params};

use super::fault::Fault;
use super::ops::{
    BACKLOG, CANCELLED_TASKS, FIRST_READY, LEFT_CALLS, LEFT_TASKS, LONG_STUCK_TASKS, QUESTION, TASK, TASK_BY_NUMBER,
    unpaused,
};
use super::readers::Reading;
use super::rows::{all, get_number, number, one, open_states, page, record, select_question, select_task, size};
use crate::ids::{CallId, QuestionId, TaskId, TurnId};
use crate::ledger::decode::{self, EventKind};
use crate::ledger::page::PageBuilder;
use crate::ledger::{
    AuditFilter, AuditRow, AuditScope, Backlog, CallRecord, ChainEnds, DurableName, Event, LedgerError, Orphan, Owner,
    Page, PageLimit, Question, StoredDurable, StoredStep, Task, TaskAttempt, TaskRecord, Turn,
};

/// The id of the owner that `?1` and `?2` name.
macro_rules! of_owner {
    ($before:literal, $after:expr) => {
        concat!($before, "(SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2)", $after)
    };
}

/// Ends a condition on `seq`. A row beyond the owner's latest number has lost its place and is not read.
macro_rules! up_to_head {
    ($after:literal) => {
        concat!(" <= (SELECT head FROM owner WHERE tenant_id = ?1 AND user_id = ?2)", $after)
    };
}

pub(super) const TURNS: &str = of_owner!(
    "SELECT seq, at, body, turn_id FROM turn WHERE owner_id = ",
    concat!(" AND seq > ?3 AND seq", up_to_head!(" ORDER BY seq LIMIT ?4"))
);

pub(super) const LATEST_TURNS: &str = of_owner!(
    "SELECT seq, at, body, turn_id FROM turn WHERE owner_id = ",
    concat!(" AND seq > 0 AND seq < ?3 AND seq", up_to_head!(" ORDER BY seq DESC LIMIT ?4"))
);

pub(super) const TURN: &str =
    of_owner!("SELECT seq, at, body, turn_id FROM turn WHERE owner_id = ", " AND turn_id = ?3");

/// A missing turn leaves its number.
pub(super) const CALL: &str = of_owner!(
    "SELECT c.turn_seq AS seq, a.at, a.body, a.turn_id,
        c.reply_seq, r.at AS reply_at, r.body AS reply_body, r.turn_id AS reply_id FROM call c
    LEFT JOIN turn a ON a.owner_id = c.owner_id AND a.seq = c.turn_seq
    LEFT JOIN turn r ON r.owner_id = c.owner_id AND r.seq = c.reply_seq
    WHERE c.silent = 0 AND c.owner_id = ",
    " AND c.call_id = ?3"
);

/// Turns and task events come in index order and are merged up to the limit. If the next event was pruned, a row with
/// number 0 comes first, with the last pruned number in the column of the time.
pub(super) const EVENTS: &str = of_owner!(
    "SELECT 0 AS seq, pruned AS at, NULL AS body, NULL AS turn_id FROM owner
        WHERE tenant_id = ?1 AND user_id = ?2 AND pruned > ?3 AND pruned <= head
    UNION ALL SELECT seq, at, body, turn_id FROM turn WHERE owner_id = ",
    concat!(
        " AND seq > ?3 AND seq",
        up_to_head!(
            " UNION ALL
        SELECT e.seq, NULL, e.body, NULL FROM task_event e WHERE e.owner_id = "
        ),
        of_owner!("", concat!(" AND e.seq > ?3 AND e.seq", up_to_head!(" ORDER BY 1 LIMIT ?4")))
    )
);

pub(super) const OWNER_HEAD: &str = "SELECT head FROM owner WHERE tenant_id = ?1 AND user_id = ?2";

pub(super) const OPEN_TASKS: &str = select_task!(list concat!(
    "WHERE t.owner_id = (SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2)
        AND t.state IN ", open_states!(), " ORDER BY t.task_no"
));

pub(super) const RECENT_TASKS: &str = select_task!(
    list "WHERE t.owner_id = (SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2)
        ORDER BY t.task_no DESC LIMIT ?3"
);

/// Uses the call's index. The plus keeps SQLite from using the owner's index, which covers all of the owner's tasks.
pub(super) const TASKS_OF_CALL: &str = select_task!(
    list "WHERE t.call_id = ?3
        AND +t.owner_id = (SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2) ORDER BY t.task_no"
);

pub(super) const AUDIT_ROWS: &str = "SELECT a.audit_id, a.at, w.tenant_id, w.user_id, a.actor, a.app_id, a.action,
    a.target, a.outcome, a.detail, a.hash FROM audit a JOIN owner w ON w.owner_id = a.owner_id
    WHERE a.audit_id > ?1 ORDER BY a.audit_id LIMIT ?2";

/// In row order, so that nothing is sorted; rows of other tenants are skipped.
pub(super) const AUDIT_ROWS_OF_TENANT: &str =
    "SELECT a.audit_id, a.at, w.tenant_id, w.user_id, a.actor, a.app_id, a.action,
    a.target, a.outcome, a.detail, a.hash FROM audit a CROSS JOIN owner w ON w.owner_id = a.owner_id
    WHERE w.tenant_id = ?3 AND a.audit_id > ?1 ORDER BY a.audit_id LIMIT ?2";

pub(super) const AUDIT_ROWS_OF_OWNER: &str =
    "SELECT a.audit_id, a.at, w.tenant_id, w.user_id, a.actor, a.app_id, a.action,
    a.target, a.outcome, a.detail, a.hash FROM owner w JOIN audit a ON a.owner_id = w.owner_id
    WHERE w.tenant_id = ?3 AND w.user_id = ?4 AND a.audit_id > ?1 ORDER BY a.audit_id LIMIT ?2";

/// The only read that scans a whole table.
const AUDIT_ENDS: &str = "SELECT tenant_id, user_id, audit_anchor, audit_pruned, audit_end FROM owner";

pub(super) const AUDIT_END_OF_OWNER: &str =
    "SELECT tenant_id, user_id, audit_anchor, audit_pruned, audit_end FROM owner
    WHERE tenant_id = ?1 AND user_id = ?2";

/// One row more than the limit shows whether there are more.
fn most(limit: PageLimit) -> i64 {
    i64::from(limit.rows) + 1
}

/// Accepts every row of a page.
#[expect(clippy::unnecessary_wraps, reason = "has the form of the checks that can refuse a row")]
fn any(_: &Row<'_>) -> Result<(), Fault> {
    Ok(())
}

/// The rows of a page that could be decoded.
fn placed<T>(
    reading: &Reading<'_>,
    sql: &str,
    params: impl Params,
    limit: PageLimit,
    read: impl Fn(&Row<'_>) -> Option<T>,
) -> Result<Page<T>, Fault> {
    Ok(page(reading, sql, params, limit, any, |row| Ok(read(row)))?.flattened())
}

pub(super) fn turns(reading: &Reading<'_>, owner: &Owner, after: u64, limit: PageLimit) -> Result<Page<Turn>, Fault> {
    let params = params![&*owner.tenant_id, &*owner.user_id, number(after), most(limit)];
    placed(reading, TURNS, params, limit, |row| decode::turn(row, owner, reading.unreadable))
}

pub(super) fn latest_turns(
    reading: &Reading<'_>,
    owner: &Owner,
    before: Option<u64>,
    limit: PageLimit,
) -> Result<Page<Turn>, Fault> {
    let before = number(before.unwrap_or(u64::MAX));
    let params = params![&*owner.tenant_id, &*owner.user_id, before, most(limit)];
    let read = |row: &Row<'_>| decode::turn(row, owner, reading.unreadable);
    Ok(placed(reading, LATEST_TURNS, params, limit, read)?.reversed())
}

pub(super) fn turn_of(reading: &Reading<'_>, owner: &Owner, turn_id: TurnId) -> Result<Option<Turn>, Fault> {
    let params = params![&*owner.tenant_id, &*owner.user_id, turn_id.to_string()];
    Ok(one(reading.conn, TURN, params, |row| Ok(decode::turn(row, owner, reading.unreadable)))?.flatten())
}

pub(super) fn call(reading: &Reading<'_>, owner: &Owner, call_id: CallId) -> Result<Option<CallRecord>, Fault> {
    let params = params![&*owner.tenant_id, &*owner.user_id, call_id.to_string()];
    Ok(one(reading.conn, CALL, params, |row| Ok(decode::call(row, owner, reading.unreadable)))?.flatten())
}

pub(super) fn events(reading: &Reading<'_>, owner: &Owner, after: u64, limit: PageLimit) -> Result<Page<Event>, Fault> {
    let params = params![&*owner.tenant_id, &*owner.user_id, number(after), most(limit)];
    let kept = |row: &Row<'_>| match row.get::<_, i64>(0)? {
        0 => Err(LedgerError::Pruned(get_number(row, 1)?).into()),
        _ => Ok(()),
    };
    let found = page(reading, EVENTS, params, limit, kept, |row| {
        let kind = if row.get_ref(1)? == ValueRef::Null { EventKind::TaskJson } else { EventKind::Turn };
        Ok(decode::event(row, kind, owner, reading.unreadable))
    })?;
    Ok(decode::without_gaps(found.flattened(), after, limit, owner, reading.unreadable))
}

pub(super) fn head(reading: &Reading<'_>, owner: &Owner) -> Result<u64, Fault> {
    let params = params![&*owner.tenant_id, &*owner.user_id];
    let head = one(reading.conn, OWNER_HEAD, params, |row| Ok(row.get::<_, i64>(0)?))?;
    Ok(head.and_then(|head| u64::try_from(head).ok()).unwrap_or_default())
}

pub(super) fn task(reading: &Reading<'_>, task_id: TaskId) -> Result<Option<TaskRecord>, Fault> {
    let read = |row: &Row<'_>| Ok(record(row, reading.unreadable));
    if let Some(found) = one(reading.conn, TASK, [task_id.to_string()], read)? {
        return Ok(Some(found));
    }
    let Some(row) = task_id.row() else { return Ok(None) };
    one(reading.conn, TASK_BY_NUMBER, [row], read)
}

/// The number of the task that `?1` names, or `?2` if the id is that of a row.
macro_rules! of_task {
    () => {
        "coalesce((SELECT task_no FROM task WHERE task_id = ?1), ?2)"
    };
}

/// The steps after an ordinal. The size of a large value is read without the value.
pub(super) const STEPS: &str = concat!(
    "SELECT step_id & 65535 AS ordinal, name, kind, attempt, began_at, done_at, log,
    coalesce(octet_length(value), 0) AS bytes, iif(octet_length(value) <= ?5, value, NULL) AS value
    FROM step WHERE step_id > (",
    of_task!(),
    " << 16) + ?3 AND step_id <= (",
    of_task!(),
    " << 16) + 65535 ORDER BY step_id LIMIT ?4"
);

pub(super) const STEP_VALUE: &str = concat!("SELECT value FROM step WHERE step_id = (", of_task!(), " << 16) + ?3");

pub(super) fn steps(
    reading: &Reading<'_>,
    task_id: TaskId,
    after: u16,
    limit: PageLimit,
) -> Result<Page<StoredStep>, Fault> {
    let params = params![task_id.to_string(), task_id.row(), after, most(limit), number(StoredStep::INLINE)];
    placed(reading, STEPS, params, limit, |row| Some(decode::step(row, reading.unreadable)))
}

pub(super) fn step_value(reading: &Reading<'_>, task_id: TaskId, ordinal: u16) -> Result<Option<String>, Fault> {
    let params = params![task_id.to_string(), task_id.row(), ordinal];
    let read = |row: &Row<'_>| Ok(decode::step_value(row, task_id, reading.unreadable));
    Ok(one(reading.conn, STEP_VALUE, params, read)?.flatten())
}

/// The attempts that ended without an outcome, and the latest one if it has another end.
pub(super) const ATTEMPTS: &str = concat!(
    "SELECT number, node, program, began_at, ended_at, ended_by, notes FROM attempt WHERE task_no = ",
    of_task!(),
    " UNION ALL SELECT t.attempt, t.node, d.program, d.claimed_at, t.finished_at,
        iif(t.finished_at IS NULL, NULL, 'outcome'), d.notes
    FROM task t JOIN durable d ON d.task_no = t.task_no WHERE d.claimed_at IS NOT NULL AND t.task_no = ",
    of_task!()
);

pub(super) fn attempts(reading: &Reading<'_>, task_id: TaskId) -> Result<Vec<TaskAttempt>, Fault> {
    let read = |row: &Row<'_>| Ok(decode::attempt(row, task_id, reading.unreadable));
    let mut attempts = all(reading.conn, ATTEMPTS, params![task_id.to_string(), task_id.row()], read)?;
    attempts.sort_by_key(|attempt| attempt.number);
    Ok(attempts)
}

pub(super) const DURABLE: &str =
    concat!("SELECT task_name, input, program, root_task FROM durable WHERE task_no = ", of_task!());

pub(super) fn durable(reading: &Reading<'_>, task_id: TaskId) -> Result<Option<StoredDurable>, Fault> {
    let read = |row: &Row<'_>| Ok(decode::durable(row, task_id, reading.unreadable));
    one(reading.conn, DURABLE, params![task_id.to_string(), task_id.row()], read)
}

/// The latest questions of a task, latest first.
pub(super) const QUESTIONS: &str =
    select_question!(concat!("WHERE q.task_no = ", of_task!(), " ORDER BY q.question_no DESC LIMIT ?3"));

/// Questions of a task that a read shows.
const MOST_QUESTIONS: u32 = 256;

pub(super) fn questions(reading: &Reading<'_>, task_id: TaskId) -> Result<Vec<Question>, Fault> {
    let mut questions =
        all(reading.conn, QUESTIONS, params![task_id.to_string(), task_id.row(), MOST_QUESTIONS], |row| {
            reading.go_on()?;
            Ok(decode::question(row, reading.unreadable))
        })?;
    questions.reverse();
    Ok(questions)
}

/// The numbers of a task's questions after an ordinal, in no order.
pub(super) const QUESTION_NUMBERS: &str = concat!(
    "SELECT ordinal, question_no FROM question INDEXED BY question_of WHERE task_no = ",
    of_task!(),
    " AND ordinal > ?3"
);

pub(super) const QUESTION_BY_NUMBER: &str = select_question!("NULL", "WHERE q.question_no = ?1");

pub(super) fn questions_after(
    reading: &Reading<'_>,
    task_id: TaskId,
    after: u16,
    limit: PageLimit,
) -> Result<Page<Question>, Fault> {
    let place = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let mut places = all(reading.conn, QUESTION_NUMBERS, params![task_id.to_string(), task_id.row(), after], place)?;
    places.sort_unstable();
    let mut page = PageBuilder::new(limit);
    for (_, question_no) in places {
        reading.go_on()?;
        let read = |row: &Row<'_>| Ok((size(row)?, decode::question(row, reading.unreadable)));
        let Some((bytes, question)) = one(reading.conn, QUESTION_BY_NUMBER, [question_no], read)? else { continue };
        if !page.accepts(bytes) {
            return Ok(page.end(true));
        }
        page.push(question);
    }
    Ok(page.end(false))
}

pub(super) fn question(reading: &Reading<'_>, question_id: QuestionId) -> Result<Option<(Owner, Question)>, Fault> {
    one(reading.conn, QUESTION, [question_id.to_string()], |row| {
        Ok((decode::owner(row, reading.unreadable), decode::question(row, reading.unreadable)))
    })
}

/// The first task of each queue of an extension is one look into the index; `?2` as in
/// [`FIRST_READY`].
pub(super) const FIRST_QUEUED: &str = "SELECT min((SELECT d.ready_at FROM durable d INDEXED BY durable_queued_at
        WHERE d.app_id = q.app_id AND d.queue = q.queue AND d.suspect = ?2 AND d.ready_at IS NOT NULL
        ORDER BY d.ready_at LIMIT 1))
    FROM queue q WHERE q.app_id = ?1";

pub(super) fn first_ready_at(reading: &Reading<'_>, names: &[DurableName]) -> Result<Option<i64>, Fault> {
    let mut first = None;
    let unpaused: Vec<_> = unpaused(reading.conn, names)?.collect();
    let apps: BTreeSet<&str> = names.iter().map(|name| &*name.app_id).collect();
    for suspects in [false, true] {
        for DurableName { app_id, task_name } in &unpaused {
            let params = params![app_id, task_name, suspects];
            let found: Option<i64> = one(reading.conn, FIRST_READY, params, |row| Ok(row.get(0)?))?;
            first = first.into_iter().chain(found).min();
        }
        for app_id in &apps {
            let params = params![app_id, suspects];
            let found: Option<i64> = one(reading.conn, FIRST_QUEUED, params, |row| Ok(row.get(0)?))?.flatten();
            first = first.into_iter().chain(found).min();
        }
    }
    Ok(first)
}

pub(super) fn long_stuck(reading: &Reading<'_>, before: i64, limit: u32) -> Result<Vec<TaskRecord>, Fault> {
    all(reading.conn, LONG_STUCK_TASKS, params![before, limit], |row| Ok(record(row, reading.unreadable)))
}

pub(super) fn cancelled_tasks(reading: &Reading<'_>, limit: u32) -> Result<Vec<TaskRecord>, Fault> {
    all(reading.conn, CANCELLED_TASKS, [limit], |row| Ok(record(row, reading.unreadable)))
}

pub(super) fn backlog(reading: &Reading<'_>, now: Timestamp) -> Result<Backlog, Fault> {
    let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, i64>(2)?));
    let (stuck, first, unknown) = one(reading.conn, BACKLOG, [Backlog::MOST_STUCK], read)?.unwrap_or_default();
    let age = first.and_then(|at| u64::try_from(now.as_microsecond().saturating_sub(at)).ok());
    let backlog = Backlog::new(u64::try_from(stuck).unwrap_or_default(), age.map(Duration::from_micros));
    Ok(backlog.unknown_effects(u64::try_from(unknown).unwrap_or_default()))
}

/// A list of tasks, without their results.
pub(super) fn orphans(reading: &Reading<'_>, limit: u32) -> Result<Vec<Orphan>, Fault> {
    let Reading { conn, unreadable, .. } = reading;
    let mut orphans = all(conn, LEFT_CALLS, [limit], |row| Ok(decode::left_call(row, unreadable)))?;
    let rest = limit.saturating_sub(u32::try_from(orphans.len()).unwrap_or(u32::MAX));
    orphans.extend(all(conn, LEFT_TASKS, [rest], |row| Ok(Orphan::Task(record(row, unreadable))))?);
    Ok(orphans)
}

fn listed(reading: &Reading<'_>, sql: &str, params: impl Params) -> Result<Vec<Task>, Fault> {
    all(reading.conn, sql, params, |row| Ok(record(row, reading.unreadable).task))
}

pub(super) fn open_tasks(reading: &Reading<'_>, owner: &Owner) -> Result<Vec<Task>, Fault> {
    listed(reading, OPEN_TASKS, params![&*owner.tenant_id, &*owner.user_id])
}

pub(super) fn recent_tasks(reading: &Reading<'_>, owner: &Owner, limit: u32) -> Result<Vec<Task>, Fault> {
    listed(reading, RECENT_TASKS, params![&*owner.tenant_id, &*owner.user_id, limit])
}

pub(super) fn tasks_of_call(reading: &Reading<'_>, owner: &Owner, call_id: CallId) -> Result<Vec<Task>, Fault> {
    listed(reading, TASKS_OF_CALL, params![&*owner.tenant_id, &*owner.user_id, call_id.to_string()])
}

pub(super) fn audit_rows(reading: &Reading<'_>, filter: &AuditFilter) -> Result<Page<AuditRow>, Fault> {
    let read = |row: &Row<'_>| Ok(decode::audit_row(row, reading.unreadable));
    let (after, limit) = (number(filter.after), filter.limit);
    match &filter.scope {
        AuditScope::All => page(reading, AUDIT_ROWS, params![after, most(limit)], limit, any, read),
        AuditScope::Tenant(tenant) => {
            page(reading, AUDIT_ROWS_OF_TENANT, params![after, most(limit), tenant], limit, any, read)
        }
        AuditScope::Owner(owner) => {
            let params = params![after, most(limit), &*owner.tenant_id, &*owner.user_id];
            page(reading, AUDIT_ROWS_OF_OWNER, params, limit, any, read)
        }
    }
}

pub(super) fn chain_ends(reading: &Reading<'_>, of: Option<&Owner>) -> Result<Vec<(Owner, ChainEnds)>, Fault> {
    let read = |row: &Row<'_>| Ok(decode::chain_ends(row, reading.unreadable));
    let ends = match of {
        None => all(reading.conn, AUDIT_ENDS, (), read),
        Some(owner) => all(reading.conn, AUDIT_END_OF_OWNER, params![&*owner.tenant_id, &*owner.user_id], read),
    };
    Ok(ends?.into_iter().flatten().collect())
}
