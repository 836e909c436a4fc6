//! Queues of durable tasks: which of their tasks a claim takes.
//!
//! A queue whose slots are all taken costs a claim one count. For any other queue the owners with ready tasks are read,
//! one look into the index each, and then the tasks of those whose turn it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rusqlite::{Row, params};

use super::Tx;
use super::claims::{Claiming, Pages, Place};
use crate::ledger::rounds::{WaitingOwner, lot, sort_by_turn};
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, one};

/// Ready tasks of one owner that are read at a time.
const PAGE: u32 = 16;

/// The queues with ready tasks, also of suspects if `?3` is 1, in another order each time: no queue always comes first.
pub(in crate::ledger::sqlite) const QUEUES: &str = "SELECT q.queue, q.served FROM queue q
    WHERE q.app_id = ?1 AND (
        EXISTS (SELECT 1 FROM durable d INDEXED BY durable_queued_at
            WHERE d.app_id = ?1 AND d.queue = q.queue AND d.suspect = 0 AND d.ready_at <= ?2)
        OR ?3 AND EXISTS (SELECT 1 FROM durable d INDEXED BY durable_queued_at
            WHERE d.app_id = ?1 AND d.queue = q.queue AND d.suspect = 1 AND d.ready_at <= ?2))
    ORDER BY random()";

pub(in crate::ledger::sqlite) const TAKEN_SLOTS: &str = "SELECT count(*) FROM task INDEXED BY task_slot
    WHERE app_id = ?1 AND queue = ?2 AND state = 'running' AND abandoned = 0";

/// Whether a free slot is all that a ready task waits for: it is not stuck, and its name not paused. Nor does a suspect,
/// which waits until a node may run one.
macro_rules! waits_for_slot {
    () => {
        " AND d.stuck_since IS NULL AND NOT EXISTS (
            SELECT 1 FROM paused p WHERE p.app_id = d.app_id AND p.task_name = d.task_name)"
    };
}
pub(in crate::ledger::sqlite) use waits_for_slot;

/// The owners with tasks in a queue, which it looks up one after the other; `first_ready_at` is null for an owner
/// without a ready one. Stuck and paused tasks count only for a claim, which skips them itself. `$suspect` says which
/// tasks are read: suspects, or others.
macro_rules! waiting_owners {
    ($suspect:literal, $which:expr, $more:expr) => {
        concat!(
            "WITH RECURSIVE o (owner_id) AS (
        SELECT (SELECT owner_id FROM durable INDEXED BY durable_queued
            WHERE app_id = ?1 AND queue = ?2 AND suspect = ",
            $suspect,
            " AND ready_at IS NOT NULL ORDER BY owner_id LIMIT 1)
        UNION ALL
        SELECT (SELECT d.owner_id FROM durable d INDEXED BY durable_queued
            WHERE d.app_id = ?1 AND d.queue = ?2 AND d.suspect = ",
            $suspect,
            " AND d.ready_at IS NOT NULL AND d.owner_id > o.owner_id
            ORDER BY d.owner_id LIMIT 1)
        FROM o WHERE o.owner_id IS NOT NULL
    )
    SELECT o.owner_id, coalesce(q.served, 0),
        (SELECT d.ready_at FROM durable d INDEXED BY durable_queued
            WHERE d.app_id = ?1 AND d.queue = ?2 AND d.suspect = ",
            $suspect,
            " AND d.owner_id = o.owner_id AND d.ready_at <= ?3",
            $which,
            " ORDER BY d.ready_at LIMIT 1)",
            $more,
            " FROM o LEFT JOIN queue_owner q ON q.app_id = ?1 AND q.queue = ?2 AND q.owner_id = o.owner_id
    WHERE o.owner_id IS NOT NULL"
        )
    };
}

/// With the slots that each owner has. `?4` says which tasks are read: 1 for suspects, 0 for others.
pub(in crate::ledger::sqlite) const OWNERS_IN_TURN: &str = waiting_owners!(
    "?4",
    "",
    ", (SELECT count(*) FROM task t INDEXED BY task_slot
        WHERE t.app_id = ?1 AND t.queue = ?2 AND t.owner_id = o.owner_id AND t.state = 'running' AND t.abandoned = 0)"
);

