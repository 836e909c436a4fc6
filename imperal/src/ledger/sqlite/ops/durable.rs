//! Durable tasks: claims, hand-overs, ends of their incarnations.
//!
//! A claim reads the ready tasks of each of its names from an index, a page at a time, and merges them. So tasks of
//! other names cost nothing, and tasks that it skips cost one look.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::incarnations::micros;
use super::tasks::{HAS_UNHELD_TASK, RUNNING_TASK_COUNT};
use super::{Notification, Tx};
use crate::ledger::clock::after;
use crate::ledger::rules::{self, SUSPECT};
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{all, execute, one};
use crate::ledger::{
    Attempt, ClaimRequest, ClaimedTask, DurableName, Incarnation, LedgerError, NewDurable, Release, Task, TaskState,
    WaitsFor, decode,
};

/// Ready tasks of one name that are read at a time.
const PAGE: u32 = 64;

/// The ready tasks of a name behind a place, without those that the program has refused.
pub(in crate::ledger::sqlite) const READY_TASKS: &str = "SELECT ready_at, task_no FROM durable INDEXED BY durable_ready
    WHERE app_id = ?1 AND task_name = ?2 AND ready_at IS NOT NULL AND ready_at <= ?3 AND ready_at >= ?4
        AND (ready_at > ?4 OR task_no > ?5) AND (refused_by = '' OR refused_by <> ?6)
    ORDER BY ready_at, task_no LIMIT ?7";

/// The columns that a claim checks. Tasks without an owner are set aside before.
pub(in crate::ledger::sqlite) const CANDIDATE_TASK: &str = "SELECT t.owner_id, d.crashes, d.cap, d.ran,
        c.call_no IS NULL OR c.state = 'replied' OR (c.state NOT IN ('open', 'left') AND c.reply_seq IS NOT NULL)
    FROM task t JOIN durable d ON d.task_no = t.task_no JOIN owner w ON w.owner_id = t.owner_id
    LEFT JOIN call c ON c.call_id = t.call_id
    WHERE t.task_no = ?1 AND t.state IN ('queued', 'waiting', 'stuck')";

/// After the claim, whose attempt is not counted.
const CLAIMED_TASK: &str =
    "SELECT task_no, task_name, root_task, ran, crashes, fruitless - 1 AS fruitless, claimed_at, input, user AS user_json
    FROM durable WHERE task_no = ?1";

/// The latest step or message: its attempt, and when it was stored.
pub(in crate::ledger::sqlite) const LAST_STEP: &str = "SELECT attempt, done_at FROM step
    WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535 ORDER BY step_id DESC LIMIT 1";

/// Whether a cancel of the task was requested.
const IS_CANCELLED: &str = "SELECT 1 FROM task WHERE task_no = ?1 AND cancel_requested_at IS NOT NULL";

/// The attempt that stored the latest progress.
pub(in crate::ledger::sqlite) const LAST_PROGRESS: &str = "SELECT attempt FROM step
    WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535 AND kind = 'step' ORDER BY step_id DESC LIMIT 1";

/// Running durable tasks of an incarnation.
pub(in crate::ledger::sqlite) const HELD_DURABLE_TASKS: &str =
    "SELECT task_no, attempt FROM task WHERE node = ?1 AND incarnation = ?2 AND state = 'running' AND durable <> 0";

/// How an attempt ends without an end of its task.
#[derive(Clone, Copy)]
pub(super) enum AttemptEnd<'r> {
    Released(&'r Release),
    /// With its incarnation.
    Orphaned(Lost),
}

/// How the incarnation of an attempt ended.
#[derive(Clone, Copy)]
pub(super) struct Lost {
    pub(super) is_crash: bool,
    /// When it was last known to be alive, if that is known.
    pub(super) alive_at: Option<i64>,
}

/// Ready tasks of some names, in the order in which they became ready.
struct ReadyTasks<'r> {
    now: i64,
    program: &'r str,
    names: Vec<NameQueue<'r>>,
}

