//! Queues of durable tasks: places and loads.

use rusqlite::params;

use super::SqliteLedger;
use super::fault::Fault;
use super::ops::{WAITING_OWNERS, waiting_owner, waits_for_slot};
use super::readers::Reading;
use super::rows::{all, one};
use crate::ledger::contract::{LedgerResult, Queues};
use crate::ledger::rounds::{WaitingOwner, places};
use crate::ledger::{Owner, QueueLoad, QueuePlace, decode};

/// An owner's ready tasks in queues, in their order.
pub(super) const OWN_QUEUED: &str = concat!(
    "SELECT d.app_id, d.queue, t.task_no, t.task_id
    FROM task t INDEXED BY task_open_of CROSS JOIN durable d ON d.task_no = t.task_no
    WHERE t.owner_id = ?1 AND t.state IN ('running', 'queued', 'waiting', 'stuck') AND t.queue IS NOT NULL
        AND d.queue IS NOT NULL AND d.suspect = 0 AND d.ready_at <= ?2",
    waits_for_slot!(),
    " ORDER BY d.app_id, d.queue, d.ready_at, d.task_no"
);

/// The load of each queue. `?2` is the most ready tasks that are counted.
pub(super) const QUEUE_LOADS: &str = concat!(
    "SELECT q.app_id, q.queue,
        (SELECT count(*) FROM task t INDEXED BY task_slot
            WHERE t.app_id = q.app_id AND t.queue = q.queue AND t.state = 'running' AND t.abandoned = 0) AS running,
        (SELECT count(*) FROM (SELECT 1 FROM durable d INDEXED BY durable_queued_at
            WHERE d.app_id = q.app_id AND d.queue = q.queue AND d.suspect = 0 AND d.ready_at <= ?1",
    waits_for_slot!(),
    " LIMIT ?2)) AS ready,
        (SELECT d.ready_at FROM durable d INDEXED BY durable_queued_at
            WHERE d.app_id = q.app_id AND d.queue = q.queue AND d.suspect = 0 AND d.ready_at <= ?1",
    waits_for_slot!(),
    " ORDER BY d.ready_at LIMIT 1) AS oldest_ready_at
    FROM queue q ORDER BY q.app_id, q.queue"
);

impl Queues for SqliteLedger {
    async fn queue_places(&self, owner: &Owner) -> LedgerResult<Vec<QueuePlace>> {
        let (owner, now) = (owner.clone(), self.clock.now().as_microsecond());
        self.readers.read(move |reading| queue_places(reading, &owner, now)).await
    }

    async fn queue_loads(&self) -> LedgerResult<Vec<QueueLoad>> {
        let now = self.clock.now().as_microsecond();
        self.readers
            .read(move |reading| {
                let params = params![now, QueueLoad::MOST_READY];
                all(reading.conn, QUEUE_LOADS, params, |row| Ok(decode::queue_load(row, reading.unreadable)))
            })
            .await
    }
}

fn queue_places(reading: &Reading<'_>, owner: &Owner, now: i64) -> Result<Vec<QueuePlace>, Fault> {
    // One state of the ledger for all statements.
    let look = reading.conn.unchecked_transaction()?;
    let sql = "SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2";
    let found = one(&look, sql, params![&*owner.tenant_id, &*owner.user_id], |row| Ok(row.get(0)?))?;
    let Some(owner_id): Option<i64> = found else { return Ok(Vec::new()) };
    let own = all(&look, OWN_QUEUED, [owner_id, now], |row| {
        let task_id = decode::task_id(row, row.get("task_no")?, reading.unreadable);
        Ok(((row.get::<_, String>(0)?, row.get::<_, String>(1)?), task_id))
    })?;
    let mut found = Vec::with_capacity(own.len());
    for tasks in own.chunk_by(|(queue, _), (next, _)| queue == next) {
        let Some(((app_id, queue), _)) = tasks.first() else { continue };
        reading.go_on()?;
        let waiting = all(&look, WAITING_OWNERS, params![app_id, queue, now], waiting_owner)?;
        let waiting: Vec<WaitingOwner<i64>> = waiting.into_iter().flatten().map(|(owner, _)| owner).collect();
        let places = places(&waiting, &owner_id);
        found.extend(tasks.iter().zip(places).map(|((_, task_id), before)| QueuePlace::new(*task_id, before)));
    }
    look.finish()?;
    Ok(found)
}
