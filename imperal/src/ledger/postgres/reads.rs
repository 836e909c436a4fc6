//! The reads of the contract: one statement each, so each sees one state of the database.

use tokio_postgres::Row;

use super::fault::Fault;
use super::pool::{Param, Store, int, text};
use super::rows::{
    RECORD, audit_row, event, get, get_hash, get_number, number, orphan, owner, record, stored, turn, turn_at,
};
use crate::ids::{CallId, TaskId, TurnId};
use crate::ledger::{
    AuditEnds, AuditFilter, AuditRow, AuditScope, CallRecord, Event, LedgerError, Orphan, Owner, Task, TaskRecord, Turn,
};

const TURNS: &str = "SELECT seq, at, body FROM @.turn
    WHERE owner_id = @.find_owner($1, $2) AND seq > $3 ORDER BY seq LIMIT $4";

const LATEST_TURNS: &str = "SELECT seq, at, body FROM @.turn
    WHERE owner_id = @.find_owner($1, $2) AND seq < $3 ORDER BY seq DESC LIMIT $4";

const TURN: &str = "SELECT seq, at, body FROM @.turn
    WHERE owner_id = @.find_owner($1, $2) AND turn_id = $3::uuid";

const CALL: &str = "SELECT a.seq, a.at, a.body, r.seq, r.at, r.body FROM @.call c
    JOIN @.turn a ON a.owner_id = c.owner_id AND a.seq = c.turn_seq
    LEFT JOIN @.turn r ON r.owner_id = c.owner_id AND r.seq = c.reply_seq
    WHERE c.owner_id = @.find_owner($1, $2) AND c.call_id = $3::uuid";

/// Both halves come in the order of their index and are merged as far as the limit. Before them, as
/// number 0 and in the place of a time, how far events are not kept, if the reader was not there yet.
const EVENTS: &str = "SELECT 0::bigint AS seq, pruned AS at, NULL AS body, NULL, NULL, NULL, NULL, NULL, NULL,
        NULL::boolean, NULL::double precision, NULL, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL
    FROM @.owner WHERE owner_key = @.owner_key($1, $2) AND pruned > $3
    UNION ALL
    SELECT seq, at, body, NULL, NULL, NULL, NULL, NULL, NULL, NULL::boolean,
        NULL::double precision, NULL, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL
    FROM @.turn WHERE owner_id = @.find_owner($1, $2) AND seq > $3
    UNION ALL
    SELECT e.seq, NULL, o.body, t.task_id::text, t.call_id::text, t.app_id, t.function, t.name, e.state,
        t.long_running, e.percent, e.message, t.created_at, t.deadline_at, e.cancel_requested_at, e.finished_at,
        t.key
    FROM @.task_event e JOIN @.task t ON t.task_id = e.task_id
    LEFT JOIN @.turn o ON o.owner_id = e.owner_id AND o.seq = e.outcome_seq
    WHERE e.owner_id = @.find_owner($1, $2) AND e.seq > $3
    ORDER BY 1 LIMIT $4";

/// What `orphans` of the database lists, without its ending of lives. Nobody writes under a life by it.
const LEFT: &str = "FROM (
        SELECT 0 AS place, c.call_no AS task_no, NULL::uuid AS task_id, c.call_id, NULL AS app_id, NULL AS function,
            NULL AS name, NULL AS state, NULL::boolean AS long_running, NULL::double precision AS percent,
            NULL AS message, NULL::bigint AS created_at, NULL::bigint AS deadline_at,
            NULL::bigint AS cancel_requested_at, NULL::bigint AS finished_at, u.body, n.node, c.epoch, w.tenant_id,
            w.user_id, c.owner_id, w.head, NULL::boolean AS abandoned, NULL AS key
        FROM @.call c
        JOIN @.owner w ON w.owner_id = c.owner_id
        JOIN @.node n ON n.node_id = c.node_id
        JOIN @.turn u ON u.owner_id = c.owner_id AND u.seq = c.turn_seq
        WHERE c.state = 'left'
        UNION ALL
        SELECT 1, t.* FROM @.task_record t WHERE t.state = 'running' AND t.abandoned
    ) AS r ORDER BY r.place, r.task_no LIMIT $1";

