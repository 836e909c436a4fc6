//! Reads the ledger's rows from its SQLite file, without the platform.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value;

use super::contents::{
    AWAKE, AuditRow, CallRow, Contents, FileRow, ScheduleRow, TaskEventRow, TaskRow, TurnRow, by_task, file_totals,
    followed, totals,
};

impl Contents {
    /// Reads a file, which must pass SQLite's own check.
    pub(crate) fn of_file(path: &Path) -> Self {
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("the file opens");
        conn.busy_timeout(std::time::Duration::from_secs(5)).expect("a timeout can be set");
        let look = conn.unchecked_transaction().expect("the file can be read");
        let sound: String = look.query_row("PRAGMA quick_check", (), |row| row.get(0)).expect("it can be checked");
        assert_eq!(sound, "ok", "the file is damaged");
        let owners = rows(&look, "SELECT owner_id, tenant_id, user_id, head FROM owner", |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?, number(row, 3)?)))
        });
        Self {
            owners: owners.into_iter().collect(),
            turns: rows(&look, "SELECT owner_id, seq, turn_id, body FROM turn ORDER BY owner_id, seq", |row| {
                Ok(TurnRow { owner: row.get(0)?, seq: number(row, 1)?, turn_id: row.get(2)?, body: json(row, 3)? })
            }),
            calls: rows(&look, "SELECT owner_id, call_id, state FROM call", |row| {
                Ok(CallRow { owner: row.get(0)?, call_id: row.get(1)?, state: row.get(2)? })
            }),
            tasks: rows(
                &look,
                "SELECT owner_id, task_id, call_id, state, cancel_requested_at, outcome_seq, durable, name, follows
                 FROM task",
                |row| {
                    Ok(TaskRow {
                        owner: row.get(0)?,
                        task_id: row.get(1)?,
                        call_id: row.get(2)?,
                        state: row.get(3)?,
                        asked_to_stop: row.get::<_, Option<i64>>(4)?.is_some(),
                        outcome_seq: row.get::<_, Option<i64>>(5)?.map(i64::unsigned_abs),
                        durable: row.get(6)?,
                        name: row.get(7)?,
                        follows: followed(row.get::<_, Option<String>>(8)?.as_deref()),
                    })
                },
            ),
            task_events: rows(&look, "SELECT owner_id, seq, body FROM task_event ORDER BY owner_id, seq", |row| {
                Ok(TaskEventRow { owner: row.get(0)?, seq: number(row, 1)?, body: json(row, 2)? })
            }),
            audit: rows(
                &look,
                "SELECT owner_id, action, target, outcome, detail FROM audit ORDER BY audit_id",
                |row| {
                    Ok(AuditRow {
                        owner: row.get(0)?,
                        action: row.get(1)?,
                        target: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                        outcome: row.get(3)?,
                        detail: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
                    })
                },
            ),
            effects: by_task(rows(
                &look,
                "SELECT t.task_id, s.kind FROM step s JOIN task t ON t.task_no = s.step_id >> 16
                 WHERE s.kind IN ('intent', 'effect', 'not_done') ORDER BY s.step_id",
                |row| Ok((row.get(0)?, row.get(1)?)),
            )),
            steps: rows(
                &look,
                "SELECT t.task_id, s.name FROM step s JOIN task t ON t.task_no = s.step_id >> 16 WHERE s.kind = 'step'",
                |row| Ok((row.get(0)?, row.get(1)?)),
            ),
            documents: rows(
                &look,
                "SELECT s.owner_id, d.id FROM shelf s JOIN collection c ON c.shelf_no = s.shelf_no
                 JOIN document d ON d.collection_no = c.collection_no",
                |row| Ok((row.get(0)?, row.get(1)?)),
            ),
            totals: rows(&look, &totals(""), |row| Ok((row.get(0)?, row.get(1)?))),
            files: rows(&look, "SELECT owner_id, file_id, name, state FROM file", |row| {
                Ok(FileRow { owner: row.get(0)?, file_id: row.get(1)?, name: row.get(2)?, state: row.get(3)? })
            }),
            file_totals: rows(&look, &file_totals(""), |row| Ok((row.get(0)?, row.get(1)?))),
            schedules: rows(
                &look,
                &format!("SELECT owner_id, schedule_id, {AWAKE} FROM schedule WHERE job IS NULL"),
                |row| {
                    let (is_awake, is_for_later) = (row.get(2)?, row.get(3)?);
                    Ok(ScheduleRow { owner: row.get(0)?, schedule_id: row.get(1)?, is_awake, is_for_later })
                },
            ),
        }
    }
}

fn rows<T>(conn: &Connection, sql: &str, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
    let mut statement = conn.prepare(sql).expect("the schema is as it was");
    let rows = statement.query_map((), read).expect("the file can be read");
    rows.collect::<Result<_, _>>().expect("every row can be read")
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.unsigned_abs())
}

fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Value> {
    let text: String = row.get(column)?;
    Ok(serde_json::from_str(&text).expect("stored JSON is JSON"))
}
