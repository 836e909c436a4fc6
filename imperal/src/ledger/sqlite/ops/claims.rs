//! Claims of durable tasks.
//!
//! A claim reads the ready tasks of each of its names from an index, a page at a time, and merges them. So tasks of
//! other names cost nothing, and tasks that it skips cost one look. Suspects are apart in the index: they cost a claim
//! that takes none nothing, however many there are.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::Tx;
use super::operators::unpaused;
use super::tasks::RUNNING_TASK_COUNT;
use crate::ledger::clock::after;
use crate::ledger::rounds::{by_chance, first_share};
use crate::ledger::rules::{self, SUSPECT};
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, one};
use crate::ledger::{ClaimRequest, ClaimedTask, DurableName, Incarnation, decode};

/// Ready tasks of one name that are read at a time.
const PAGE: u32 = 64;

/// The ready tasks of a name behind a place, without those that the program has refused; suspects if `?8` is 1, else
/// the others.
pub(in crate::ledger::sqlite) const READY_TASKS: &str = "SELECT ready_at, task_no FROM durable INDEXED BY durable_ready
    WHERE app_id = ?1 AND task_name = ?2 AND suspect = ?8 AND queue IS NULL AND ready_at IS NOT NULL
        AND ready_at <= ?3 AND ready_at >= ?4
        AND (ready_at > ?4 OR task_no > ?5) AND (refused_by = '' OR refused_by <> ?6)
    ORDER BY ready_at, task_no LIMIT ?7";

/// The first ready time of a name, of suspects if `?3` is 1, else of other tasks.
pub(in crate::ledger::sqlite) const FIRST_READY: &str = "SELECT ready_at FROM durable INDEXED BY durable_ready
    WHERE app_id = ?1 AND task_name = ?2 AND suspect = ?3 AND ready_at IS NOT NULL AND queue IS NULL
    ORDER BY ready_at LIMIT 1";

/// The columns that a claim checks. Tasks without an owner are set aside before.
pub(in crate::ledger::sqlite) const CANDIDATE_TASK: &str = "SELECT t.owner_id, d.crashes, d.cap, d.ran,
        c.call_no IS NULL OR c.state = 'replied' OR (c.state NOT IN ('open', 'left') AND c.reply_seq IS NOT NULL)
    FROM task t JOIN durable d ON d.task_no = t.task_no JOIN owner w ON w.owner_id = t.owner_id
    LEFT JOIN call c ON c.call_id = t.call_id
    WHERE t.task_no = ?1 AND t.state IN ('queued', 'waiting', 'stuck')
        AND (NOT ?2 OR (t.node = ?3 AND t.incarnation = ?4))";

/// After the claim, whose attempt is not counted.
const CLAIMED_TASK: &str =
    "SELECT task_no, task_name, root_task, ran, crashes, fruitless - 1 AS fruitless, claimed_at, input, user AS user_json,
        ?2 AS was_ready_at,
        EXISTS (SELECT 1 FROM step WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535) AS has_steps
    FROM durable WHERE task_no = ?1";

/// A claim under way.
pub(super) struct Claiming<'r> {
    pub(super) incarnation: &'r Incarnation,
    pub(super) request: &'r ClaimRequest,
    /// The names of the request, in order and without those that are paused.
    pub(super) names: Vec<&'r DurableName>,
    pub(super) claimed: Vec<ClaimedTask>,
    /// Whether it may take a suspect.
    pub(super) suspect: bool,
    /// The running tasks of owners, as far as they were counted.
    running: HashMap<i64, u32>,
}

impl<'r> Claiming<'r> {
    fn new(conn: &Connection, incarnation: &'r Incarnation, request: &'r ClaimRequest) -> Result<Self, Fault> {
        let mut names: Vec<&DurableName> = unpaused(conn, &request.names)?.collect();
        names.sort_unstable();
        names.dedup();
        let suspect = request.suspect;
        Ok(Self { incarnation, request, names, claimed: Vec::new(), suspect, running: HashMap::new() })
    }
}