const HEAD: &str = "SELECT head FROM @.owner WHERE owner_key = @.owner_key($1, $2)";

const AUDIT: &str = "SELECT a.audit_id, a.at, w.tenant_id, w.user_id, a.actor, a.app_id, a.action, a.target,
        a.outcome, a.detail, a.hash FROM @.audit a JOIN @.owner w ON w.owner_id = a.owner_id
    WHERE a.audit_id > $1 ORDER BY a.audit_id LIMIT $2";

const AUDIT_IN: &str = "SELECT a.audit_id, a.at, w.tenant_id, w.user_id, a.actor, a.app_id, a.action, a.target,
        a.outcome, a.detail, a.hash FROM @.audit a JOIN @.owner w ON w.owner_id = a.owner_id
    WHERE w.tenant_id = $3 AND a.audit_id > $1 ORDER BY a.audit_id LIMIT $2";

const AUDIT_OF: &str = "SELECT a.audit_id, a.at, w.tenant_id, w.user_id, a.actor, a.app_id, a.action, a.target,
        a.outcome, a.detail, a.hash FROM @.audit a JOIN @.owner w ON w.owner_id = a.owner_id
    WHERE a.owner_id = @.find_owner($3, $4) AND a.audit_id > $1 ORDER BY a.audit_id LIMIT $2";

const AUDIT_ENDS: &str =
    "SELECT tenant_id, user_id, audit_anchor, audit_pruned, audit_end FROM @.owner WHERE audit_end IS NOT NULL";

const AUDIT_END_OF: &str = "SELECT tenant_id, user_id, audit_anchor, audit_pruned, audit_end FROM @.owner
    WHERE audit_end IS NOT NULL AND owner_key = @.owner_key($1, $2)";

