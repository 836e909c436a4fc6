//! The reads of the contract: one statement each, so each sees one state of the file.

use rusqlite::{Connection, params};

use super::fault::Fault;
use super::ops::TASK;
use super::readers::Reading;
use super::rows::{
    all, get_hash, get_json, get_number, get_time, number, one, owner, page, record, select_task, turn, turn_at,
};
use crate::ids::{CallId, TaskId, TurnId};
use crate::ledger::{
    AuditEnds, AuditFilter, AuditRow, AuditScope, CallRecord, Event, EventBody, LedgerError, Limit, NewAudit, Owner,
    Page, Task, TaskRecord, Turn,
};

/// The owner's id where `?1` and `?2` name it.
macro_rules! of_owner {
    ($before:literal, $after:expr) => {
        concat!($before, "(SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2)", $after)
    };
}

pub(super) const TURNS: &str =
    of_owner!("SELECT seq, at, body FROM turn WHERE owner_id = ", " AND seq > ?3 ORDER BY seq LIMIT ?4");

pub(super) const LATEST_TURNS: &str =
    of_owner!("SELECT seq, at, body FROM turn WHERE owner_id = ", " AND seq < ?3 ORDER BY seq DESC LIMIT ?4");

pub(super) const TURN: &str = of_owner!("SELECT seq, at, body FROM turn WHERE owner_id = ", " AND turn_id = ?3");

pub(super) const CALL: &str = of_owner!(
    "SELECT a.seq, a.at, a.body, r.seq, r.at, r.body FROM call c
    JOIN turn a ON a.owner_id = c.owner_id AND a.seq = c.turn_seq
    LEFT JOIN turn r ON r.owner_id = c.owner_id AND r.seq = c.reply_seq
    WHERE c.owner_id = ",
    " AND c.call_id = ?3"
);

/// Both halves come in the order of their index and are merged as far as the limit. Before them, as
/// number 0 and in the place of a time, how far events are not kept, if the reader was not there yet.
pub(super) const EVENTS: &str = of_owner!(
    "SELECT 0 AS seq, pruned AS at, NULL AS body FROM owner
        WHERE tenant_id = ?1 AND user_id = ?2 AND pruned > ?3
    UNION ALL SELECT seq, at, body FROM turn WHERE owner_id = ",
    of_owner!(
        " AND seq > ?3 UNION ALL
        SELECT e.seq, NULL, e.body FROM task_event e WHERE e.owner_id = ",
        " AND e.seq > ?3 ORDER BY 1 LIMIT ?4"
    )
);

pub(super) const HEAD: &str = "SELECT head FROM owner WHERE tenant_id = ?1 AND user_id = ?2";

pub(super) const RUNNING_TASKS: &str = select_task!(
    list "WHERE t.owner_id = (SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2)
        AND t.state = 'running' ORDER BY t.task_no"
);

pub(super) const RECENT_TASKS: &str = select_task!(
    list "WHERE t.owner_id = (SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2)
        ORDER BY t.task_no DESC LIMIT ?3"
);

/// By the call's index; the plus keeps the owner's, with all of their tasks, from being used.
pub(super) const TASKS_OF_CALL: &str = select_task!(
    list "WHERE t.call_id = ?3
        AND +t.owner_id = (SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2) ORDER BY t.task_no"
);

pub(super) const AUDIT: &str = "SELECT a.audit_id, a.at, w.tenant_id, w.user_id, a.actor, a.app_id, a.action,
    a.target, a.outcome, a.detail, a.hash FROM audit a JOIN owner w ON w.owner_id = a.owner_id
    WHERE a.audit_id > ?1 ORDER BY a.audit_id LIMIT ?2";

/// In the order of the rows, so that none has to be sorted: the rows of other tenants are passed over.
pub(super) const AUDIT_IN: &str = "SELECT a.audit_id, a.at, w.tenant_id, w.user_id, a.actor, a.app_id, a.action,
    a.target, a.outcome, a.detail, a.hash FROM audit a CROSS JOIN owner w ON w.owner_id = a.owner_id
    WHERE w.tenant_id = ?3 AND a.audit_id > ?1 ORDER BY a.audit_id LIMIT ?2";

pub(super) const AUDIT_OF: &str = "SELECT a.audit_id, a.at, w.tenant_id, w.user_id, a.actor, a.app_id, a.action,
    a.target, a.outcome, a.detail, a.hash FROM owner w JOIN audit a ON a.owner_id = w.owner_id
    WHERE w.tenant_id = ?3 AND w.user_id = ?4 AND a.audit_id > ?1 ORDER BY a.audit_id LIMIT ?2";

/// Of everybody: the one read that goes through a whole table.
const AUDIT_ENDS: &str = "SELECT tenant_id, user_id, audit_anchor, audit_pruned, audit_end FROM owner";

pub(super) const AUDIT_END_OF: &str = "SELECT tenant_id, user_id, audit_anchor, audit_pruned, audit_end FROM owner
    WHERE tenant_id = ?1 AND user_id = ?2";

/// One more row than the limit has, so that it is known whether there is one.
fn most(limit: Limit) -> i64 {
    i64::from(limit.rows) + 1
}

fn any(_: &rusqlite::Row<'_>) -> Result<(), Fault> {
    Ok(())
}

pub(super) fn turns(reading: &Reading<'_>, owner: &Owner, after: u64, limit: Limit) -> Result<Page<Turn>, Fault> {
    let params = params![&*owner.tenant_id, &*owner.user_id, number(after), most(limit)];
    page(reading, TURNS, params, limit, any, turn)
}