/// When a task became ready, and the number of its row.
pub(super) type Place = (i64, i64);

/// Ready tasks in their order, read from an index a page at a time: suspects, or others.
pub(super) struct Pages {
    pub(super) suspects: bool,
    page: VecDeque<Place>,
    /// The place behind which the next page begins; `None` after the last page.
    behind: Option<Place>,
}

impl Pages {
    pub(super) fn new(suspects: bool) -> Self {
        Self { suspects, page: VecDeque::new(), behind: Some((i64::MIN, i64::MIN)) }
    }

    /// The first task that is left. `read` reads the tasks behind a place, and returns where it stopped if there may be
    /// more of them.
    pub(super) fn first(
        &mut self,
        mut read: impl FnMut(Place) -> Result<(Vec<Place>, Option<Place>), Fault>,
    ) -> Result<Option<Place>, Fault> {
        while self.page.is_empty()
            && let Some(behind) = self.behind
        {
            let (page, stopped_at) = read(behind)?;
            (self.page, self.behind) = (page.into(), stopped_at);
        }
        Ok(self.page.front().copied())
    }

    /// Takes the first task away.
    pub(super) fn skip(&mut self) {
        self.page.pop_front();
    }
}

/// Ready tasks of some names, in the order in which they became ready.
struct ReadyTasks<'r> {
    now: i64,
    program: &'r str,
    names: Vec<(&'r DurableName, Pages)>,
}

