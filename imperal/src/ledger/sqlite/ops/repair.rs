//! Repair of damage that would block other work.
//!
//! When the writer first reads an owner, it compares the owner's numbers with the owner's rows. When an incarnation
//! begins, it looks for unsettled work that no ended incarnation could leave, because the work's state or holder was
//! damaged. Work without an owner cannot be settled and is put aside.

use rusqlite::{Row, params};

use super::Tx;
use super::durable::Lost;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, one};
use crate::ledger::unreadable::UnreadableRow;
use crate::ledger::{AttemptEnding, Owner};

/// How many numbers may be missing at the end of an owner's rows before the head counts as damaged.
const MISSING: i64 = 10_000;

/// The head, the floor, and the highest number of a row.
pub(in crate::ledger::sqlite) const OWNER_NUMBERS: &str = "SELECT w.head, w.pruned, max(
    coalesce((SELECT max(seq) FROM turn WHERE owner_id = w.owner_id), 0),
    coalesce((SELECT max(seq) FROM task_event WHERE owner_id = w.owner_id), 0))
    FROM owner w WHERE w.owner_id = ?1";

/// The number of rows after the floor, and the first and last number among them up to a limit.
const ROW_NUMBERS: &str = "SELECT count(*), min(seq), max(seq) FROM (
    SELECT seq FROM turn WHERE owner_id = ?1 UNION ALL SELECT seq FROM task_event WHERE owner_id = ?1)
    WHERE seq > ?2 AND seq <= ?3";

macro_rules! held_by_no_incarnation {
    ($before:literal, $table:literal, $after:literal) => {
        concat!(
            $before,
            " AND NOT EXISTS (SELECT 1 FROM node n WHERE n.node = ",
            $table,
            ".node AND n.incarnation = ",
            $table,
            ".incarnation AND n.lease_until IS NOT NULL) RETURNING ",
            $after
        )
    };
}

pub(in crate::ledger::sqlite) const LOST_CALLS: &str =
    held_by_no_incarnation!("UPDATE call SET state = 'left' WHERE state = 'open'", "call", "call_no");

pub(in crate::ledger::sqlite) const LOST_TASKS: &str = held_by_no_incarnation!(
    "UPDATE task SET abandoned = 1 WHERE state = 'running' AND abandoned <> 1",
    "task",
    "task_no"
);

/// Running durable tasks of no incarnation.
const LOST_DURABLE_TASKS: &str = "SELECT t.task_no, t.attempt FROM task t INDEXED BY task_held
    WHERE t.state = 'running' AND t.durable <> 0 AND t.abandoned = 0 AND NOT EXISTS (SELECT 1 FROM node n
        WHERE n.node = t.node AND n.incarnation = t.incarnation AND n.lease_until IS NOT NULL)";

/// Queued and stuck tasks whose durable part is missing. Recovery ends them.
pub(in crate::ledger::sqlite) const PARTIAL_TASKS: &str =
    "UPDATE task INDEXED BY task_unheld SET state = 'running', abandoned = 1, waits_for = NULL
    WHERE state IN ('queued', 'stuck') AND NOT EXISTS (SELECT 1 FROM durable d WHERE d.task_no = task.task_no)
    RETURNING task_no";

/// Queued and stuck tasks that would never be ready.
pub(in crate::ledger::sqlite) const DISPLACED_TASKS: &str = "UPDATE durable SET ready_at = ?1
    WHERE task_no IN (SELECT task_no FROM task INDEXED BY task_unheld WHERE state IN ('queued', 'stuck'))
    AND (ready_at IS NULL OR ready_at > ?1 + 86400000000) RETURNING task_no";

/// A call with a reply keeps its state: no caller waits for it.
pub(in crate::ledger::sqlite) const DAMAGED_CALLS: &str = held_by_no_incarnation!(
    "UPDATE call SET state = 'left' WHERE state NOT IN ('open', 'left', 'replied') AND reply_seq IS NULL",
    "call",
    "call_no"
);

/// The task loses its key, which another task may have taken.
pub(in crate::ledger::sqlite) const DAMAGED_TASKS: &str = held_by_no_incarnation!(
    "UPDATE task SET state = 'running', abandoned = 1, key = NULL
    WHERE state NOT IN
        ('running', 'queued', 'waiting', 'stuck', 'succeeded', 'failed', 'cancelled', 'timed_out', 'reclaimed')
    AND outcome_seq IS NULL",
    "task",
    "task_no"
);

/// Queues of ready tasks whose row is missing: a claim would not find them.
pub(in crate::ledger::sqlite) const LOST_QUEUES: &str = "INSERT INTO queue (app_id, queue)
    SELECT DISTINCT app_id, queue FROM durable INDEXED BY durable_queued
    WHERE ready_at IS NOT NULL AND queue IS NOT NULL ON CONFLICT DO NOTHING";

const OWNERLESS_CALLS: &str = "UPDATE call SET state = 'replied' WHERE state = 'left'
    AND NOT EXISTS (SELECT 1 FROM owner w WHERE w.owner_id = call.owner_id) RETURNING call_no";

