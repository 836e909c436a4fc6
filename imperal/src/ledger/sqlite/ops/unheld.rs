//! Durable tasks that no process takes: marked as stuck, announced to their users, listed.
//!
//! A mark goes through the groups of tasks with one name and one last refusal. It reads one row of each group and skips
//! those that a current incarnation can take, so tasks that wait for their time or for a busy node cost it nothing.

use std::time::Duration;

use rusqlite::params;

use super::Tx;
use super::incarnations::micros;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, select_task};
use crate::ledger::{DurableProgram, Incarnation, TaskRecord};

/// Tasks that one call marks or announces.
const MOST: u32 = 32;

/// The first task of each group: of one name and one last refusal, and not stuck. A group is found by a look into the
/// index.
macro_rules! first_of_group {
    ($rest:literal) => {
        concat!(
            "WITH RECURSIVE first_of_group (task_no) AS (
            SELECT (SELECT task_no FROM durable INDEXED BY durable_untaken
                    WHERE ready_at IS NOT NULL AND stuck_since IS NULL ORDER BY app_id, task_name, refused_by LIMIT 1)
            UNION ALL
            SELECT coalesce(
                (SELECT d.task_no FROM durable d INDEXED BY durable_untaken
                    WHERE d.ready_at IS NOT NULL AND d.stuck_since IS NULL
                        AND d.app_id = b.app_id AND d.task_name = b.task_name AND d.refused_by > b.refused_by
                    ORDER BY d.refused_by LIMIT 1),
                (SELECT d.task_no FROM durable d INDEXED BY durable_untaken
                    WHERE d.ready_at IS NOT NULL AND d.stuck_since IS NULL
                        AND d.app_id = b.app_id AND d.task_name > b.task_name
                    ORDER BY d.task_name, d.refused_by LIMIT 1),
                (SELECT d.task_no FROM durable d INDEXED BY durable_untaken
                    WHERE d.ready_at IS NOT NULL AND d.stuck_since IS NULL AND d.app_id > b.app_id
                    ORDER BY d.app_id, d.task_name, d.refused_by LIMIT 1))
            FROM first_of_group f CROSS JOIN durable b ON b.task_no = f.task_no
        )
        ",
            $rest
        )
    };
}

/// Tasks that have been ready for some time and that no current incarnation can take.
pub(in crate::ledger::sqlite) const UNCLAIMED_TASKS: &str = first_of_group!(
    "SELECT t.task_no, t.owner_id FROM first_of_group f CROSS JOIN durable g ON g.task_no = f.task_no
    CROSS JOIN durable d INDEXED BY durable_untaken ON d.app_id = g.app_id AND d.task_name = g.task_name
        AND d.refused_by = g.refused_by AND d.ready_at IS NOT NULL AND d.stuck_since IS NULL AND d.ready_at <= ?1
    CROSS JOIN task t ON t.task_no = d.task_no CROSS JOIN owner w ON w.owner_id = t.owner_id
    WHERE NOT EXISTS (
            SELECT 1 FROM node_task k CROSS JOIN node n ON n.node = k.node
            WHERE k.app_id = g.app_id AND k.task_name = g.task_name AND k.program <> g.refused_by
                AND n.lease_until IS NOT NULL)
        AND t.state IN ('queued', 'waiting', 'stuck') LIMIT ?2"
);

/// How many tasks are stuck, up to a limit; when the first of the others became ready; and how many effects are unknown
/// of up to as many tasks.
pub(in crate::ledger::sqlite) const BACKLOG: &str = first_of_group!(
    "SELECT (SELECT count(*) FROM (
            SELECT 1 FROM durable INDEXED BY durable_stuck WHERE stuck_since IS NOT NULL LIMIT ?1)),
        (SELECT min((
            SELECT min(d.ready_at) FROM durable d INDEXED BY durable_untaken
            WHERE d.app_id = g.app_id AND d.task_name = g.task_name AND d.refused_by = g.refused_by
                AND d.ready_at IS NOT NULL AND d.stuck_since IS NULL))
        FROM first_of_group f CROSS JOIN durable g ON g.task_no = f.task_no),
        (SELECT coalesce(sum(min(open_effects, 65535)), 0) FROM (
            SELECT open_effects FROM task INDEXED BY task_unknown
            WHERE open_effects > 0 AND state IN ('queued', 'waiting', 'stuck') LIMIT ?1))"
);

/// Tasks that the end of an incarnation has queued without an event.
pub(in crate::ledger::sqlite) const UNTOLD_TASKS: &str =
    "SELECT t.task_no, t.owner_id, t.state = 'queued' FROM task t INDEXED BY task_untold
    CROSS JOIN owner w ON w.owner_id = t.owner_id
    WHERE t.untold_since IS NOT NULL AND t.untold_since <= ?1 ORDER BY t.untold_since LIMIT ?2";

