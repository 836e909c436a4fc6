//! The reads of the contract. Each is one statement and so sees one state of the database.
//!
//! Owns the statements about owners: their turns, events, tasks and audit rows, and the orphans. `durable` reads what
//! durable tasks have beyond that.

mod durable;

use std::borrow::Cow;

use tokio_postgres::Row;

pub(super) use self::durable::{
    attempts, backlog, cancelled_tasks, durable, long_stuck, next_ready_in, questions_after, step_value, steps,
};
use super::event_reads::EventReads;
use super::pool::{Param, Store, int, text};
use super::rows::{RECORD_COLUMNS, get, number};
use super::stored_text::stored;
use crate::ids::{CallId, TaskId, TurnId};
use crate::ledger::decode::{self, Cell, Columns, EventKind};
use crate::ledger::{
    AuditFilter, AuditRow, AuditScope, CallRecord, ChainEnds, Event, LedgerError, Owner, Page, PageLimit, Task,
    TaskRecord, Turn,
};

/// A page of rows with a number, `seq`, and a size in bytes, `size`, up to `$4` rows and `$5` bytes. The inner select
/// returns one row more, in order. PostgreSQL knows the size of a long text without reading it, so the texts behind the
/// page's end are not read. The last column says whether there are more rows.
macro_rules! page {
    ($columns:literal, $order:literal, $rows:expr) => {
        concat!(
            "SELECT ",
            $columns,
            ", following FROM (
                SELECT p.*, lead(seq) OVER w IS NOT NULL AS following,
                    row_number() OVER w = 1 OR sum(size) OVER w <= $5 AS fits
                FROM (",
            $rows,
            ") AS p WINDOW w AS (ORDER BY ",
            $order,
            ")
            ) AS q WHERE fits ORDER BY ",
            $order,
            " LIMIT greatest($4, 1)"
        )
    };
}
use page;

/// A page of the owner's turns.
macro_rules! turn_page {
    ($order:literal, $condition:literal) => {
        page!(
            "seq, at, body, turn_id::text AS turn_id",
            $order,
            concat!(
                "SELECT seq, at, body, turn_id, octet_length(body) AS size FROM @.turn
                WHERE owner_id = @.find_owner($1, $2) AND ",
                $condition,
                " AND seq <= @.head($1, $2) ORDER BY ",
                $order,
                " LIMIT $4 + 1"
            )
        )
    };
}

const TURNS: &str = turn_page!("seq", "seq > $3");
const LATEST_TURNS: &str = turn_page!("seq DESC", "seq > 0 AND seq < $3");

const TURN: &str = "SELECT seq, at, body, turn_id::text AS turn_id FROM @.turn
    WHERE owner_id = @.find_owner($1, $2) AND turn_id = $3::uuid";

/// A missing turn leaves its number.
const CALL: &str = "SELECT c.turn_seq AS seq, a.at, a.body, a.turn_id::text AS turn_id,
        c.reply_seq, r.at AS reply_at, r.body AS reply_body, r.turn_id::text AS reply_id FROM @.call c
    LEFT JOIN @.turn a ON a.owner_id = c.owner_id AND a.seq = c.turn_seq
    LEFT JOIN @.turn r ON r.owner_id = c.owner_id AND r.seq = c.reply_seq
    WHERE NOT c.silent AND c.owner_id = @.find_owner($1, $2) AND c.call_id = $3::uuid";

/// Orphaned calls, then orphaned tasks.
pub(super) const ORPHANS: &str = "FROM (
        (SELECT 0 AS place, c.call_no AS task_no, NULL::uuid AS task_id, c.call_id, NULL AS app_id, NULL AS function,
            NULL AS name, NULL AS state, NULL::boolean AS long_running, NULL::double precision AS percent,
            NULL AS message, NULL::bigint AS created_at, NULL::bigint AS deadline_at,
            NULL::bigint AS cancel_requested_at, NULL::bigint AS finished_at, u.body, n.node, c.incarnation, w.tenant_id,
            w.user_id, c.owner_id, w.head, NULL::boolean AS abandoned, NULL AS key,
            NULL::boolean AS durable, NULL::bigint AS attempt, NULL AS waits_for, NULL::bigint AS ready_at, NULL AS steps,
            NULL::uuid AS outcome_id, NULL::bigint AS interrupted_at, NULL::bigint AS open_questions,
            NULL AS queue, NULL::bigint AS open_effects, NULL AS follows
        FROM @.call c
        JOIN @.owner w ON w.owner_id = c.owner_id
        JOIN @.node n ON n.node_id = c.node_id
        LEFT JOIN @.turn u ON u.owner_id = c.owner_id AND u.seq = c.turn_seq
        WHERE c.state = 'left' AND NOT c.silent ORDER BY c.call_no LIMIT $1)
        UNION ALL
        (SELECT 1, t.* FROM @.task_record t WHERE t.state = 'running' AND t.abandoned ORDER BY t.task_no LIMIT $1)
    ) AS r ORDER BY r.place, r.task_no LIMIT $1";

