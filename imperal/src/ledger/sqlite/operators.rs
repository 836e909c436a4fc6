//! The ledger for operators.

use super::SqliteLedger;
use super::fault::Fault;
use super::job::Weight;
use super::ops::{TASK_BY_NUMBER, crashes};
use super::readers::Reading;
use super::rows::{all, one, open_states, record};
use crate::ids::TaskId;
use crate::ledger::contract::{LedgerResult, Operators};
use crate::ledger::{DurableName, NewAudit, OpenTask, PausedTask, Task, TaskPlace, TaskRecord, decode};

/// The places of open tasks after a place.
pub(super) const OPEN_WORK: &str = concat!(
    "SELECT owner_id, task_no FROM task INDEXED BY task_open_of WHERE state IN ",
    open_states!(),
    " AND owner_id >= ?1 AND (owner_id > ?1 OR task_no > ?2) ORDER BY owner_id, task_no LIMIT ?3"
);

/// The name, and the attempts in a row that crashed their processes.
const DURABLE_PART: &str = concat!(
    "SELECT d.task_name, ",
    crashes!(),
    " FROM durable d JOIN task t ON t.task_no = d.task_no WHERE d.task_no = ?1"
);

const PAUSED: &str = "SELECT app_id, task_name, since, paused_by FROM paused ORDER BY app_id, task_name";

impl Operators for SqliteLedger {
    async fn open_work(&self, after: TaskPlace, limit: u32) -> LedgerResult<Vec<OpenTask>> {
        self.readers.read(move |reading| open_work(reading, after, limit)).await
    }

    async fn retry_task(&self, task_id: TaskId, audit: NewAudit) -> LedgerResult<TaskRecord> {
        self.writer.write(Weight::Durable, move |tx| tx.retry_task(task_id, &audit)).await
    }

    async fn set_paused(&self, name: DurableName, paused: bool, audit: NewAudit) -> LedgerResult<bool> {
        self.writer.write(Weight::Durable, move |tx| tx.set_paused(&name, paused, &audit)).await
    }

    async fn paused_tasks(&self) -> LedgerResult<Vec<PausedTask>> {
        self.readers
            .read(|reading| all(reading.conn, PAUSED, (), |row| Ok(decode::paused_task(row, reading.unreadable))))
            .await
    }
}

fn open_work(reading: &Reading<'_>, after: TaskPlace, limit: u32) -> Result<Vec<OpenTask>, Fault> {
    let params = rusqlite::params![after.owner(), after.number(), limit];
    let places = all(reading.conn, OPEN_WORK, params, |row| Ok(TaskPlace::new(row.get(0)?, row.get(1)?)))?;
    let mut open = Vec::with_capacity(places.len());
    for place in places {
        reading.go_on()?;
        let read = |row: &rusqlite::Row<'_>| Ok(record(row, reading.unreadable));
        // A task that has gone since is left out.
        let Some(record) = one(reading.conn, TASK_BY_NUMBER, [place.number()], read)? else { continue };
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
        let durable = one(reading.conn, DURABLE_PART, [place.number()], read)?;
        let crashes = durable.as_ref().map_or(0, |(_, crashes)| u32::try_from(*crashes).unwrap_or_default());
        let record = TaskRecord { task: Task { result: None, ..record.task }, ..record };
        open.push(OpenTask::new(place, record, durable.map(|(name, _)| name), crashes));
    }
    Ok(open)
}
