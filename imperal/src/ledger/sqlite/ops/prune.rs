//! Retention: removes old rows, oldest first, a few at a time.
//!
//! A reading connection finds the owners with old rows, so the writer works only if there is something to remove. Each
//! scan ends at the first row that is young enough, so its cost grows only with the rows that it removes.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::Tx;
use super::documents::EXPIRED_DOCUMENTS;
use super::steps::TASKS_WITH_DUE_VALUES;
use crate::ledger::Pruned;
use crate::ledger::retention::Cutoffs;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, number, one, open_states};
use crate::ledger::unreadable::UnreadableRow;

/// Steps of pruned tasks that one transaction removes, and those of one task more: no writer waits longer for it.
pub(in crate::ledger::sqlite) const STEPS: u64 = 10_000;

/// Owners that one scan covers.
const OWNERS: u32 = 1_000;

/// Whether an owner's oldest row of a kind is old. A comparison with null is false.
pub(in crate::ledger::sqlite) const OWNERS_WITH_OLD_ROWS: &str = "SELECT w.owner_id,
    coalesce((SELECT at FROM turn WHERE owner_id = w.owner_id AND seq > w.pruned ORDER BY seq LIMIT 1) < ?2, 0)
    OR coalesce((SELECT at FROM turn WHERE owner_id = w.owner_id ORDER BY seq LIMIT 1) < ?3, 0)
    OR coalesce((SELECT created_at FROM task WHERE owner_id = w.owner_id ORDER BY task_no LIMIT 1) < ?4, 0)
    OR coalesce((SELECT at FROM audit WHERE owner_id = w.owner_id ORDER BY audit_id LIMIT 1) < ?5, 0)
    FROM owner w WHERE w.owner_id > ?1 ORDER BY w.owner_id LIMIT ?6";

/// All calls without a reply. They are few, and have indexes of their own.
pub(in crate::ledger::sqlite) const UNREPLIED_CALLS: &str = "SELECT owner_id, turn_seq FROM call INDEXED BY call_held
    WHERE state = 'open' UNION ALL SELECT owner_id, turn_seq FROM call INDEXED BY call_left WHERE state = 'left'";

/// Number of the turn of the owner's oldest call with a running task. A task that no process holds needs no history.
pub(in crate::ledger::sqlite) const OLDEST_ACTIVE_TURN: &str = concat!(
    "SELECT min(c.turn_seq) FROM task t JOIN call c ON c.call_id = t.call_id
    WHERE t.owner_id = ?1 AND t.state = 'running' AND t.state IN ",
    open_states!()
);

pub(in crate::ledger::sqlite) const TURNS_BETWEEN: &str =
    "SELECT seq, at FROM turn WHERE owner_id = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq LIMIT ?4";

pub(in crate::ledger::sqlite) const OLDEST_TASKS: &str =
    "SELECT task_no, created_at, finished_at, outcome_seq FROM task
    WHERE owner_id = ?1 ORDER BY task_no LIMIT ?2";

pub(in crate::ledger::sqlite) const OLDEST_AUDIT_ROWS: &str =
    "SELECT audit_id, at, hash FROM audit WHERE owner_id = ?1 ORDER BY audit_id LIMIT ?2";

/// Owners with old rows, and where this scan and the next one start.
#[derive(Debug)]
pub(in crate::ledger::sqlite) struct DueOwners {
    from: i64,
    owners: Vec<i64>,
    /// Whether there are values of steps to remove, of any owner.
    has_values: bool,
    /// Whether there are documents whose time is over, of any owner.
    has_documents: bool,
    next: Option<i64>,
}