async fn all<T>(
    store: &Store,
    sql: &str,
    params: &[Param<'_>],
    read: impl Fn(&Row) -> Result<T, Fault>,
) -> Result<Vec<T>, LedgerError> {
    let rows = store.repeatable(sql, params).await?;
    Ok(rows.iter().map(read).collect::<Result<_, Fault>>()?)
}

async fn paged<T>(
    store: &Store,
    sql: &str,
    owner: &Owner,
    from: u64,
    limit: u32,
    read: impl Fn(&Row) -> Result<T, Fault>,
) -> Result<Vec<T>, LedgerError> {
    let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
    all(store, sql, &[text(&tenant), text(&user), int(&number(from)), int(&limit.into())], read).await
}

pub(super) async fn turns(store: &Store, owner: &Owner, after: u64, limit: u32) -> Result<Vec<Turn>, LedgerError> {
    paged(store, TURNS, owner, after, limit, turn).await
}

pub(super) async fn latest_turns(
    store: &Store,
    owner: &Owner,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Turn>, LedgerError> {
    let mut turns = paged(store, LATEST_TURNS, owner, before.unwrap_or(u64::MAX), limit, turn).await?;
    turns.reverse();
    Ok(turns)
}

pub(super) async fn turn_of(store: &Store, owner: &Owner, turn_id: TurnId) -> Result<Option<Turn>, LedgerError> {
    let (tenant, user, id) = (stored(&owner.tenant_id), stored(&owner.user_id), turn_id.to_string());
    Ok(all(store, TURN, &[text(&tenant), text(&user), text(&id)], turn).await?.pop())
}

pub(super) async fn call(store: &Store, owner: &Owner, call_id: CallId) -> Result<Option<CallRecord>, LedgerError> {
    let (tenant, user, id) = (stored(&owner.tenant_id), stored(&owner.user_id), call_id.to_string());
    let read = |row: &Row| {
        let reply = get::<Option<i64>>(row, 3)?.map(|_| turn_at(row, 3)).transpose()?;
        Ok(CallRecord { asked: turn(row)?, reply })
    };
    Ok(all(store, CALL, &[text(&tenant), text(&user), text(&id)], read).await?.pop())
}

pub(super) async fn events(store: &Store, owner: &Owner, after: u64, limit: u32) -> Result<Vec<Event>, LedgerError> {
    // One more than asked for, so that none is enough to be refused.
    let mut events = paged(store, EVENTS, owner, after, limit.saturating_add(1), event).await?;
    events.truncate(limit as usize);
    Ok(events)
}

pub(super) async fn head(store: &Store, owner: &Owner) -> Result<u64, LedgerError> {
    let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
    let heads = all(store, HEAD, &[text(&tenant), text(&user)], |row| get_number(row, 0)).await?;
    Ok(heads.first().copied().unwrap_or_default())
}

pub(super) async fn task(store: &Store, task_id: TaskId) -> Result<Option<TaskRecord>, LedgerError> {
    let sql = format!("SELECT {RECORD} FROM @.task_record r WHERE r.task_id = $1::uuid");
    Ok(all(store, &sql, &[text(&task_id.to_string())], record).await?.pop())
}

pub(super) async fn left(store: &Store, limit: u32) -> Result<Vec<Orphan>, LedgerError> {
    all(store, &format!("SELECT {RECORD} {LEFT}"), &[int(&limit.into())], orphan).await
}

pub(super) async fn running_tasks(store: &Store, owner: &Owner) -> Result<Vec<Task>, LedgerError> {
    let sql = format!(
        "SELECT {RECORD} FROM @.task_record r WHERE r.owner_id = @.find_owner($1, $2) AND r.state = 'running'
         ORDER BY r.task_no"
    );
    let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
    all(store, &sql, &[text(&tenant), text(&user)], |row| Ok(record(row)?.task)).await
}

pub(super) async fn recent_tasks(store: &Store, owner: &Owner, limit: u32) -> Result<Vec<Task>, LedgerError> {
    let sql = format!(
        "SELECT {RECORD} FROM @.task_record r WHERE r.owner_id = @.find_owner($1, $2)
         ORDER BY r.task_no DESC LIMIT $3"
    );
    let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
    all(store, &sql, &[text(&tenant), text(&user), int(&limit.into())], |row| Ok(record(row)?.task)).await
}

pub(super) async fn audit_rows(store: &Store, filter: &AuditFilter) -> Result<Vec<AuditRow>, LedgerError> {
    let (after, limit) = (number(filter.after), filter.limit.into());
    match &filter.scope {
        AuditScope::All => all(store, AUDIT, &[int(&after), int(&limit)], audit_row).await,
        AuditScope::Tenant(tenant) => {
            let tenant = stored(tenant);
            all(store, AUDIT_IN, &[int(&after), int(&limit), text(&tenant)], audit_row).await
        }
        AuditScope::Owner(owner) => {
            let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
            all(store, AUDIT_OF, &[int(&after), int(&limit), text(&tenant), text(&user)], audit_row).await
        }
    }
}

pub(super) async fn audit_ends(store: &Store, of: Option<&Owner>) -> Result<Vec<(Owner, AuditEnds)>, LedgerError> {
    let read = |row: &Row| {
        let anchor = get::<Option<&[u8]>>(row, 2)?.map(|_| get_hash(row, 2)).transpose()?;
        Ok((owner(row, 0)?, AuditEnds::new(anchor, get_number(row, 3)?, get_hash(row, 4)?)))
    };
    match of {
        None => all(store, AUDIT_ENDS, &[], read).await,
        Some(owner) => {
            let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
            all(store, AUDIT_END_OF, &[text(&tenant), text(&user)], read).await
        }
    }
}