const OWNER_HEAD: &str = "SELECT head FROM @.owner WHERE owner_key = @.owner_key($1, $2)";

/// A page of audit rows; `$condition` selects them by `$1` and `$2`.
macro_rules! audit_page {
    ($condition:literal) => {
        page!(
            "seq AS audit_id, at, tenant_id, user_id, actor, app_id, action, target, outcome, detail, hash",
            "seq",
            concat!(
                "SELECT a.audit_id AS seq, a.at, w.tenant_id, w.user_id, a.actor, a.app_id, a.action, a.target,
                    a.outcome, a.detail, a.hash,
                    32 + octet_length(concat(w.tenant_id, w.user_id, a.actor, a.app_id, a.action))
                        + coalesce(octet_length(a.target), 0) + coalesce(octet_length(a.detail), 0) AS size
                FROM @.audit a JOIN @.owner w ON w.owner_id = a.owner_id
                WHERE ",
                $condition,
                " AND a.audit_id > $3 ORDER BY a.audit_id LIMIT $4 + 1"
            )
        )
    };
}

const AUDIT_ROWS: &str = audit_page!("($1::text IS NULL AND $2::text IS NULL)");
const AUDIT_ROWS_OF_TENANT: &str = audit_page!("w.tenant_id = $1 AND $2::text IS NULL");
const AUDIT_ROWS_OF_OWNER: &str = audit_page!("a.owner_id = @.find_owner($1, $2)");

const AUDIT_ENDS: &str =
    "SELECT tenant_id, user_id, audit_anchor, audit_pruned, audit_end FROM @.owner WHERE audit_end IS NOT NULL";

/// The parameters `$1` and `$2` that name an owner.
struct OwnerNames<'o> {
    tenant: Cow<'o, str>,
    user: Cow<'o, str>,
}

impl<'o> OwnerNames<'o> {
    fn of(owner: &'o Owner) -> Self {
        Self { tenant: stored(&owner.tenant_id), user: stored(&owner.user_id) }
    }

    fn params(&self) -> [Param<'_>; 2] {
        [text(&self.tenant), text(&self.user)]
    }

    fn params_and<'p>(&'p self, third: Param<'p>) -> [Param<'p>; 3] {
        [text(&self.tenant), text(&self.user), third]
    }
}