const OWNERLESS_UNHELD_TASKS: &str = "UPDATE task INDEXED BY task_unheld SET state = 'reclaimed', waits_for = NULL
    WHERE state IN ('queued', 'stuck')
    AND NOT EXISTS (SELECT 1 FROM owner w WHERE w.owner_id = task.owner_id) RETURNING task_no";

const OWNERLESS_TASKS: &str = "UPDATE task SET state = 'reclaimed' WHERE state = 'running' AND abandoned = 1
    AND NOT EXISTS (SELECT 1 FROM owner w WHERE w.owner_id = task.owner_id) RETURNING task_no";

impl Tx<'_> {
    /// Makes an owner's head and floor fit its rows.
    pub(super) fn repair_numbers(&self, owner_id: i64, owner: &Owner) -> Result<(), Fault> {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let Some((head, floor, last)) = one(self.conn, OWNER_NUMBERS, [owner_id], read)? else { return Ok(()) };
        let (head, floor, last): (i64, i64, i64) = (head, floor, last);
        // Sound: each number belongs to a row or was pruned.
        if floor >= 0 && head == last.max(floor) {
            return Ok(());
        }
        let rows = |after: i64, to: i64| {
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, Option<i64>>(2)?));
            Ok::<_, Fault>(
                one(self.conn, ROW_NUMBERS, params![owner_id, after, to], read)?.unwrap_or((0_i64, None, None)),
            )
        };
        let (count, first, _) = rows(0, i64::MAX)?;
        // Pruning sets a floor close to the head. Any other floor was damaged.
        let far = head.max(count).saturating_add(MISSING);
        let floor_is_sound = (0..=far).contains(&floor);
        let floor = if floor_is_sound { floor } else { first.map_or(0, |first| first - 1) };
        let (count, ..) = rows(floor, i64::MAX)?;
        // The highest plausible head: one number for each row, plus the numbers that may be missing.
        let most = floor.saturating_add(count).saturating_add(MISSING);
        let (.., last) = rows(floor, most)?;
        let head = [last.unwrap_or(floor), floor, if head <= most { head } else { 0 }].into_iter().max();
        let head = head.unwrap_or(floor);
        let sql = "UPDATE owner SET head = ?2, pruned = ?3 WHERE owner_id = ?1 AND (head <> ?2 OR pruned <> ?3)";
        if execute(self.conn, sql, params![owner_id, head, floor])? > 0 {
            let row = owner_id.to_string();
            let why = "head or pruned did not fit the rows and was repaired";
            self.unreadable.report(&UnreadableRow { table: "owner", row: &row, owner: Some(owner), why });
        }
        Ok(())
    }

    /// Marks unsettled work that no current incarnation holds. Recovery then settles it.
    pub(super) fn find_lost_work(&mut self) -> Result<(), Fault> {
        let how = Lost { ending: AttemptEnding::Left, alive_at: None };
        let lost = all(self.conn, LOST_DURABLE_TASKS, (), |row| Ok((row.get(0)?, row.get(1)?, how)))?;
        self.orphan_durable(&lost)?;
        self.report_rows("task", lost.iter().map(|(number, ..)| *number), "no life of a node holds it");
        for (table, sql, why) in [
            ("call", DAMAGED_CALLS, "state is none of its words"),
            ("task", DAMAGED_TASKS, "state is none of its words"),
            ("call", LOST_CALLS, "no life of a node holds it"),
            ("task", LOST_TASKS, "no life of a node holds it"),
            ("task", PARTIAL_TASKS, "its durable part is missing"),
        ] {
            self.report_all(table, sql, why)?;
        }
        execute(self.conn, LOST_QUEUES, ())?;
        let displaced = all(self.conn, DISPLACED_TASKS, [self.now.as_microsecond()], |row| Ok(row.get(0)?))?;
        self.report_rows("durable", displaced, "ready_at was lost: the task is ready now");
        Ok(())
    }

    /// Ends the work of missing owners, so that recovery does not find it again.
    pub(super) fn put_aside(&self) -> Result<(), Fault> {
        let why = "its owner is missing: it was put aside without a reply or an outcome";
        self.report_all("call", OWNERLESS_CALLS, why)?;
        self.report_all("task", OWNERLESS_TASKS, why)?;
        self.report_all("task", OWNERLESS_UNHELD_TASKS, why)
    }

    fn report_all(&self, table: &'static str, sql: &str, why: &str) -> Result<(), Fault> {
        let rows = all(self.conn, sql, (), |row| Ok(row.get::<_, i64>(0)?))?;
        self.report_rows(table, rows, why);
        Ok(())
    }

    fn report_rows(&self, table: &'static str, rows: impl IntoIterator<Item = i64>, why: &str) {
        for number in rows {
            let row = number.to_string();
            self.unreadable.report(&UnreadableRow { table, row: &row, owner: None, why });
        }
    }
}
