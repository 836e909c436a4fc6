//! Queues of durable tasks: places and loads.

use tokio_postgres::Row;

use super::PostgresLedger;
use super::pool::{int, text};
use super::rows::get;
use super::stored_text::stored;
use crate::ids::TaskId;
use crate::ledger::contract::{LedgerResult, Queues};
use crate::ledger::rounds::{WaitingOwner, places};
use crate::ledger::{LedgerError, Owner, QueueLoad, QueuePlace, decode};

/// The owners that wait in the queues in which an owner waits, and in that owner's row the ids of its tasks. Only that
/// row has them: a queue may have very many owners, and an owner very many tasks.
const WAITING: &str = "WITH me AS MATERIALIZED (SELECT @.find_owner($1, $2) AS owner_id, @.micros() AS now),
    own AS MATERIALIZED (
        SELECT t.app_id, t.queue, array_agg(t.task_id::text ORDER BY t.ready_at, t.task_no) AS ids
        FROM me JOIN @.task t ON t.owner_id = me.owner_id
        WHERE t.finished_at IS NULL AND t.queue IS NOT NULL AND t.ready_at <= me.now
            AND NOT t.suspect AND t.state <> 'stuck' AND NOT EXISTS (
                SELECT FROM @.paused p WHERE p.app_id = t.app_id AND p.task_name = t.task_name)
        GROUP BY t.app_id, t.queue
    ),
    waiting AS (
        SELECT t.app_id, t.queue, t.owner_id, min(t.ready_at) AS first_ready_at, count(*) AS ready
        FROM own o JOIN @.task t ON t.app_id = o.app_id AND t.queue = o.queue AND t.queue IS NOT NULL
        WHERE NOT t.suspect AND t.ready_at <= (SELECT me.now FROM me) AND t.state <> 'stuck' AND NOT EXISTS (
                SELECT FROM @.paused p WHERE p.app_id = t.app_id AND p.task_name = t.task_name)
        GROUP BY t.app_id, t.queue, t.owner_id
    )
    SELECT w.owner_id, coalesce(s.served, 0), w.first_ready_at, w.ready, w.app_id, w.queue,
        CASE WHEN w.owner_id = me.owner_id THEN
            (SELECT o.ids FROM own o WHERE o.app_id = w.app_id AND o.queue = w.queue) END
    FROM waiting w CROSS JOIN me
    LEFT JOIN @.queue_owner s ON s.app_id = w.app_id AND s.queue = w.queue AND s.owner_id = w.owner_id
    ORDER BY w.app_id, w.queue";

/// In the order of an index, so that a longer queue than `$1` costs no more.
const QUEUE_LOADS: &str = "SELECT q.app_id, q.queue, @.taken_slots(q.app_id, q.queue) AS running, l.*
    FROM @.queue q CROSS JOIN LATERAL (
        SELECT count(*) AS ready, min(f.ready_at) AS oldest_ready_at FROM (
            SELECT t.ready_at FROM @.task t
            WHERE t.app_id = q.app_id AND t.queue = q.queue AND NOT t.suspect AND t.ready_at <= (SELECT @.micros())
                AND t.state <> 'stuck' AND NOT EXISTS (
                    SELECT FROM @.paused p WHERE p.app_id = t.app_id AND p.task_name = t.task_name)
            ORDER BY t.ready_at LIMIT $1) AS f
    ) AS l ORDER BY q.app_id, q.queue";

impl Queues for PostgresLedger {
    async fn queue_places(&self, owner: &Owner) -> LedgerResult<Vec<QueuePlace>> {
        let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
        let rows = self.store.repeatable(WAITING, &[text(&tenant), text(&user)]).await?;
        let mut found = Vec::new();
        let queue = |row: &Row| Ok::<_, LedgerError>((get::<String>(row, 4)?, get::<String>(row, 5)?));
        let mut from = 0;
        while let Some(first) = rows.get(from) {
            let name = queue(first)?;
            let mut to = from;
            let (mut waiting, mut own) = (Vec::new(), None);
            while let Some(row) = rows.get(to).filter(|row| queue(row).as_ref() == Ok(&name)) {
                let ready: i64 = get(row, 3)?;
                waiting.push(WaitingOwner {
                    owner: get::<i64>(row, 0)?,
                    served: get(row, 1)?,
                    first_ready_at: get(row, 2)?,
                    ready: u64::try_from(ready).unwrap_or_default(),
                });
                if let Some(ids) = get::<Option<Vec<&str>>>(row, 6)? {
                    own = Some((get::<i64>(row, 0)?, ids));
                }
                to += 1;
            }
            if let Some((own, ids)) = own {
                let ids = ids.into_iter().filter_map(|id| id.parse::<TaskId>().ok());
                let places = places(&waiting, &own);
                found.extend(ids.zip(places).map(|(task_id, before)| QueuePlace::new(task_id, before)));
            }
            from = to;
        }
        Ok(found)
    }

    async fn queue_loads(&self) -> LedgerResult<Vec<QueueLoad>> {
        let rows = self.store.repeatable(QUEUE_LOADS, &[int(&i64::from(QueueLoad::MOST_READY))]).await?;
        Ok(rows.iter().map(|row| decode::queue_load(row, self.store.unreadable())).collect())
    }
}