impl DueOwners {
    pub(in crate::ledger::sqlite) fn find(conn: &Connection, cuts: &Cutoffs, from: i64) -> Result<Self, Fault> {
        let params = params![from, cuts.events, cuts.turns, cuts.tasks, cuts.audit, OWNERS];
        let looked: Vec<(i64, bool)> = all(conn, OWNERS_WITH_OLD_ROWS, params, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let next = looked.last().filter(|_| looked.len() >= OWNERS as usize).map(|(owner_id, _)| *owner_id);
        let has_values = one(conn, TASKS_WITH_DUE_VALUES, params![cuts.now, 1], |_| Ok(()))?.is_some();
        let has_documents = one(conn, EXPIRED_DOCUMENTS, params![cuts.now, 1], |_| Ok(()))?.is_some();
        Ok(Self {
            from,
            has_values,
            has_documents,
            owners: looked.into_iter().filter_map(|(owner_id, due)| due.then_some(owner_id)).collect(),
            next,
        })
    }

    pub(in crate::ledger::sqlite) fn is_empty(&self) -> bool {
        self.owners.is_empty() && !self.has_values && !self.has_documents
    }

    pub(in crate::ledger::sqlite) fn next(&self) -> Option<u64> {
        self.next.and_then(|next| u64::try_from(next).ok())
    }
}

impl Tx<'_> {
    pub(in crate::ledger::sqlite) fn prune(
        &self,
        due: &DueOwners,
        cuts: &Cutoffs,
        limit: u32,
    ) -> Result<Pruned, Fault> {
        let limit = u64::from(limit.max(1));
        let mut needed: HashMap<i64, i64> = HashMap::new();
        for (owner_id, seq) in
            all(self.conn, UNREPLIED_CALLS, (), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?
        {
            needed.entry(owner_id).and_modify(|first| *first = seq.min(*first)).or_insert(seq);
        }
        let mut pruned = Pruned { step_values: self.prune_values(cuts.now, limit)?, ..Pruned::default() };
        pruned.documents = self.prune_documents(cuts.now, limit.saturating_sub(pruned.rows()))?;
        if pruned.rows() >= limit {
            return Ok(Pruned { next: u64::try_from(due.from).ok(), ..pruned });
        }
        let mut removed_steps = 0;
        for owner_id in &due.owners {
            let left = i64::try_from(limit - pruned.rows()).unwrap_or(i64::MAX);
            let at_work =
                one(self.conn, OLDEST_ACTIVE_TURN, [owner_id], |row| Ok(row.get::<_, Option<i64>>(0)?))?.flatten();
            let first_needed = needed.get(owner_id).copied().into_iter().chain(at_work).min();
            let mut steps = 0;
            match self.prune_owner(*owner_id, cuts, first_needed, left, &mut steps) {
                Ok(taken) => pruned = pruned.plus(taken),
                // Rows that were removed before it stay removed: each step is complete.
                Err(fault) if fault.is_of_one_row() => {
                    let row = owner_id.to_string();
                    let why = "its rows cannot be pruned";
                    self.unreadable.report(&UnreadableRow { table: "owner", row: &row, owner: None, why });
                }
                Err(fault) => return Err(fault),
            }
            removed_steps += steps;
            if pruned.rows() >= limit || removed_steps >= STEPS {
                // Continue with the same owner, which may have more.
                return Ok(Pruned { next: u64::try_from(owner_id - 1).ok(), ..pruned });
            }
        }
        Ok(Pruned { next: due.next(), ..pruned })
    }

    /// `first_needed` is the number of the oldest call that has no reply or a running task. Counts the steps that it removes
    /// in `steps`, also when it fails.
    fn prune_owner(
        &self,
        owner_id: i64,
        cuts: &Cutoffs,
        first_needed: Option<i64>,
        left: i64,
        steps: &mut u64,
    ) -> Result<Pruned, Fault> {
        let mut pruned = Pruned::default();
        // A damaged floor counts as 0 and is set again.
        let sql = "SELECT iif(pruned BETWEEN 0 AND head, pruned, 0), head FROM owner WHERE owner_id = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let Some((mut floor, head)) = one(self.conn, sql, [owner_id], read)? else { return Ok(pruned) };
        // A row beyond the owner's latest number has lost its place and is never reached.
        let first_needed = first_needed.unwrap_or(i64::MAX).min(head.saturating_add(1));
        if let Some(cut) = cuts.events
            && let Some(last) = self.last_old_turn(owner_id, floor, first_needed, cut, left)?
        {
            floor = last;
            execute(self.conn, "UPDATE owner SET pruned = ?2 WHERE owner_id = ?1", params![owner_id, floor])?;
            let sql = "DELETE FROM task_event WHERE owner_id = ?1 AND seq <= ?2";
            pruned.events = count(execute(self.conn, sql, params![owner_id, floor])?);
        }
        if let Some(cut) = cuts.turns
            // A task that began after its call was replied may need a call behind the floor.
            && let Some(last) = self.last_old_turn(owner_id, 0, first_needed.min(floor.saturating_add(1)), cut, left)?
        {
            let behind = params![owner_id, last];
            let sql = "DELETE FROM turn WHERE owner_id = ?1 AND seq <= ?2";
            pruned.turns = count(execute(self.conn, sql, behind)?);
            let sql = "DELETE FROM call WHERE owner_id = ?1 AND turn_seq <= ?2";
            pruned.calls = count(execute(self.conn, sql, behind)?);
        }
        if let Some(cut) = cuts.tasks {
            pruned.tasks = self.prune_tasks(owner_id, floor, cut, left, steps)?;
        }
        if let Some(cut) = cuts.audit {
            pruned.audit = self.prune_audit(owner_id, cut, left)?;
        }
        Ok(pruned)
    }

    /// Number of the owner's last turn between two numbers that precedes the first young one.
    fn last_old_turn(&self, owner_id: i64, after: i64, before: i64, cut: i64, left: i64) -> Result<Option<i64>, Fault> {
        let params = params![owner_id, after, before, left];
        let turns: Vec<(i64, i64)> = all(self.conn, TURNS_BETWEEN, params, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(turns.iter().take_while(|(_, at)| *at < cut).last().map(|(seq, _)| *seq))
    }

    fn prune_tasks(&self, owner_id: i64, floor: i64, cut: i64, left: i64, steps: &mut u64) -> Result<u64, Fault> {
        let read = |row: &rusqlite::Row<'_>| {
            let (ended, outcome): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
            let gone = ended.is_some_and(|at| at < cut) && outcome.is_some_and(|seq| seq <= floor);
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)? < cut, gone))
        };
        let oldest = all(self.conn, OLDEST_TASKS, params![owner_id, left], read)?;
        let mut pruned = 0;
        for (task_no, _, gone) in oldest.into_iter().take_while(|(_, old, _)| *old) {
            if *steps >= STEPS {
                break;
            }
            if gone {
                let sql = "DELETE FROM step WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535";
                *steps += count(execute(self.conn, sql, [task_no])?);
                execute(self.conn, "DELETE FROM question WHERE task_no = ?1", [task_no])?;
                execute(self.conn, "DELETE FROM attempt WHERE task_no = ?1", [task_no])?;
                execute(self.conn, "DELETE FROM durable WHERE task_no = ?1", [task_no])?;
                pruned += count(execute(self.conn, "DELETE FROM task WHERE task_no = ?1", [task_no])?);
            }
        }
        Ok(pruned)
    }

    /// The anchor is written first: a trigger refuses to delete rows that it has not passed.
    fn prune_audit(&self, owner_id: i64, cut: i64, left: i64) -> Result<u64, Fault> {
        let read = |row: &rusqlite::Row<'_>| {
            // Copied without decoding: a trigger accepts only the row's own hash, damaged or not.
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
        };
        let mut oldest = all(self.conn, OLDEST_AUDIT_ROWS, params![owner_id, left], read)?;
        let old = oldest.iter().take_while(|(_, at, _)| *at < cut).count();
        oldest.truncate(old);
        let Some((last, _, hash)) = oldest.last() else { return Ok(0) };
        let sql = "UPDATE owner SET audit_pruned_to = ?2, audit_anchor = ?3, audit_pruned = ?4 +
                   iif(audit_pruned BETWEEN 0 AND 9007199254740992, audit_pruned, 0)
                   WHERE owner_id = ?1";
        execute(self.conn, sql, params![owner_id, last, hash, number(count(oldest.len()))])?;
        let sql = "DELETE FROM audit WHERE owner_id = ?1 AND audit_id <= ?2";
        Ok(count(execute(self.conn, sql, params![owner_id, last])?))
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