async fn all<T>(
    store: &Store,
    sql: &str,
    params: &[Param<'_>],
    read: impl Fn(&Row) -> T,
) -> Result<Vec<T>, LedgerError> {
    Ok(store.repeatable(sql, params).await?.iter().map(read).collect())
}

/// Runs a statement that `page!` makes.
async fn paged<T>(
    store: &Store,
    sql: &str,
    names: &[Param<'_>; 2],
    from: u64,
    limit: PageLimit,
    read: impl Fn(&Row) -> Result<T, LedgerError>,
) -> Result<Page<T>, LedgerError> {
    let (from, most, bytes) = (number(from), i64::from(limit.rows), number(limit.bytes));
    let params = [&names[..], &[int(&from), int(&most), int(&bytes)]].concat();
    page_of(&store.repeatable(sql, &params).await?, limit, read)
}

/// A page from its rows. The last one says whether there are more.
fn page_of<T>(
    found: &[Row],
    limit: PageLimit,
    read: impl Fn(&Row) -> Result<T, LedgerError>,
) -> Result<Page<T>, LedgerError> {
    let more = match found.last() {
        Some(last) if limit.rows > 0 => matches!(last.cell("following"), Cell::Flag(true)),
        _ => false,
    };
    let mut rows = found.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    // A limit of no rows reads one, so that a pruned number is refused as with any limit.
    rows.truncate(limit.rows as usize);
    Ok(Page { rows, more })
}

async fn turn_page(
    store: &Store,
    sql: &str,
    owner: &Owner,
    from: u64,
    limit: PageLimit,
) -> Result<Page<Turn>, LedgerError> {
    let read = |row: &Row| Ok(decode::turn(row, owner, store.unreadable()));
    Ok(paged(store, sql, &OwnerNames::of(owner).params(), from, limit, read).await?.flattened())
}

pub(super) async fn turns(
    store: &Store,
    owner: &Owner,
    after: u64,
    limit: PageLimit,
) -> Result<Page<Turn>, LedgerError> {
    turn_page(store, TURNS, owner, after, limit).await
}

pub(super) async fn latest_turns(
    store: &Store,
    owner: &Owner,
    before: Option<u64>,
    limit: PageLimit,
) -> Result<Page<Turn>, LedgerError> {
    Ok(turn_page(store, LATEST_TURNS, owner, before.unwrap_or(u64::MAX), limit).await?.reversed())
}

pub(super) async fn turn_of(store: &Store, owner: &Owner, turn_id: TurnId) -> Result<Option<Turn>, LedgerError> {
    let (names, id) = (OwnerNames::of(owner), turn_id.to_string());
    let read = |row: &Row| decode::turn(row, owner, store.unreadable());
    Ok(all(store, TURN, &names.params_and(text(&id)), read).await?.pop().flatten())
}

pub(super) async fn call(store: &Store, owner: &Owner, call_id: CallId) -> Result<Option<CallRecord>, LedgerError> {
    let (names, id) = (OwnerNames::of(owner), call_id.to_string());
    let read = |row: &Row| decode::call(row, owner, store.unreadable());
    Ok(all(store, CALL, &names.params_and(text(&id)), read).await?.pop().flatten())
}

pub(super) async fn events(
    reads: &EventReads,
    store: &Store,
    owner: &Owner,
    after: u64,
    limit: PageLimit,
) -> Result<Page<Event>, LedgerError> {
    let read = |row: &Row| {
        let at = get::<Option<i64>>(row, 1)?;
        if get::<i64>(row, 0)? == 0 {
            return Err(LedgerError::Pruned(at.and_then(|floor| u64::try_from(floor).ok()).unwrap_or_default()));
        }
        let kind = if at.is_some() { EventKind::Turn } else { EventKind::TaskColumns };
        Ok(decode::event(row, kind, owner, store.unreadable()))
    };
    let found = page_of(&reads.rows(owner, after, limit).await?, limit, read)?;
    Ok(decode::without_gaps(found.flattened(), after, limit, owner, store.unreadable()))
}

pub(super) async fn head(store: &Store, owner: &Owner) -> Result<u64, LedgerError> {
    match store.repeatable(OWNER_HEAD, &OwnerNames::of(owner).params()).await?.first() {
        Some(row) => Ok(u64::try_from(get::<i64>(row, 0)?).unwrap_or_default()),
        None => Ok(0),
    }
}

pub(super) async fn task(store: &Store, task_id: TaskId) -> Result<Option<TaskRecord>, LedgerError> {
    let sql = format!("SELECT {RECORD_COLUMNS} FROM @.task_record r WHERE r.task_id = $1::uuid");
    let read = |row: &Row| decode::record(row, store.unreadable());
    Ok(all(store, &sql, &[text(&task_id.to_string())], read).await?.pop())
}

/// The owner's tasks without their results, so that no outcome turn is read.
async fn task_list(store: &Store, rest: &str, params: &[Param<'_>]) -> Result<Vec<Task>, LedgerError> {
    let columns = RECORD_COLUMNS.replace("r.body", "NULL::text");
    let sql = format!("SELECT {columns} FROM @.task_record r WHERE r.owner_id = @.find_owner($1, $2) {rest}");
    all(store, &sql, params, |row| decode::record(row, store.unreadable()).task).await
}

pub(super) async fn open_tasks(store: &Store, owner: &Owner) -> Result<Vec<Task>, LedgerError> {
    let names = OwnerNames::of(owner);
    task_list(store, "AND r.finished_at IS NULL ORDER BY r.task_no", &names.params()).await
}

pub(super) async fn recent_tasks(store: &Store, owner: &Owner, limit: u32) -> Result<Vec<Task>, LedgerError> {
    let (names, limit) = (OwnerNames::of(owner), limit.into());
    task_list(store, "ORDER BY r.task_no DESC LIMIT $3", &names.params_and(int(&limit))).await
}

pub(super) async fn tasks_of_call(store: &Store, owner: &Owner, call_id: CallId) -> Result<Vec<Task>, LedgerError> {
    let (names, id) = (OwnerNames::of(owner), call_id.to_string());
    task_list(store, "AND r.call_id = $3::uuid ORDER BY r.task_no", &names.params_and(text(&id))).await
}

pub(super) async fn audit_rows(store: &Store, filter: &AuditFilter) -> Result<Page<AuditRow>, LedgerError> {
    let (sql, tenant, user) = match &filter.scope {
        AuditScope::All => (AUDIT_ROWS, None, None),
        AuditScope::Tenant(tenant) => (AUDIT_ROWS_OF_TENANT, Some(stored(tenant)), None),
        AuditScope::Owner(owner) => (AUDIT_ROWS_OF_OWNER, Some(stored(&owner.tenant_id)), Some(stored(&owner.user_id))),
    };
    let read = |row: &Row| Ok(decode::audit_row(row, store.unreadable()));
    paged(store, sql, &[text(&tenant), text(&user)], filter.after, filter.limit, read).await
}

pub(super) async fn chain_ends(store: &Store, of: Option<&Owner>) -> Result<Vec<(Owner, ChainEnds)>, LedgerError> {
    let read = |row: &Row| decode::chain_ends(row, store.unreadable());
    let ends = match of {
        None => all(store, AUDIT_ENDS, &[], read).await,
        Some(owner) => {
            let sql = format!("{AUDIT_ENDS} AND owner_key = @.owner_key($1, $2)");
            all(store, &sql, &OwnerNames::of(owner).params(), read).await
        }
    };
    Ok(ends?.into_iter().flatten().collect())
}