pub(in crate::ledger::sqlite) const LONG_STUCK_TASKS: &str = select_task!(
    list "WHERE t.task_no IN (SELECT task_no FROM durable INDEXED BY durable_stuck
            WHERE stuck_since IS NOT NULL AND stuck_since <= ?1
                AND NOT EXISTS (
                    SELECT 1 FROM paused p WHERE p.app_id = durable.app_id AND p.task_name = durable.task_name)
                AND NOT EXISTS (
                    SELECT 1 FROM node_task k CROSS JOIN node n ON n.node = k.node
                    WHERE k.app_id = durable.app_id AND k.task_name = durable.task_name
                        AND k.program <> durable.refused_by AND n.lease_until IS NOT NULL)
            ORDER BY stuck_since LIMIT ?2)
        AND t.state = 'stuck' ORDER BY (SELECT stuck_since FROM durable d WHERE d.task_no = t.task_no)"
);

/// Tasks that were asked to cancel and that no process holds.
pub(in crate::ledger::sqlite) const CANCELLED_TASKS: &str = select_task!(
    list "WHERE t.task_no IN (SELECT task_no FROM task INDEXED BY task_cancelled
            WHERE cancel_requested_at IS NOT NULL AND state IN ('queued', 'waiting', 'stuck')
                AND NOT EXISTS (
                    SELECT 1 FROM call c WHERE c.call_id = task.call_id AND c.state <> 'replied'
                        AND (c.state IN ('open', 'left') OR c.reply_seq IS NULL))
            ORDER BY cancel_requested_at LIMIT ?1)
        ORDER BY t.cancel_requested_at, t.task_no"
);

impl Tx<'_> {
    pub(in crate::ledger::sqlite) fn register_program(
        &self,
        incarnation: &Incarnation,
        program: &DurableProgram,
    ) -> Result<(), Fault> {
        self.fence(incarnation)?;
        self.forget_program(incarnation)?;
        let sql = "INSERT INTO node_task (app_id, task_name, node, program) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT DO NOTHING";
        for name in &program.names {
            execute(self.conn, sql, params![name.app_id, name.task_name, &*incarnation.node, program.version])?;
        }
        Ok(())
    }

    pub(super) fn forget_program(&self, incarnation: &Incarnation) -> Result<(), Fault> {
        execute(self.conn, "DELETE FROM node_task WHERE node = ?1", [&*incarnation.node])?;
        Ok(())
    }

    pub(in crate::ledger::sqlite) fn mark_stuck(
        &mut self,
        incarnation: &Incarnation,
        untaken_for: Duration,
    ) -> Result<u64, Fault> {
        self.fence(incarnation)?;
        let now = self.now.as_microsecond();
        let params = params![now.saturating_sub(micros(untaken_for)), MOST];
        let untaken =
            all(self.conn, UNCLAIMED_TASKS, params, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        for (number, owner_id) in &untaken {
            let sql = "UPDATE task SET state = 'stuck', waits_for = 'version', untold_since = NULL WHERE task_no = ?1";
            execute(self.conn, sql, [number])?;
            let sql = "UPDATE durable SET stuck_since = coalesce(refused_since, ?2) WHERE task_no = ?1";
            execute(self.conn, sql, [*number, now])?;
            self.add_state_event(*number, *owner_id)?;
        }
        Ok(untaken.len() as u64)
    }

    pub(in crate::ledger::sqlite) fn announce_queued(
        &mut self,
        incarnation: &Incarnation,
        queued_for: Duration,
    ) -> Result<u64, Fault> {
        self.fence(incarnation)?;
        let params = params![self.now.as_microsecond().saturating_sub(micros(queued_for)), MOST];
        let untold = all(self.conn, UNTOLD_TASKS, params, |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?))
        })?;
        let mut told = 0;
        for (number, owner_id, is_queued) in untold {
            execute(self.conn, "UPDATE task SET untold_since = NULL WHERE task_no = ?1", [number])?;
            if is_queued {
                self.add_state_event(number, owner_id)?;
                told += 1;
            }
        }
        Ok(told)
    }

    /// Writes an event with the task as it is now, and returns the task.
    pub(super) fn add_state_event(&mut self, number: i64, owner_id: i64) -> Result<TaskRecord, Fault> {
        let record = self.task_record(number)?;
        let seq = self.take_numbers(owner_id, 1, 0)?;
        self.add_task_event(owner_id, seq, &record.task, None)?;
        Ok(record)
    }
}
