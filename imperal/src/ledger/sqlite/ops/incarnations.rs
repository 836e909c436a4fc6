//! Incarnations of nodes, and the work that ended ones leave.
//!
//! The transaction that ends an incarnation marks its open calls and running background tasks. So that work is found by
//! a small index, however many incarnations there have been. Durable tasks are queued for another process instead.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::Tx;
use super::durable::{HELD_DURABLE_TASKS, Lost};
use crate::ledger::clock::after;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, incarnation, one, select_task};
use crate::ledger::{AttemptEnding, Incarnation, LedgerError, RenewalNews, decode};

pub(in crate::ledger::sqlite) const TASKS_TO_CANCEL: &str = "SELECT task_no, task_id FROM task
    WHERE node = ?1 AND incarnation = ?2 AND state = 'running' AND cancel_requested_at IS NOT NULL";

pub(in crate::ledger::sqlite) const CALLS_TO_CANCEL: &str = "SELECT call_no, call_id FROM call INDEXED BY call_asked
    WHERE node = ?1 AND incarnation = ?2 AND state = 'open' AND cancel_requested_at IS NOT NULL";

/// When a node was last known to be alive: its last renewal, `?1` if the lease was damaged.
macro_rules! alive_at {
    () => {
        "iif(n.lease_until BETWEEN 0 AND 253402207200999999 AND n.lease BETWEEN 0 AND 253402207200999999,
            min(n.lease_until - n.lease, ?1), ?1)"
    };
}

pub(in crate::ledger::sqlite) const LEFT_CALLS: &str =
    "SELECT c.call_no, c.call_id, w.tenant_id, w.user_id, c.node, c.incarnation, u.body, u.turn_id
    FROM call c JOIN owner w ON w.owner_id = c.owner_id
    LEFT JOIN turn u ON u.owner_id = c.owner_id AND u.seq = c.turn_seq
    WHERE c.state = 'left' AND c.silent = 0 ORDER BY c.call_no LIMIT ?1";

pub(in crate::ledger::sqlite) const LEFT_TASKS: &str =
    select_task!("WHERE t.state = 'running' AND t.abandoned = 1 ORDER BY t.task_no LIMIT ?1");

pub(in crate::ledger::sqlite) const LAPSED_LEASES: &str =
    "SELECT count(*) FROM node WHERE lease_until IS NOT NULL AND lease_until <= ?1 AND node <> ?2";

macro_rules! of_lapsed {
    ($before:literal) => {
        concat!(
            $before,
            " AND (node, incarnation) IN (SELECT node, incarnation FROM node WHERE lease_until IS NOT NULL ",
            "AND lease_until <= ?1 AND node <> ?2)"
        )
    };
}

/// Running durable tasks of lapsed incarnations, whether the node was draining, and when it was last alive.
pub(in crate::ledger::sqlite) const LAPSED_DURABLE_TASKS: &str = concat!(
    "SELECT t.task_no, t.attempt, n.draining <> 0, ",
    alive_at!(),
    " FROM node n CROSS JOIN task t ON t.node = n.node AND t.incarnation = n.incarnation
    WHERE n.lease_until IS NOT NULL AND n.lease_until <= ?1 AND n.node <> ?2 AND t.state = 'running' AND t.durable <> 0"
);

const LEAVE_CALLS_OF_LAPSED: &str = of_lapsed!("UPDATE call SET state = 'left' WHERE state = 'open'");
const LEAVE_TASKS_OF_LAPSED: &str = concat!(
    "UPDATE task SET abandoned = 1, interrupted_at = (SELECT min(max(created_at, ",
    alive_at!(),
    "), ?1) FROM node n WHERE n.node = task.node) WHERE state = 'running'
    AND (node, incarnation) IN (SELECT node, incarnation FROM node WHERE lease_until IS NOT NULL
        AND lease_until <= ?1 AND node <> ?2)"
);
const FORGET_PROGRAMS_OF_LAPSED: &str = "DELETE FROM node_task WHERE node IN
    (SELECT node FROM node WHERE lease_until IS NOT NULL AND lease_until <= ?1 AND node <> ?2)";
const END_LAPSED_LEASES: &str =
    "UPDATE node SET lease_until = NULL WHERE lease_until IS NOT NULL AND lease_until <= ?1 AND node <> ?2";

