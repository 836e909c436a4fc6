//! Nodes' lives, and the work that ended lives leave.
//!
//! When a life ends, its open calls and running tasks are marked in the same transaction. So what
//! is left is found by a small index, however many lives have come and gone.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;

use super::Tx;
use crate::ids::TaskId;
use crate::ledger::clock::after;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, get_id, get_json, life, one, owner, record, select_task};
use crate::ledger::{Incarnation, LedgerError, Orphan};

pub(in crate::ledger::sqlite) const ASKED_TO_CANCEL: &str = "SELECT task_id FROM task
    WHERE node = ?1 AND epoch = ?2 AND state = 'running' AND cancel_requested_at IS NOT NULL";

pub(in crate::ledger::sqlite) const LEFT_CALLS: &str =
    "SELECT c.call_id, w.tenant_id, w.user_id, c.node, c.epoch, u.body
    FROM call c JOIN owner w ON w.owner_id = c.owner_id
    JOIN turn u ON u.owner_id = c.owner_id AND u.seq = c.turn_seq
    WHERE c.state = 'left' ORDER BY c.call_no LIMIT ?1";

pub(in crate::ledger::sqlite) const LEFT_TASKS: &str =
    select_task!("WHERE t.state = 'running' AND t.abandoned = 1 ORDER BY t.task_no LIMIT ?1");

pub(in crate::ledger::sqlite) const LAPSED: &str =
    "SELECT node, epoch FROM node WHERE lease_until IS NOT NULL AND lease_until <= ?1 AND node <> ?2";

impl Tx<'_> {
    pub(in crate::ledger::sqlite) fn join(&self, node: &str, lease: Duration) -> Result<Incarnation, Fault> {
        let sql = "SELECT node, epoch FROM node WHERE node = ?1 AND lease_until IS NOT NULL";
        if let Some(earlier) = one(self.conn, sql, [node], |row| life(row, 0))? {
            self.end_life(&earlier)?;
        }
        let sql = "INSERT INTO node (node, epoch, lease_until, lease) VALUES (?1, 1, ?2, ?3)
                   ON CONFLICT (node) DO UPDATE
                   SET epoch = epoch + 1, lease_until = excluded.lease_until, lease = excluded.lease
                   RETURNING epoch";
        let epoch = one(self.conn, sql, params![node, self.until(lease), micros(lease)], |row| Ok(row.get(0)?))?;
        let epoch = epoch.ok_or_else(|| Fault::Row("a node was not written".to_owned()))?;
        Ok(Incarnation { node: node.into(), epoch })
    }

    pub(in crate::ledger::sqlite) fn renew(&self, holder: &Incarnation, lease: Duration) -> Result<Vec<TaskId>, Fault> {
        self.fence(holder)?;
        let sql = "UPDATE node SET lease_until = ?2, lease = ?3 WHERE node = ?1";
        execute(self.conn, sql, params![&*holder.node, self.until(lease), micros(lease)])?;
        all(self.conn, ASKED_TO_CANCEL, params![&*holder.node, holder.epoch], |row| get_id(row, 0))
    }

    pub(in crate::ledger::sqlite) fn leave(&self, holder: &Incarnation) -> Result<(), Fault> {
        match self.fence(holder) {
            Ok(()) => self.end_life(holder),
            Err(Fault::Refused(LedgerError::Fenced)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// The life must be its node's current one.
    fn end_life(&self, life: &Incarnation) -> Result<(), Fault> {
        self.known.current.borrow_mut().remove(life);
        let of_life = params![&*life.node, life.epoch];
        execute(self.conn, "UPDATE node SET lease_until = NULL WHERE node = ?1 AND epoch = ?2", of_life)?;
        let calls = "UPDATE call SET state = 'left' WHERE node = ?1 AND epoch = ?2 AND state = 'open'";
        execute(self.conn, calls, of_life)?;
        let tasks = "UPDATE task SET abandoned = 1 WHERE node = ?1 AND epoch = ?2 AND state = 'running'";
        execute(self.conn, tasks, of_life)?;
        Ok(())
    }

    pub(in crate::ledger::sqlite) fn orphans(&self, holder: &Incarnation, limit: u32) -> Result<Vec<Orphan>, Fault> {
        self.fence(holder)?;
        let now = self.now.as_microsecond();
        // Given before the clock was set back. Subtracted, since a sum may be beyond the largest number.
        let ahead = "UPDATE node SET lease_until = ?1 + lease WHERE lease_until - lease > ?1";
        execute(self.conn, ahead, [now])?;
        for lapsed in all(self.conn, LAPSED, params![now, &*holder.node], |row| life(row, 0))? {
            self.end_life(&lapsed)?;
        }
        let mut orphans = all(self.conn, LEFT_CALLS, [limit], |row| {
            Ok(Orphan::Call {
                call_id: get_id(row, 0)?,
                owner: owner(row, 1)?,
                holder: life(row, 3)?,
                turn: get_json(row, 5)?,
            })
        })?;
        let rest = limit.saturating_sub(u32::try_from(orphans.len()).unwrap_or(u32::MAX));
        orphans.extend(all(self.conn, LEFT_TASKS, [rest], |row| Ok(Orphan::Task(record(row)?)))?);
        Ok(orphans)
    }

    fn until(&self, lease: Duration) -> i64 {
        let until: Timestamp = after(self.now, lease);
        until.as_microsecond()
    }
}

/// There is no longer one than to the last moment that the ledger can name.
fn micros(lease: Duration) -> i64 {
    let most = Timestamp::MAX.as_microsecond();
    i64::try_from(lease.as_micros()).map_or(most, |micros| micros.min(most))
}