struct NameQueue<'r> {
    name: &'r DurableName,
    page: VecDeque<(i64, i64)>,
    /// The place behind which the next page begins; `None` after the last page.
    behind: Option<(i64, i64)>,
}

impl<'r> ReadyTasks<'r> {
    fn new(request: &'r ClaimRequest, now: i64) -> Self {
        let mut names: Vec<&DurableName> = request.names.iter().collect();
        names.sort_unstable();
        names.dedup();
        let queue = |name| NameQueue { name, page: VecDeque::new(), behind: Some((i64::MIN, i64::MIN)) };
        Self { now, program: &request.program, names: names.into_iter().map(queue).collect() }
    }

    /// The number of the next task's row.
    fn next(&mut self, conn: &Connection) -> Result<Option<i64>, Fault> {
        for queue in &mut self.names {
            if queue.page.is_empty()
                && let Some((ready_at, number)) = queue.behind
            {
                let DurableName { app_id, task_name } = queue.name;
                let params = params![app_id, task_name, self.now, ready_at, number, self.program, PAGE];
                let page = all(conn, READY_TASKS, params, |row| Ok((row.get(0)?, row.get(1)?)))?;
                queue.behind = page.last().copied().filter(|_| page.len() >= PAGE as usize);
                queue.page = page.into();
            }
        }
        let first = self.names.iter_mut().filter(|queue| !queue.page.is_empty()).min_by_key(|queue| queue.page[0]);
        Ok(first.and_then(|queue| queue.page.pop_front()).map(|(_, number)| number))
    }
}