impl<'r> ReadyTasks<'r> {
    fn new(names: &[&'r DurableName], program: &'r str, now: i64) -> Self {
        let of_name = |name: &&'r DurableName| [false, true].map(|suspects| (*name, Pages::new(suspects)));
        Self { now, program, names: names.iter().flat_map(of_name).collect() }
    }

    /// The next task; a suspect only if it `may_be_suspect`.
    fn next(&mut self, conn: &Connection, may_be_suspect: bool) -> Result<Option<Place>, Fault> {
        let mut first: Option<(Place, usize)> = None;
        for (at, (name, pages)) in self.names.iter_mut().enumerate() {
            if pages.suspects && !may_be_suspect {
                continue;
            }
            let (DurableName { app_id, task_name }, suspects) = (name, pages.suspects);
            let found = pages.first(|(ready_at, number)| {
                let params = params![app_id, task_name, self.now, ready_at, number, self.program, PAGE, suspects];
                let page: Vec<Place> = all(conn, READY_TASKS, params, |row| Ok((row.get(0)?, row.get(1)?)))?;
                let stopped_at = page.last().copied().filter(|_| page.len() >= PAGE as usize);
                Ok((page, stopped_at))
            })?;
            first = first.into_iter().chain(found.map(|place| (place, at))).min();
        }
        Ok(first.map(|(place, at)| {
            self.names[at].1.skip();
            place
        }))
    }
}

impl Tx<'_> {
    /// A claim may be lost by a power failure: its process is gone then, and a step that is stored later syncs it.
    pub(in crate::ledger::sqlite) fn claim_tasks(
        &mut self,
        incarnation: &Incarnation,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedTask>, Fault> {
        self.fence(incarnation)?;
        let mut claiming = Claiming::new(self.conn, incarnation, request)?;
        let limit = request.limit as usize;
        let share = first_share(limit);
        // Suspects of queues and others starve neither: by chance the queues leave the only one to the others.
        let is_left = claiming.suspect && by_chance() && self.has_ready_suspect(&claiming.names)?;
        claiming.suspect &= !is_left;
        self.claim_from_queues(&mut claiming, share)?;
        claiming.suspect |= is_left;
        let has_more = claiming.claimed.len() >= share;
        let mut ready = ReadyTasks::new(&claiming.names, &request.program, self.now.as_microsecond());
        while claiming.claimed.len() < limit
            && let Some(task) = ready.next(self.conn, claiming.suspect)?
        {
            self.try_claim(&mut claiming, task)?;
        }
        if has_more {
            self.claim_from_queues(&mut claiming, limit)?;
        }
        Ok(claiming.claimed)
    }

    /// Whether a suspect outside of queues is ready.
    fn has_ready_suspect(&self, names: &[&DurableName]) -> Result<bool, Fault> {
        let now = self.now.as_microsecond();
        for DurableName { app_id, task_name } in names {
            let first: Option<i64> =
                one(self.conn, FIRST_READY, params![app_id, task_name, true], |row| Ok(row.get(0)?))?;
            if first.is_some_and(|at| at <= now) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes up a task, with the time when it became ready, unless the limits of suspects or of its owner forbid it.
    /// Returns whether it did.
    pub(super) fn try_claim(&mut self, claiming: &mut Claiming<'_>, (ready_at, number): Place) -> Result<bool, Fault> {
        let read = |row: &Row<'_>| {
            let (crashes, replied): (i64, bool) = (row.get(1)?, row.get(4)?);
            Ok((row.get(0)?, crashes >= i64::from(SUSPECT), duration(row.get(2)?), duration(row.get(3)?), replied))
        };
        let Incarnation { node, number: incarnation } = claiming.incarnation;
        let params = params![number, claiming.request.only_own, &**node, incarnation];
        let Some((owner_id, is_suspect, cap, ran, replied)) = one(self.conn, CANDIDATE_TASK, params, read)? else {
            return Ok(false);
        };
        if !replied || (is_suspect && !claiming.suspect) {
            return Ok(false);
        }
        if let Entry::Vacant(unread) = claiming.running.entry(owner_id) {
            unread.insert(one(self.conn, RUNNING_TASK_COUNT, [owner_id], |row| Ok(row.get(0)?))?.unwrap_or_default());
        }
        let running = claiming.running.get_mut(&owner_id);
        let Some(running) = running.filter(|running| **running < claiming.request.max_running) else {
            return Ok(false);
        };
        let program = (&*claiming.request.program, ready_at);
        let left = rules::cap_left(cap, ran);
        let Some(claimed) = self.claim(claiming.incarnation, (number, owner_id), program, left)? else {
            return Ok(false);
        };
        *running += 1;
        claiming.suspect &= !is_suspect;
        claiming.claimed.push(claimed);
        Ok(true)
    }

    fn claim(
        &mut self,
        incarnation: &Incarnation,
        (number, owner_id): (i64, i64),
        (program, ready_at): (&str, i64),
        left: Duration,
    ) -> Result<Option<ClaimedTask>, Fault> {
        let deadline_at = after(self.now, left).as_microsecond();
        // A damaged attempt starts over; it must not stop the claim.
        let sql = "UPDATE task SET state = 'running', abandoned = 0, waits_for = NULL, node = ?2, incarnation = ?3,
                   attempt = iif(attempt BETWEEN 0 AND 4294967294, attempt, 0) + 1, deadline_at = ?4,
                   interrupted_at = NULL, untold_since = NULL WHERE task_no = ?1";
        execute(self.conn, sql, params![number, &*incarnation.node, incarnation.number, deadline_at])?;
        let sql = "UPDATE durable SET ready_at = NULL, claimed_at = ?2, program = ?3, stuck_since = NULL,
                   fruitless = iif(fruitless BETWEEN 0 AND 1000000, fruitless, 0) + 1 WHERE task_no = ?1";
        execute(self.conn, sql, params![number, self.now.as_microsecond(), program])?;
        let record = self.task_record(number)?;
        let read = |row: &Row<'_>| Ok(decode::claimed(row, record, self.unreadable));
        let claimed = one(self.conn, CLAIMED_TASK, [number, ready_at], read)?;
        if let Some(claimed) = &claimed {
            let seq = self.take_numbers(owner_id, 1, 0)?;
            self.add_task_event(owner_id, seq, &claimed.record.task, None)?;
        }
        Ok(claimed)
    }
}

/// A stored time span; a damaged one counts as none.
fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