/// With the number of each owner's ready tasks.
pub(in crate::ledger::sqlite) const WAITING_OWNERS: &str = waiting_owners!(
    "0",
    waits_for_slot!(),
    concat!(
        ", (SELECT count(*) FROM durable d INDEXED BY durable_queued
        WHERE d.app_id = ?1 AND d.queue = ?2 AND d.suspect = 0 AND d.owner_id = o.owner_id AND d.ready_at <= ?3",
        waits_for_slot!(),
        ")"
    )
);

/// The ready tasks of an owner behind a place, without those that the program has refused; suspects if `?9` is 1, else
/// the others.
pub(in crate::ledger::sqlite) const QUEUED_TASKS: &str = "SELECT ready_at, task_no, task_name
    FROM durable INDEXED BY durable_queued
    WHERE app_id = ?1 AND queue = ?2 AND suspect = ?9 AND owner_id = ?3 AND ready_at <= ?4 AND ready_at >= ?5
        AND (ready_at > ?5 OR task_no > ?6) AND (refused_by = '' OR refused_by <> ?7)
    ORDER BY ready_at, task_no LIMIT ?8";

/// An owner from a row of [`OWNERS_IN_TURN`] or [`WAITING_OWNERS`], with its last column.
pub(in crate::ledger::sqlite) fn waiting_owner(row: &Row<'_>) -> Result<Option<(WaitingOwner<i64>, u32)>, Fault> {
    let (owner, served, first): (_, _, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let count: u32 = row.get(3)?;
    Ok(first.map(|first_ready_at| (WaitingOwner { owner, served, first_ready_at, ready: count.into() }, count)))
}

/// A queue that a claim serves.
struct Queue<'r> {
    app_id: &'r str,
    name: String,
    /// The number of its latest turn.
    served: i64,
    free: u32,
    per_user: u32,
}

/// The ready tasks of one owner in a queue, and its suspects.
struct OwnerTasks {
    owner_id: i64,
    slots: u32,
    pages: [Pages; 2],
}