pub(super) fn latest_turns(
    reading: &Reading<'_>,
    owner: &Owner,
    before: Option<u64>,
    limit: Limit,
) -> Result<Page<Turn>, Fault> {
    let before = number(before.unwrap_or(u64::MAX));
    let params = params![&*owner.tenant_id, &*owner.user_id, before, most(limit)];
    Ok(page(reading, LATEST_TURNS, params, limit, any, turn)?.reversed())
}

pub(super) fn turn_of(conn: &Connection, owner: &Owner, turn_id: TurnId) -> Result<Option<Turn>, Fault> {
    one(conn, TURN, params![&*owner.tenant_id, &*owner.user_id, turn_id.to_string()], turn)
}

pub(super) fn call(conn: &Connection, owner: &Owner, call_id: CallId) -> Result<Option<CallRecord>, Fault> {
    let params = params![&*owner.tenant_id, &*owner.user_id, call_id.to_string()];
    one(conn, CALL, params, |row| {
        let reply = row.get::<_, Option<i64>>(3)?.map(|_| turn_at(row, 3)).transpose()?;
        Ok(CallRecord { asked: turn(row)?, reply })
    })
}

pub(super) fn events(reading: &Reading<'_>, owner: &Owner, after: u64, limit: Limit) -> Result<Page<Event>, Fault> {
    let params = params![&*owner.tenant_id, &*owner.user_id, number(after), most(limit)];
    let kept = |row: &rusqlite::Row<'_>| match get_number(row, 0)? {
        0 => Err(LedgerError::Pruned(get_number(row, 1)?).into()),
        _ => Ok(()),
    };
    page(reading, EVENTS, params, limit, kept, |row| {
        let seq = get_number(row, 0)?;
        if row.get_ref(1)? != rusqlite::types::ValueRef::Null {
            let (at, body) = (get_time(row, 1)?, get_json(row, 2)?);
            return Ok(Event { seq, body: EventBody::Turn(Turn { seq, at, body }) });
        }
        Ok(Event { seq, body: EventBody::Task(get_json(row, 2)?) })
    })
}

pub(super) fn head(conn: &Connection, owner: &Owner) -> Result<u64, Fault> {
    let head = one(conn, HEAD, params![&*owner.tenant_id, &*owner.user_id], |row| get_number(row, 0))?;
    Ok(head.unwrap_or_default())
}

pub(super) fn task(conn: &Connection, task_id: TaskId) -> Result<Option<TaskRecord>, Fault> {
    one(conn, TASK, [task_id.to_string()], record)
}

pub(super) fn running_tasks(conn: &Connection, owner: &Owner) -> Result<Vec<Task>, Fault> {
    all(conn, RUNNING_TASKS, params![&*owner.tenant_id, &*owner.user_id], |row| Ok(record(row)?.task))
}

pub(super) fn recent_tasks(conn: &Connection, owner: &Owner, limit: u32) -> Result<Vec<Task>, Fault> {
    all(conn, RECENT_TASKS, params![&*owner.tenant_id, &*owner.user_id, limit], |row| Ok(record(row)?.task))
}

pub(super) fn tasks_of_call(conn: &Connection, owner: &Owner, call_id: CallId) -> Result<Vec<Task>, Fault> {
    let params = params![&*owner.tenant_id, &*owner.user_id, call_id.to_string()];
    all(conn, TASKS_OF_CALL, params, |row| Ok(record(row)?.task))
}

pub(super) fn audit_rows(reading: &Reading<'_>, filter: &AuditFilter) -> Result<Page<AuditRow>, Fault> {
    let read = |row: &rusqlite::Row<'_>| {
        let owner = owner(row, 2)?;
        let body = NewAudit {
            tenant_id: owner.tenant_id.to_string(),
            user_id: owner.user_id.to_string(),
            actor: row.get(4)?,
            app_id: row.get(5)?,
            action: row.get(6)?,
            target: row.get(7)?,
            outcome: super::rows::audit_outcome(row, 8)?,
            detail: row.get(9)?,
        };
        let hash = get_hash(row, 10)?.ok_or_else(|| Fault::Row("an audit row has no hash".to_owned()))?;
        Ok(AuditRow { audit_id: get_number(row, 0)?, at: get_time(row, 1)?, body, hash })
    };
    let (after, limit) = (number(filter.after), filter.limit);
    match &filter.scope {
        AuditScope::All => page(reading, AUDIT, params![after, most(limit)], limit, any, read),
        AuditScope::Tenant(tenant) => page(reading, AUDIT_IN, params![after, most(limit), tenant], limit, any, read),
        AuditScope::Owner(owner) => {
            let params = params![after, most(limit), &*owner.tenant_id, &*owner.user_id];
            page(reading, AUDIT_OF, params, limit, any, read)
        }
    }
}

pub(super) fn audit_ends(conn: &Connection, of: Option<&Owner>) -> Result<Vec<(Owner, AuditEnds)>, Fault> {
    let read = |row: &rusqlite::Row<'_>| {
        let end = get_hash(row, 4)?;
        let (anchor, pruned) = (get_hash(row, 2)?, get_number(row, 3)?);
        Ok((owner(row, 0)?, end.map(|end| AuditEnds::new(anchor, pruned, end))))
    };
    let ends = match of {
        None => all(conn, AUDIT_ENDS, (), read),
        Some(owner) => all(conn, AUDIT_END_OF, params![&*owner.tenant_id, &*owner.user_id], read),
    };
    Ok(ends?.into_iter().filter_map(|(owner, ends)| Some((owner, ends?))).collect())
}
