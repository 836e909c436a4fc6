//! The reads of durable tasks: their steps, questions and attempts, and which of them wait.
//!
//! Each is one statement, as the other reads are. Lists of all owners' tasks have a limit, and begin at an index.

use std::borrow::Cow;
use std::time::Duration;

use tokio_postgres::Row;

use super::super::pool::{Store, int, text, texts};
use super::super::rows::{RECORD_COLUMNS, get, micros};
use super::{all, page, paged};
use crate::ids::TaskId;
use crate::ledger::{
    Backlog, LedgerError, Page, PageLimit, Question, StoredDurable, StoredStep, TaskAttempt, TaskRecord, decode,
};

/// The task's steps after an ordinal. Large values stay in the database.
const STEPS: &str = page!(
    "ordinal, name, kind, attempt, began_at, done_at, bytes, CASE WHEN bytes <= 4096 THEN value END AS value, log, seq",
    "seq",
    "SELECT s.ordinal AS seq, s.*, coalesce(octet_length(s.value), 0)::bigint AS bytes,
        octet_length(s.name) + coalesce(octet_length(s.log), 0)
            + CASE WHEN octet_length(s.value) <= 4096 THEN octet_length(s.value) ELSE 0 END AS size
    FROM @.step s WHERE s.task_no = (SELECT task_no FROM @.task WHERE task_id = $1::uuid) AND $2::text IS NULL
        AND s.ordinal > $3 ORDER BY s.ordinal LIMIT $4 + 1"
);

/// The task's questions after an ordinal, without their schemas.
const QUESTIONS_AFTER: &str = page!(
    "question_id::text AS question_id, task_id::text AS task_id, ordinal, name, text, NULL::text AS schema, fallback,
        state, asked_at, until, value, answered_by, answered_at, seq",
    "seq",
    "SELECT r.ordinal AS seq, r.*, octet_length(r.text) + coalesce(octet_length(r.name), 0)
            + coalesce(octet_length(r.fallback), 0) + coalesce(octet_length(r.value), 0) AS size
    FROM @.question_record r WHERE r.task_id = $1::uuid AND $2::text IS NULL AND r.ordinal > $3
    ORDER BY r.ordinal LIMIT $4 + 1"
);

const STEP_VALUE: &str = "SELECT value FROM @.step
    WHERE task_no = (SELECT task_no FROM @.task WHERE task_id = $1::uuid) AND ordinal = $2";

/// The clock is read once, before the index is.
const LONG_STUCK_TASKS: &str = "FROM (
        SELECT s.task_no, s.stuck_since FROM @.durable s JOIN @.task t ON t.task_no = s.task_no
        WHERE s.stuck_since IS NOT NULL AND s.stuck_since <= (SELECT @.micros() - $1) AND t.state = 'stuck'
            AND NOT EXISTS (SELECT FROM @.paused p WHERE p.app_id = t.app_id AND p.task_name = t.task_name)
            AND NOT EXISTS (
                SELECT FROM @.node_task k JOIN @.node n ON n.node_id = k.node_id
                WHERE k.app_id = t.app_id AND k.task_name = t.task_name AND k.program <> t.refused_program
                    AND n.lease_until IS NOT NULL)
        ORDER BY s.stuck_since, s.task_no LIMIT $2
    ) AS d JOIN @.task_record r ON r.task_no = d.task_no
    WHERE r.state = 'stuck' ORDER BY d.stuck_since, d.task_no";

/// Tasks that were asked to cancel and that no process holds.
const CANCELLED_TASKS: &str = "FROM (
        SELECT t.task_no, t.cancel_requested_at FROM @.task t
        WHERE t.cancel_requested_at IS NOT NULL AND t.state IN ('queued', 'waiting', 'stuck')
            AND @.is_replied(t.call_id)
        ORDER BY t.cancel_requested_at, t.task_no LIMIT $1
    ) AS c JOIN @.task_record r ON r.task_no = c.task_no ORDER BY c.cancel_requested_at, c.task_no";