impl Tx<'_> {
    /// Takes up tasks of queues, until the claim has this many.
    pub(super) fn claim_from_queues(&mut self, claiming: &mut Claiming<'_>, most: usize) -> Result<(), Fault> {
        if claiming.claimed.len() >= most {
            return Ok(());
        }
        let request = claiming.request;
        let apps: BTreeSet<&str> = claiming.names.iter().map(|name| &*name.app_id).collect();
        let mut apps: Vec<&str> = apps.into_iter().collect();
        apps.sort_by_cached_key(|app| lot(*app));
        for app_id in apps {
            let params = params![app_id, self.now.as_microsecond(), claiming.suspect];
            let queues = all(self.conn, QUEUES, params, |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            for (name, served) in queues {
                let (at_most, per_user) = request.limits_of(app_id, &name);
                let taken = one(self.conn, TAKEN_SLOTS, [app_id, &name], |row| Ok(row.get(0)?))?.unwrap_or_default();
                let free = at_most.saturating_sub(taken);
                if free > 0 && claiming.claimed.len() < most {
                    self.serve_queue(claiming, most, Queue { app_id, name, served, free, per_user })?;
                }
            }
        }
        Ok(())
    }

    /// Serves the owners in their turns, one task each in a round.
    fn serve_queue(&mut self, claiming: &mut Claiming<'_>, most: usize, mut queue: Queue<'_>) -> Result<(), Fault> {
        let mut waiting: BTreeMap<i64, (WaitingOwner<i64>, u32)> = BTreeMap::new();
        for suspects in [false, true] {
            if suspects && !claiming.suspect {
                continue;
            }
            let params = params![queue.app_id, queue.name, self.now.as_microsecond(), suspects];
            for (owner, slots) in all(self.conn, OWNERS_IN_TURN, params, waiting_owner)?.into_iter().flatten() {
                let first_ready_at = owner.first_ready_at;
                let (known, _) = waiting.entry(owner.owner).or_insert((owner, slots));
                known.first_ready_at = known.first_ready_at.min(first_ready_at);
            }
        }
        let mut owners: Vec<_> = waiting.values().map(|(owner, _)| owner.clone()).collect();
        sort_by_turn(&mut owners);
        let tasks = owners.into_iter().map(|WaitingOwner { owner: owner_id, .. }| {
            let slots = waiting.get(&owner_id).map_or(0, |(_, slots)| *slots);
            OwnerTasks { owner_id, slots, pages: [false, true].map(Pages::new) }
        });
        let mut round: VecDeque<OwnerTasks> = tasks.collect();
        let before = queue.served;
        while queue.free > 0
            && claiming.claimed.len() < most
            && let Some(mut next) = round.pop_front()
        {
            if next.slots < queue.per_user && self.claim_next(claiming, &queue, &mut next)? {
                next.slots += 1;
                queue.free -= 1;
                queue.served = self.note_turn(&queue, next.owner_id)?;
                round.push_back(next);
            }
        }
        if queue.served != before {
            let sql = "UPDATE queue SET served = ?3 WHERE app_id = ?1 AND queue = ?2";
            execute(self.conn, sql, params![queue.app_id, queue.name, queue.served])?;
        }
        Ok(())
    }

    /// Takes up the next task of the owner that the claim may take. Returns whether there was one.
    fn claim_next(
        &mut self,
        claiming: &mut Claiming<'_>,
        queue: &Queue<'_>,
        of: &mut OwnerTasks,
    ) -> Result<bool, Fault> {
        while let Some((task, suspects)) = self.next_of(claiming, queue, of)? {
            of.pages[usize::from(suspects)].skip();
            if self.try_claim(claiming, task)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The owner's next task, and whether it is a suspect.
    fn next_of(
        &self,
        claiming: &Claiming<'_>,
        queue: &Queue<'_>,
        of: &mut OwnerTasks,
    ) -> Result<Option<(Place, bool)>, Fault> {
        let (request, now, owner_id) = (claiming.request, self.now.as_microsecond(), of.owner_id);
        let is_named =
            |name: &str| claiming.names.iter().any(|named| named.app_id == queue.app_id && named.task_name == name);
        let read = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?));
        let mut first = None;
        for pages in of.pages.iter_mut().filter(|pages| !pages.suspects || claiming.suspect) {
            let suspects = pages.suspects;
            let found = pages.first(|(ready_at, number)| {
                let (app_id, name, program) = (queue.app_id, &queue.name, &request.program);
                let params = params![app_id, name, owner_id, now, ready_at, number, program, PAGE, suspects];
                let page = all(self.conn, QUEUED_TASKS, params, read)?;
                let stopped_at = page.last().map(|(ready_at, number, _)| (*ready_at, *number));
                let stopped_at = stopped_at.filter(|_| page.len() >= PAGE as usize);
                let named = page.into_iter().filter(|(.., name)| is_named(name));
                Ok((named.map(|(ready_at, number, _)| (ready_at, number)).collect(), stopped_at))
            })?;
            first = first.into_iter().chain(found.map(|place| (place, suspects))).min();
        }
        Ok(first)
    }

    /// Notes that an owner was served. Returns the number of the turn, which the caller stores with the queue.
    fn note_turn(&self, queue: &Queue<'_>, owner_id: i64) -> Result<i64, Fault> {
        // A damaged number starts over.
        let turn = if (0..i64::MAX).contains(&queue.served) { queue.served + 1 } else { 1 };
        let sql = "INSERT OR REPLACE INTO queue_owner (app_id, queue, owner_id, served) VALUES (?1, ?2, ?3, ?4)";
        execute(self.conn, sql, params![queue.app_id, queue.name, owner_id, turn])?;
        Ok(turn)
    }
}