impl Tx<'_> {
    /// Writes the durable part of a task that starts, or waits for a slot.
    pub(super) fn add_durable(&self, number: i64, task: &Task, new: &NewDurable, cap: Duration) -> Result<(), Fault> {
        // Rows under this number are left from a task whose row was lost.
        let sql = "DELETE FROM step WHERE step_id > (?1 << 16) AND step_id <= (?1 << 16) + 65535";
        execute(self.conn, sql, [number])?;
        execute(self.conn, "DELETE FROM question WHERE task_no = ?1", [number])?;
        let sql = "INSERT OR REPLACE INTO durable
                       (task_no, app_id, task_name, root_task, cap, claimed_at, fruitless, ready_at, input, user)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let starts = task.state.is_held();
        let params = params![
            number,
            task.app_id,
            new.task_name,
            new.root_task.to_string(),
            micros(cap),
            starts.then(|| self.now.as_microsecond()),
            starts,
            task.ready_at.map(Timestamp::as_microsecond),
            new.input,
            new.user
        ];
        execute(self.conn, sql, params)?;
        Ok(())
    }

    /// A claim may be lost by a power failure: its process is gone then, and a step that is stored later syncs it.
    pub(in crate::ledger::sqlite) fn claim_tasks(
        &mut self,
        incarnation: &Incarnation,
        request: &ClaimRequest,
    ) -> Result<Vec<ClaimedTask>, Fault> {
        self.fence(incarnation)?;
        let mut ready = ReadyTasks::new(request, self.now.as_microsecond());
        let (mut claimed, mut suspect) = (Vec::new(), request.suspect);
        let mut running: HashMap<i64, u32> = HashMap::new();
        while claimed.len() < request.limit as usize
            && let Some(number) = ready.next(self.conn)?
        {
            let read = |row: &Row<'_>| {
                let (crashes, replied): (i64, bool) = (row.get(1)?, row.get(4)?);
                Ok((row.get(0)?, crashes >= i64::from(SUSPECT), duration(row.get(2)?), duration(row.get(3)?), replied))
            };
            let Some((owner_id, is_suspect, cap, ran, replied)) = one(self.conn, CANDIDATE_TASK, [number], read)?
            else {
                continue;
            };
            if !replied || (is_suspect && !suspect) {
                continue;
            }
            if let std::collections::hash_map::Entry::Vacant(unread) = running.entry(owner_id) {
                unread
                    .insert(one(self.conn, RUNNING_TASK_COUNT, [owner_id], |row| Ok(row.get(0)?))?.unwrap_or_default());
            }
            let Some(running) = running.get_mut(&owner_id).filter(|running| **running < request.max_running) else {
                continue;
            };
            *running += 1;
            suspect &= !is_suspect;
            claimed.extend(self.claim(incarnation, number, owner_id, rules::cap_left(cap, ran))?);
        }
        Ok(claimed)
    }

    fn claim(
        &mut self,
        incarnation: &Incarnation,
        number: i64,
        owner_id: i64,
        left: Duration,
    ) -> Result<Option<ClaimedTask>, Fault> {
        let deadline_at = after(self.now, left).as_microsecond();
        // A damaged attempt starts over; it must not stop the claim.
        let sql = "UPDATE task SET state = 'running', abandoned = 0, waits_for = NULL, node = ?2, incarnation = ?3,
                   attempt = iif(attempt BETWEEN 0 AND 4294967294, attempt, 0) + 1, deadline_at = ?4,
                   interrupted_at = NULL, untold_since = NULL WHERE task_no = ?1";
        execute(self.conn, sql, params![number, &*incarnation.node, incarnation.number, deadline_at])?;
        let sql = "UPDATE durable SET ready_at = NULL, claimed_at = ?2, stuck_since = NULL,
                   fruitless = iif(fruitless BETWEEN 0 AND 1000000, fruitless, 0) + 1 WHERE task_no = ?1";
        execute(self.conn, sql, params![number, self.now.as_microsecond()])?;
        let record = self.task_record(number)?;
        let claimed = one(self.conn, CLAIMED_TASK, [number], |row| Ok(decode::claimed(row, record, self.unreadable)))?;
        if let Some(claimed) = &claimed {
            let seq = self.take_numbers(owner_id, 1, 0)?;
            self.add_task_event(owner_id, seq, &claimed.record.task, None)?;
        }
        Ok(claimed)
    }

    /// A release may be lost by a power failure: then the task is orphaned with its incarnation.
    pub(in crate::ledger::sqlite) fn release_task(
        &mut self,
        incarnation: &Incarnation,
        attempt: Attempt,
        release: &Release,
    ) -> Result<Task, Fault> {
        self.fence(incarnation)?;
        let task = self.task(attempt.task_id)?;
        if task.facts().is_released(incarnation, attempt.number) {
            return Ok(self.task_record(task.number)?.task);
        }
        task.facts().check_write(incarnation, attempt.number)?;
        if !task.durable || !self.end_attempt(task.number, attempt.number.into(), AttemptEnd::Released(release))? {
            return Err(LedgerError::NotHolder.into());
        }
        let released = self.task_record(task.number)?.task;
        let seq = self.take_numbers(task.owner_id, 1, 0)?;
        self.add_task_event(task.owner_id, seq, &released, None)?;
        // A task that waits is not ready, but it has given up its slot.
        let is_ready = released.state != TaskState::Waiting;
        if is_ready || one(self.conn, HAS_UNHELD_TASK, [task.owner_id], |_| Ok(()))?.is_some() {
            self.notifications.push(Notification::ReadyTask);
        }
        Ok(released)
    }

    /// Ends a running attempt and leaves the task for another process, without an event. False if the durable part of
    /// the task is missing; then nothing is written.
    pub(super) fn end_attempt(&self, number: i64, attempt: i64, end: AttemptEnd<'_>) -> Result<bool, Fault> {
        let sql = "SELECT claimed_at, ran, crashes, refused_since FROM durable WHERE task_no = ?1";
        let read = |row: &Row<'_>| {
            let (claimed_at, ran): (Option<i64>, i64) = (row.get(0)?, row.get(1)?);
            Ok((claimed_at, ran, row.get::<_, i64>(2)?, row.get::<_, Option<i64>>(3)?))
        };
        let Some((claimed_at, ran, crashes, refused_since)) = one(self.conn, sql, [number], read)? else {
            return Ok(false);
        };
        let last = one(self.conn, LAST_STEP, [number], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        let last_step_at = last.filter(|(of, _)| *of == attempt).map(|(_, at)| at);
        let progress = one(self.conn, LAST_PROGRESS, [number], |row| Ok(row.get::<_, i64>(0)?))?;
        let (now, has_progress) = (self.now.as_microsecond(), progress == Some(attempt));
        let (until, is_crash, interrupted_at) = match end {
            AttemptEnd::Released(_) => (now, false, None),
            AttemptEnd::Orphaned(Lost { is_crash, alive_at }) => {
                let interrupted_at = alive_at.map(|at| rules::interrupted_at(at, [claimed_at, last_step_at], now));
                (last_step_at.or(claimed_at).unwrap_or(now), is_crash, interrupted_at)
            }
        };
        let ran = ran.max(0).saturating_add(claimed_at.map_or(0, |from| until.saturating_sub(from).max(0)));
        let park = match end {
            AttemptEnd::Released(Release::Park(park)) => Some(park),
            _ => None,
        };
        let clears_counts = has_progress || park.is_some();
        let crashes = if clears_counts { 0 } else { u32::try_from(crashes).unwrap_or_default() };
        let crashes = crashes.saturating_add(u32::from(is_crash && !has_progress));
        let retry = rules::retry_after(if is_crash { crashes } else { 0 });
        let refused_since = refused_since.filter(|_| !has_progress);
        let is_refused = matches!(end, AttemptEnd::Released(Release::Refused { .. }));
        let wait = if is_refused && refused_since.is_some() { rules::REFUSED_AGAIN } else { retry };
        let ready_at = Some(after(self.now, wait));
        // The park of a task whose answer or cancel came first makes it ready.
        let park = if let Some(park) = park
            && !self.is_answered(number, park)?
            && one(self.conn, IS_CANCELLED, [number], |_| Ok(()))?.is_none()
        {
            Some(park)
        } else {
            None
        };
        let ready_at = park.map_or(ready_at, |park| park.wake_at).map(Timestamp::as_microsecond);
        let (state, waits_for, refused_by, refused_since) = match (end, park) {
            (_, Some(park)) => {
                let waits_for = if park.questions.is_empty() { WaitsFor::Time } else { WaitsFor::Answer };
                (TaskState::Waiting, waits_for, None, refused_since)
            }
            (AttemptEnd::Released(Release::Refused { program }), None) => {
                (TaskState::Stuck, WaitsFor::Version, Some(program), refused_since.or(Some(now)))
            }
            _ if retry.is_zero() => (TaskState::Queued, WaitsFor::Process, None, refused_since),
            _ => (TaskState::Queued, WaitsFor::Retry, None, refused_since),
        };
        let sql = "UPDATE durable SET claimed_at = NULL, ran = ?2, crashes = ?3, fruitless = iif(?4, 0, max(fruitless - ?8, 0)),
                   refused_since = ?5, stuck_since = iif(?8, ?5, NULL), ready_at = ?6,
                   refused_by = coalesce(?7, refused_by) WHERE task_no = ?1";
        execute(
            self.conn,
            sql,
            params![number, ran, crashes, clears_counts, refused_since, ready_at, refused_by, is_refused],
        )?;
        let sql =
            "UPDATE task SET state = ?2, waits_for = ?3, deadline_at = NULL, interrupted_at = ?4, untold_since = ?5
                   WHERE task_no = ?1";
        let untold_since = matches!(end, AttemptEnd::Orphaned(_)).then_some(now);
        execute(self.conn, sql, params![number, state.as_str(), waits_for.as_str(), interrupted_at, untold_since])?;
        Ok(true)
    }

    /// Gives up running durable tasks, each with its attempt and how that ended. A task without its durable
    /// part keeps running, so it is orphaned like a background task.
    pub(super) fn orphan_durable(&mut self, held: &[(i64, i64, Lost)]) -> Result<(), Fault> {
        for (number, attempt, lost) in held {
            self.end_attempt(*number, *attempt, AttemptEnd::Orphaned(*lost))?;
        }
        if !held.is_empty() {
            self.notifications.push(Notification::ReadyTask);
        }
        Ok(())
    }
}

/// A stored time span; a damaged one counts as none.
fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
