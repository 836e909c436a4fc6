//! The writes of operators to durable tasks: pause, resume, retry.

use rusqlite::{Connection, Row, params};

use super::{Notification, Tx};
use crate::ids::TaskId;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, one};
use crate::ledger::{DurableName, NewAudit, TaskRecord, rules};

/// The names that are paused: few.
const PAUSED_NAMES: &str = "SELECT app_id, task_name FROM paused";

/// The names that are not paused.
pub(in crate::ledger::sqlite) fn unpaused<'n>(
    conn: &Connection,
    names: &'n [DurableName],
) -> Result<impl Iterator<Item = &'n DurableName> + use<'n>, Fault> {
    let read = |row: &Row<'_>| Ok(DurableName { app_id: row.get(0)?, task_name: row.get(1)? });
    let paused = all(conn, PAUSED_NAMES, (), read)?;
    Ok(names.iter().filter(move |name| !paused.contains(name)))
}

/// The attempts in a row that crashed their processes, of a durable task `d` with its task `t`: progress ends a row. `?1`
/// is the task's number.
macro_rules! crashes {
    () => {
        "iif(t.attempt IS (
            SELECT attempt FROM step WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535
                AND kind IN ('step', 'effect') ORDER BY step_id DESC LIMIT 1), 0, d.crashes)"
    };
}
pub(in crate::ledger::sqlite) use crashes;

/// Whether a durable task is paused.
pub(in crate::ledger::sqlite) const IS_PAUSED: &str = "SELECT 1 FROM paused WHERE app_id = ?1 AND task_name = ?2";

impl Tx<'_> {
    pub(in crate::ledger::sqlite) fn retry_task(
        &mut self,
        task_id: TaskId,
        audit: &NewAudit,
    ) -> Result<TaskRecord, Fault> {
        let task = self.task(task_id)?;
        let record = self.task_record(task.number)?;
        let sql = concat!(
            "SELECT ",
            crashes!(),
            ", t.waits_for = 'retry' FROM durable d JOIN task t ON t.task_no = d.task_no WHERE d.task_no = ?1"
        );
        let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<bool>>(1)?));
        let Some((crashes, is_retry)) = one(self.conn, sql, [task.number], read)? else { return Ok(record) };
        let waits_for = is_retry.unwrap_or_default().then_some(crate::ledger::WaitsFor::Retry);
        if !rules::can_retry(record.task.state, waits_for, u32::try_from(crashes).unwrap_or_default()) {
            return Ok(record);
        }
        let sql = "UPDATE task SET state = 'queued', waits_for = 'process', untold_since = NULL WHERE task_no = ?1";
        execute(self.conn, sql, [task.number])?;
        let sql = "UPDATE durable SET ready_at = ?2, crashes = 0, fruitless = 0, refused_by = '', refused_since = NULL,
            stuck_since = NULL WHERE task_no = ?1";
        execute(self.conn, sql, params![task.number, self.now.as_microsecond()])?;
        let record = self.add_state_event(task.number, task.owner_id)?;
        self.audit(audit)?;
        self.notifications.push(Notification::ReadyTask);
        Ok(record)
    }

    pub(in crate::ledger::sqlite) fn set_paused(
        &mut self,
        name: &DurableName,
        paused: bool,
        audit: &NewAudit,
    ) -> Result<bool, Fault> {
        let DurableName { app_id, task_name } = name;
        let changed = if paused {
            let sql = "INSERT INTO paused (app_id, task_name, since, paused_by) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT DO NOTHING";
            execute(self.conn, sql, params![app_id, task_name, self.now.as_microsecond(), audit.actor])?
        } else {
            execute(self.conn, "DELETE FROM paused WHERE app_id = ?1 AND task_name = ?2", [app_id, task_name])?
        };
        if changed == 0 {
            return Ok(false);
        }
        self.audit(audit)?;
        if !paused {
            self.notifications.push(Notification::ReadyTask);
        }
        Ok(true)
    }
}