/// The longest lease in microseconds: up to the last moment that programs can represent.
const LONGEST_LEASE: i64 = 253_402_207_200_999_999;

/// A lease whose length is lost ends after this many microseconds, unless its node renews it.
const UNKNOWN_LEASE: i64 = 60_000_000;

/// The number for a node that is new or whose row is lost. Work of its earlier incarnations may still exist.
pub(in crate::ledger::sqlite) const FIRST_INCARNATION: &str = "SELECT 1 + max(
    coalesce((SELECT max(incarnation) FROM call WHERE node = ?1 AND state = 'open' AND incarnation BETWEEN 0 AND ?2), 0),
    coalesce((SELECT max(incarnation) FROM task WHERE node = ?1 AND state = 'running' AND incarnation BETWEEN 0 AND ?2), 0))";

/// A higher number was not counted but damaged.
const LAST_INCARNATION: i64 = 1 << 53;

impl Tx<'_> {
    pub(in crate::ledger::sqlite) fn join(&mut self, node: &str, lease: Duration) -> Result<Incarnation, Fault> {
        let sql = concat!(
            "SELECT node, incarnation, draining, ",
            alive_at!(),
            " AS alive_at FROM node n WHERE node = ?2 AND lease_until IS NOT NULL"
        );
        let read = |row: &Row<'_>| {
            let lost = Lost { ending: ending(row.get("draining")?), alive_at: row.get("alive_at")? };
            Ok((incarnation(row)?, lost))
        };
        if let Some((earlier, lost)) = one(self.conn, sql, params![self.now.as_microsecond(), node], read)? {
            self.end_incarnation(&earlier, lost)?;
        }
        let sql = "INSERT INTO node (node, incarnation, lease_until, lease) VALUES (?1, ?6, ?2, ?3)
                   ON CONFLICT (node) DO UPDATE
                   SET incarnation = CASE WHEN incarnation BETWEEN 0 AND ?5 THEN incarnation + 1 ELSE ?4 END, lease_until = excluded.lease_until, lease = excluded.lease, draining = 0
                   RETURNING incarnation";
        // A damaged number is replaced by the time, which is higher than any number that was counted.
        let first =
            one(self.conn, FIRST_INCARNATION, params![node, LAST_INCARNATION], |row| Ok(row.get::<_, i64>(0)?))?;
        let now = self.now.as_microsecond();
        let params = params![node, self.until(lease), micros(lease), now, LAST_INCARNATION, first.unwrap_or(1)];
        let number = one(self.conn, sql, params, |row| Ok(row.get(0)?))?;
        let number = number.ok_or_else(|| Fault::Row("a node was not written".to_owned()))?;
        self.find_lost_work()?;
        self.put_aside()?;
        Ok(Incarnation { node: node.into(), number })
    }

    pub(in crate::ledger::sqlite) fn renew(
        &self,
        incarnation: &Incarnation,
        lease: Duration,
    ) -> Result<RenewalNews, Fault> {
        self.fence(incarnation)?;
        let sql = "UPDATE node SET lease_until = ?2, lease = ?3 WHERE node = ?1";
        execute(self.conn, sql, params![&*incarnation.node, self.until(lease), micros(lease)])?;
        let held = params![&*incarnation.node, incarnation.number];
        let read_task = |row: &Row<'_>| Ok(decode::task_id(row, row.get(0)?, self.unreadable));
        let read_call = |row: &Row<'_>| Ok(decode::call_id(row, row.get(0)?, self.unreadable));
        Ok(RenewalNews {
            cancelled_tasks: all(self.conn, TASKS_TO_CANCEL, held, read_task)?,
            cancelled_calls: all(self.conn, CALLS_TO_CANCEL, held, read_call)?,
        })
    }

    pub(in crate::ledger::sqlite) fn drain(&self, incarnation: &Incarnation) -> Result<(), Fault> {
        self.fence(incarnation)?;
        execute(self.conn, "UPDATE node SET draining = 1 WHERE node = ?1 AND draining <> 1", [&*incarnation.node])?;
        Ok(())
    }

    pub(in crate::ledger::sqlite) fn leave(&mut self, incarnation: &Incarnation) -> Result<(), Fault> {
        match self.fence(incarnation) {
            Ok(()) => {
                let lost = Lost { ending: AttemptEnding::Left, alive_at: Some(self.now.as_microsecond()) };
                self.end_incarnation(incarnation, lost)
            }
            Err(Fault::Refused(LedgerError::Fenced)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// The incarnation must be its node's current one.
    fn end_incarnation(&mut self, incarnation: &Incarnation, lost: Lost) -> Result<(), Fault> {
        self.cache.current.borrow_mut().remove(incarnation);
        let of_incarnation = params![&*incarnation.node, incarnation.number];
        execute(self.conn, "UPDATE node SET lease_until = NULL WHERE node = ?1 AND incarnation = ?2", of_incarnation)?;
        self.forget_program(incarnation)?;
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, lost));
        let durable = all(self.conn, HELD_DURABLE_TASKS, of_incarnation, read)?;
        self.orphan_durable(&durable)?;
        let calls = "UPDATE call SET state = 'left' WHERE node = ?1 AND incarnation = ?2 AND state = 'open'";
        execute(self.conn, calls, of_incarnation)?;
        let tasks = "UPDATE task SET abandoned = 1, interrupted_at = min(max(created_at, ?3), ?4)
                     WHERE node = ?1 AND incarnation = ?2 AND state = 'running'";
        let now = self.now.as_microsecond();
        execute(self.conn, tasks, params![&*incarnation.node, incarnation.number, lost.alive_at.unwrap_or(now), now])?;
        Ok(())
    }

    pub(in crate::ledger::sqlite) fn expire_leases(&mut self, incarnation: &Incarnation) -> Result<u64, Fault> {
        self.fence(incarnation)?;
        let now = self.now.as_microsecond();
        // Cuts leases that were given before the clock was set back. Subtracts, because a sum may exceed the largest
        // number.
        let ahead = "UPDATE node SET lease_until = ?1 + lease
                     WHERE lease BETWEEN 0 AND ?2 AND lease_until - lease > ?1";
        execute(self.conn, ahead, [now, LONGEST_LEASE])?;
        let unknown = "UPDATE node SET lease_until = ?1 + ?3 WHERE lease_until > ?1 + ?3
                       AND (lease IS NULL OR lease NOT BETWEEN 0 AND ?2)";
        execute(self.conn, unknown, [now, LONGEST_LEASE, UNKNOWN_LEASE])?;
        let ended = self.end_lapsed(incarnation)?;
        self.put_aside()?;
        Ok(ended)
    }

    /// Ends every lapsed incarnation except the caller's. Uses only the file's own values, because a node's name may be
    /// unreadable.
    fn end_lapsed(&mut self, incarnation: &Incarnation) -> Result<u64, Fault> {
        let lapsed = params![self.now.as_microsecond(), &*incarnation.node];
        if one(self.conn, LAPSED_LEASES, lapsed, |row| Ok(row.get::<_, i64>(0)?))? == Some(0) {
            return Ok(0);
        }
        self.cache.current.borrow_mut().clear();
        let read =
            |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, Lost { ending: ending(row.get(2)?), alive_at: row.get(3)? }));
        let durable = all(self.conn, LAPSED_DURABLE_TASKS, lapsed, read)?;
        self.orphan_durable(&durable)?;
        for sql in [LEAVE_CALLS_OF_LAPSED, LEAVE_TASKS_OF_LAPSED, FORGET_PROGRAMS_OF_LAPSED] {
            execute(self.conn, sql, lapsed)?;
        }
        Ok(execute(self.conn, END_LAPSED_LEASES, lapsed)? as u64)
    }

    fn until(&self, lease: Duration) -> i64 {
        let until: Timestamp = after(self.now, lease);
        until.as_microsecond()
    }
}

/// How attempts end with an incarnation that did not leave.
fn ending(is_draining: bool) -> AttemptEnding {
    if is_draining { AttemptEnding::Drained } else { AttemptEnding::Crashed }
}

/// Capped at the last moment that programs can represent.
pub(super) fn micros(lease: Duration) -> i64 {
    let most = Timestamp::MAX.as_microsecond();
    i64::try_from(lease.as_micros()).map_or(most, |micros| micros.min(most))
}