/// How many tasks are stuck, up to a limit; how long the first of the others has been ready; and how many effects are
/// unknown of up to as many tasks. It finds the first task of each name and last refusal by a look into the index.
const BACKLOG: &str = "WITH RECURSIVE first_of_group AS (
        (SELECT app_id, task_name, refused_program, ready_at FROM @.task
            WHERE ready_at IS NOT NULL AND state <> 'stuck'
            ORDER BY app_id, task_name, refused_program, ready_at LIMIT 1)
        UNION ALL
        SELECT n.* FROM first_of_group f CROSS JOIN LATERAL (
            SELECT t.app_id, t.task_name, t.refused_program, t.ready_at FROM @.task t
            WHERE t.ready_at IS NOT NULL AND t.state <> 'stuck'
                AND (t.app_id, t.task_name, t.refused_program) > (f.app_id, f.task_name, f.refused_program)
            ORDER BY t.app_id, t.task_name, t.refused_program, t.ready_at LIMIT 1) AS n
    )
    SELECT (SELECT count(*) FROM (SELECT FROM @.durable WHERE stuck_since IS NOT NULL LIMIT $1) AS s),
        @.micros() - (SELECT min(ready_at) FROM first_of_group),
        (SELECT coalesce(sum(least(open_effects, 65535)), 0)::bigint FROM (
            SELECT open_effects FROM @.task
            WHERE open_effects > 0 AND state IN ('queued', 'waiting', 'stuck') LIMIT $1) AS u)";

pub(in crate::ledger::postgres) async fn steps(
    store: &Store,
    task_id: TaskId,
    after: u16,
    limit: PageLimit,
) -> Result<Page<StoredStep>, LedgerError> {
    let (id, nobody) = (task_id.to_string(), None::<String>);
    let read = |row: &Row| Ok(decode::step(row, store.unreadable()));
    paged(store, STEPS, &[text(&id), text(&nobody)], after.into(), limit, read).await
}

pub(in crate::ledger::postgres) async fn questions_after(
    store: &Store,
    task_id: TaskId,
    after: u16,
    limit: PageLimit,
) -> Result<Page<Question>, LedgerError> {
    let (id, nobody) = (task_id.to_string(), None::<String>);
    let read = |row: &Row| Ok(decode::question(row, store.unreadable()));
    paged(store, QUESTIONS_AFTER, &[text(&id), text(&nobody)], after.into(), limit, read).await
}

pub(in crate::ledger::postgres) async fn step_value(
    store: &Store,
    task_id: TaskId,
    ordinal: u16,
) -> Result<Option<String>, LedgerError> {
    let (id, ordinal) = (task_id.to_string(), i64::from(ordinal));
    let rows = store.repeatable(STEP_VALUE, &[text(&id), int(&ordinal)]).await?;
    Ok(rows.first().map(|row| get(row, 0)).transpose()?.flatten())
}

/// The attempts that ended without an outcome, and the latest one if it has another end.
const ATTEMPTS: &str = "SELECT a.number, n.node, a.program, a.began_at, a.ended_at, a.ended_by, a.notes
    FROM @.attempt a LEFT JOIN @.node n ON n.node_id = a.node_id
    WHERE a.task_no = (SELECT task_no FROM @.task WHERE task_id = $1::uuid)
    UNION ALL
    SELECT t.attempt, n.node, d.program, d.claimed_at, t.finished_at,
        CASE WHEN t.finished_at IS NOT NULL THEN 'outcome' END, d.notes
    FROM @.task t JOIN @.durable d ON d.task_no = t.task_no JOIN @.node n ON n.node_id = t.node_id
    WHERE t.task_id = $1::uuid AND d.claimed_at IS NOT NULL
    ORDER BY 1 LIMIT 300";

pub(in crate::ledger::postgres) async fn attempts(
    store: &Store,
    task_id: TaskId,
) -> Result<Vec<TaskAttempt>, LedgerError> {
    all(store, ATTEMPTS, &[text(&task_id.to_string())], |row| decode::attempt(row, task_id, store.unreadable())).await
}

