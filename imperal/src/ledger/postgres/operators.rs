//! The ledger for operators.

use super::PostgresLedger;
use super::pool::{flag, int, text, texts};
use super::rows::{RECORD_COLUMNS, audit, get};
use super::stored_text::{original, stored};
use super::writes::one;
use crate::ids::TaskId;
use crate::ledger::contract::{LedgerResult, Operators};
use crate::ledger::decode::{Cell, Columns};
use crate::ledger::{DurableName, NewAudit, OpenTask, PausedTask, Task, TaskPlace, TaskRecord, decode};

/// Open tasks after a place, without results.
const OPEN_WORK: &str = "t.task_name AS of_name,
        CASE WHEN @.has_progressed(t.task_no, t.attempt) THEN 0 ELSE d.crashes END AS crashes FROM (
        SELECT t.task_no, t.task_id, t.owner_id, t.task_name, t.attempt FROM @.task t
        WHERE t.finished_at IS NULL AND (t.owner_id, t.task_no) > ($1, $2) ORDER BY t.owner_id, t.task_no LIMIT $3
    ) AS t JOIN @.task_record r ON r.task_id = t.task_id LEFT JOIN @.durable d ON d.task_no = t.task_no
    ORDER BY t.owner_id, t.task_no";

impl Operators for PostgresLedger {
    async fn open_work(&self, after: TaskPlace, limit: u32) -> LedgerResult<Vec<OpenTask>> {
        let columns = RECORD_COLUMNS.replace("r.body", "NULL::text");
        let sql = format!("SELECT {columns}, {OPEN_WORK}");
        let (owner, number, limit) = (after.owner(), after.number(), i64::from(limit));
        let rows = self.store.repeatable(&sql, &[int(&owner), int(&number), int(&limit)]).await?;
        let mut open = Vec::with_capacity(rows.len());
        for row in &rows {
            let record = decode::record(row, self.store.unreadable());
            let name = match row.cell("of_name") {
                Cell::Text(name) => Some(original(name).map_or_else(|_| name.to_owned(), std::borrow::Cow::into_owned)),
                _ => None,
            };
            let crashes = match row.cell("crashes") {
                Cell::Int(crashes) => u32::try_from(crashes).unwrap_or_default(),
                _ => 0,
            };
            let record = TaskRecord { task: Task { result: None, ..record.task }, ..record };
            open.push(OpenTask::new(TaskPlace::new(get(row, 20)?, get(row, 0)?), record, name, crashes));
        }
        Ok(open)
    }

    async fn retry_task(&self, task_id: TaskId, row: NewAudit) -> LedgerResult<TaskRecord> {
        let columns = RECORD_COLUMNS.replace("r.", "(r.task).");
        let sql = format!("SELECT {columns}, r.changed FROM @.retry_task($1::uuid, $2) AS r");
        let (id, said) = (task_id.to_string(), audit(&row));
        let _permit = self.permits.acquire_for_audit(&row).await?;
        // Running twice changes it once.
        let row = one(self.counted(self.store.repeatable(&sql, &[text(&id), texts(&said)])).await?)?;
        let record = decode::record(&row, self.store.unreadable());
        self.has_events(&row, &record.owner)?;
        if get(&row, row.len() - 1)? {
            self.notifier.task_is_ready();
        }
        Ok(record)
    }

    async fn set_paused(&self, name: DurableName, paused: bool, row: NewAudit) -> LedgerResult<bool> {
        let (app, task, said) = (stored(&name.app_id), stored(&name.task_name), audit(&row));
        let _permit = self.permits.acquire_for_audit(&row).await?;
        let params = [text(&app), text(&task), flag(&paused), texts(&said)];
        let changed = get(&self.one("SELECT @.set_paused($1, $2, $3, $4)", &params).await?, 0)?;
        if changed && !paused {
            self.notifier.task_is_ready();
        }
        Ok(changed)
    }

    async fn paused_tasks(&self) -> LedgerResult<Vec<PausedTask>> {
        let sql = "SELECT app_id, task_name, since, paused_by FROM @.paused ORDER BY app_id, task_name";
        let rows = self.store.repeatable(sql, &[]).await?;
        Ok(rows.iter().map(|row| decode::paused_task(row, self.store.unreadable())).collect())
    }
}