const DURABLE: &str = "SELECT t.task_name, d.input, d.program, d.root_task::text AS root_task
    FROM @.task t JOIN @.durable d ON d.task_no = t.task_no WHERE t.task_id = $1::uuid";

pub(in crate::ledger::postgres) async fn durable(
    store: &Store,
    task_id: TaskId,
) -> Result<Option<StoredDurable>, LedgerError> {
    let read = |row: &Row| decode::durable(row, task_id, store.unreadable());
    Ok(all(store, DURABLE, &[text(&task_id.to_string())], read).await?.pop())
}

/// The first ready time of each name, and of each queue of an extension, is two looks into the index: suspects are apart.
const FIRST_READY: &str = "SELECT min(c.ready_at) - @.micros() FROM (
        SELECT i.ready_at FROM unnest($1, $2) AS n (app_id, task_name)
        CROSS JOIN (VALUES (false), (true)) AS k (suspect) CROSS JOIN LATERAL (
            SELECT t.ready_at FROM @.task t
            WHERE t.app_id = n.app_id AND t.task_name = n.task_name AND t.suspect = k.suspect
                AND t.ready_at IS NOT NULL AND t.queue IS NULL
            ORDER BY t.ready_at LIMIT 1
        ) AS i
        WHERE NOT EXISTS (SELECT FROM @.paused p WHERE p.app_id = n.app_id AND p.task_name = n.task_name)
        UNION ALL
        SELECT i.ready_at FROM @.queue q CROSS JOIN (VALUES (false), (true)) AS k (suspect) CROSS JOIN LATERAL (
            SELECT t.ready_at FROM @.task t
            WHERE t.app_id = q.app_id AND t.queue = q.queue AND t.suspect = k.suspect AND t.ready_at IS NOT NULL
            ORDER BY t.ready_at LIMIT 1
        ) AS i
        WHERE q.app_id = ANY ($1)
    ) AS c";

pub(in crate::ledger::postgres) async fn next_ready_in(
    store: &Store,
    apps: &[Cow<'_, str>],
    names: &[Cow<'_, str>],
) -> Result<Option<Duration>, LedgerError> {
    let rows = store.repeatable(FIRST_READY, &[texts(&apps), texts(&names)]).await?;
    let left: Option<i64> = rows.first().map(|row| get(row, 0)).transpose()?.flatten();
    Ok(left.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or_default())))
}

pub(in crate::ledger::postgres) async fn long_stuck(
    store: &Store,
    stuck_for: Duration,
    limit: u32,
) -> Result<Vec<TaskRecord>, LedgerError> {
    let (sql, age, limit) =
        (format!("SELECT {RECORD_COLUMNS} {LONG_STUCK_TASKS}"), micros(stuck_for), i64::from(limit));
    all(store, &sql, &[int(&age), int(&limit)], |row| decode::record(row, store.unreadable())).await
}

pub(in crate::ledger::postgres) async fn cancelled_tasks(
    store: &Store,
    limit: u32,
) -> Result<Vec<TaskRecord>, LedgerError> {
    let (sql, limit) = (format!("SELECT {RECORD_COLUMNS} {CANCELLED_TASKS}"), i64::from(limit));
    all(store, &sql, &[int(&limit)], |row| decode::record(row, store.unreadable())).await
}

pub(in crate::ledger::postgres) async fn backlog(store: &Store) -> Result<Backlog, LedgerError> {
    let rows = store.repeatable(BACKLOG, &[int(&i64::from(Backlog::MOST_STUCK))]).await?;
    let Some(row) = rows.first() else { return Ok(Backlog::default()) };
    let (stuck, age, unknown): (i64, Option<i64>, i64) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
    let age = age.and_then(|age| u64::try_from(age).ok()).map(Duration::from_micros);
    let backlog = Backlog::new(u64::try_from(stuck).unwrap_or_default(), age);
    Ok(backlog.unknown_effects(u64::try_from(unknown).unwrap_or_default()))
}
