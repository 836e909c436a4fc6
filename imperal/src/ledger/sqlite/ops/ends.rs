//! Ends of tasks: one, or many in one write. Recovery also writes many replies to calls in one.
//!
//! Many ends together take an owner's numbers and extend the audit chain in memory, and the owner's row is read and
//! written once. A damaged row must not stop the others: after a fault in the middle, the writer undoes everything and
//! runs the write again with a savepoint for each end. (Savepoints from the start would copy every page once for each
//! end that touches it.)

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Row, params};

use super::drafts::HAS_DRAFTS;
use super::tasks::{HAS_UNHELD_TASK, TaskRow, is_replied};
use super::{EndJson, Notification, Stamp, TurnJson, Tx, stored_today};
use crate::ids::{CallId, TaskId};
use crate::ledger::rules::{self, Hold};
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{TASK_COLUMNS, execute, get_number, number, one, record, select_task};
use crate::ledger::{AuditHash, Incarnation, NewAudit, Owner, Task};

/// An orphaned background task, with its owner and whether its call has the reply; null if the call is missing. All
/// other tasks, and those of a damaged owner, end one by one. So does a task with a queue, which only a damaged row has:
/// its end frees a slot for other owners.
pub(in crate::ledger::sqlite) const LEFT_TASK: &str = select_task!(
    list concat!(", t.owner_id, (SELECT ", is_replied!(), " FROM call c WHERE c.call_id = t.call_id)"),
    "WHERE t.task_id = ?1 AND t.state = 'running' AND t.abandoned = 1 AND t.durable = 0 AND t.queue IS NULL"
);

/// An orphaned call with its owner. All other calls, and those of a damaged owner, get their replies one by one.
pub(in crate::ledger::sqlite) const LEFT_CALL: &str =
    "SELECT call_no, owner_id FROM call WHERE call_id = ?1 AND state = 'left' AND reply_seq IS NULL";

/// The end of one piece of work whose incarnation has ended.
#[derive(Debug)]
pub(in crate::ledger::sqlite) enum WorkEnd {
    Call(CallId, TurnJson),
    Task(TaskId, Box<EndJson>),
}

impl WorkEnd {
    /// Bytes of its turn.
    pub(in crate::ledger::sqlite) fn bytes(&self) -> usize {
        match self {
            Self::Call(_, turn) => turn.json.len(),
            Self::Task(_, end) => end.turn.json.len(),
        }
    }
}

/// How one write of many ends protects each from the others' faults.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger::sqlite) enum EndIsolation {
    /// Not at all: nearly every end is checked before it writes.
    #[default]
    None,
    /// By a savepoint for each end.
    Savepoints,
}

/// A task that is to end together with others.
struct LeftTask {
    task_no: i64,
    owner_id: i64,
    task: Task,
    is_call_replied: Option<bool>,
}

/// An owner whose work ends: its row as it will be written.
struct EndingOwner {
    owner: Owner,
    head: u64,
    stored: u64,
    audit_end: Option<AuditHash>,
}

impl Tx<'_> {
    pub(in crate::ledger::sqlite) fn reclaim_task(
        &mut self,
        incarnation: &Incarnation,
        task_id: TaskId,
        end: &EndJson,
    ) -> Result<Stamp, Fault> {
        self.fence(incarnation)?;
        let task = self.task(task_id)?;
        task.facts().check_reclaim()?;
        self.end_task(&task, end)
    }

    /// Writes a task's end. The caller has checked the rules of the task, but not those of its call.
    pub(super) fn end_task(&mut self, task: &TaskRow, end: &EndJson) -> Result<Stamp, Fault> {
        rules::check_call_replied(self.is_call_replied(task.number)?)?;
        let (owner_id, EndJson { state, turn, audit, open_effects, notes }) = (task.owner_id, end);
        if task.durable {
            rules::check_open_effects(self.open_effects(task.number)?, *open_effects)?;
        }
        let seq = self.take_numbers(owner_id, 2, turn.json.len())?;
        let outcome_seq = seq + 1;
        if task.durable {
            self.withdraw_questions(task.number)?;
        }
        self.mark_ended(task.number, end, outcome_seq)?;
        self.end_drafts_of_task(task.number)?;
        if task.durable {
            self.end_durable(task.number, *state)?;
            self.note_attempt(task.number, notes.as_deref())?;
        }
        // The outcome turn is not written yet, so the record has no result.
        let ended = self.task_record(task.number)?.task;
        self.add_task_event(owner_id, seq, &ended, Some(outcome_seq))?;
        self.audit_of(owner_id, audit)?;
        let frees_slot = task.facts().hold != Hold::Free;
        if frees_slot && (task.in_queue || one(self.conn, HAS_UNHELD_TASK, [owner_id], |_| Ok(()))?.is_some()) {
            self.notifications.push(Notification::ReadyTask);
        }
        self.insert_turn(owner_id, outcome_seq, turn)
    }

    fn mark_ended(&self, task_no: i64, end: &EndJson, outcome_seq: u64) -> Result<(), Fault> {
        let sql =
            "UPDATE task SET state = ?2, finished_at = ?3, outcome_seq = ?4, waits_for = NULL, open_questions = 0,
                   open_effects = ?5, untold_since = NULL WHERE task_no = ?1";
        let EndJson { state, open_effects, .. } = end;
        let finished_at = self.now.as_microsecond();
        execute(self.conn, sql, params![task_no, state.as_str(), finished_at, number(outcome_seq), open_effects])?;
        Ok(())
    }

    /// Whether an end was written or refused, for each. A fault of the whole write is an error.
    pub(in crate::ledger::sqlite) fn reclaim_many(
        &mut self,
        incarnation: &Incarnation,
        ends: &[WorkEnd],
        isolation: &mut EndIsolation,
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        self.fence(incarnation)?;
        if *isolation == EndIsolation::None {
            let before = self.conn.total_changes();
            let notified = self.notifications.len();
            match self.reclaim_together(incarnation, ends) {
                Err(fault) if self.conn.is_autocommit() => return Err(fault),
                Err(fault) if self.conn.total_changes() != before => {
                    *isolation = EndIsolation::Savepoints;
                    return Err(fault);
                }
                // Nothing has to be undone.
                Err(_) => self.notifications.truncate(notified),
                ended => return ended,
            }
        }
        ends.iter().map(|end| self.reclaim_in_savepoint(incarnation, end)).collect()
    }

    fn reclaim_one(&mut self, incarnation: &Incarnation, end: &WorkEnd) -> Result<(), Fault> {
        match end {
            WorkEnd::Call(call_id, turn) => self.reclaim_call(incarnation, *call_id, turn).map(drop),
            WorkEnd::Task(task_id, end) => self.reclaim_task(incarnation, *task_id, end).map(drop),
        }
    }

    fn reclaim_in_savepoint(&mut self, incarnation: &Incarnation, end: &WorkEnd) -> Result<Result<(), Fault>, Fault> {
        let notified = self.notifications.len();
        execute(self.conn, "SAVEPOINT one_end", ())?;
        let ended = self.reclaim_one(incarnation, end);
        if ended.is_err() {
            if self.conn.is_autocommit() {
                return ended.map(Ok);
            }
            self.notifications.truncate(notified);
            self.cache.forget();
            execute(self.conn, "ROLLBACK TO one_end", ())?;
        }
        execute(self.conn, "RELEASE one_end", ())?;
        Ok(ended)
    }

    fn reclaim_together(
        &mut self,
        incarnation: &Incarnation,
        ends: &[WorkEnd],
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        let has_drafts = one(self.conn, HAS_DRAFTS, (), |_| Ok(()))?.is_some();
        let mut owners = HashMap::new();
        let mut answers = Vec::with_capacity(ends.len());
        for end in ends {
            let mut before = self.conn.total_changes();
            let ended = match self.end_left(&mut owners, end, has_drafts) {
                Ok(false) => {
                    self.write_owners(&mut owners)?;
                    before = self.conn.total_changes();
                    self.reclaim_one(incarnation, end)
                }
                ended => ended.map(drop),
            };
            match ended {
                Err(Fault::Refused(error)) if self.conn.total_changes() == before => answers.push(Err(error.into())),
                ended => answers.push(Ok(ended?)),
            }
        }
        self.write_owners(&mut owners)?;
        Ok(answers)
    }

    /// Ends an orphan without writing the row of its owner. `false` for work that has to end by itself.
    fn end_left(
        &mut self,
        owners: &mut HashMap<i64, EndingOwner>,
        end: &WorkEnd,
        has_drafts: bool,
    ) -> Result<bool, Fault> {
        match end {
            WorkEnd::Call(call_id, turn) => match self.left_call(*call_id)? {
                Some(left) => self.end_left_call(owners, left, turn, has_drafts)?,
                None => return Ok(false),
            },
            WorkEnd::Task(task_id, end) => match self.left_task(*task_id)? {
                Some(left) if self.is_audited_for(left.owner_id, &end.audit)? => {
                    self.end_left_task(owners, left, end, has_drafts)?;
                }
                _ => return Ok(false),
            },
        }
        Ok(true)
    }

    /// The numbers of a call and of its owner.
    fn left_call(&self, call_id: CallId) -> Result<Option<(i64, i64)>, Fault> {
        one(self.conn, LEFT_CALL, [call_id.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// [`Tx::settle_call`] of an orphaned call, without the row of its owner.
    fn end_left_call(
        &self,
        owners: &mut HashMap<i64, EndingOwner>,
        (call_no, owner_id): (i64, i64),
        turn: &TurnJson,
        has_drafts: bool,
    ) -> Result<(), Fault> {
        let owner = self.ending_owner(owners, owner_id)?;
        let seq = owner.head.saturating_add(1);
        self.insert_turn(owner_id, seq, turn)?;
        owner.head = seq;
        owner.stored = owner.stored.saturating_add(turn.json.len() as u64);
        self.mark_replied(call_no, seq)?;
        if has_drafts {
            self.end_drafts_of_call(call_no)?;
        }
        Ok(())
    }

    fn left_task(&self, task_id: TaskId) -> Result<Option<LeftTask>, Fault> {
        one(self.conn, LEFT_TASK, [task_id.to_string()], |row| {
            let task = record(row, self.unreadable).task;
            let more = TASK_COLUMNS.len();
            Ok(LeftTask { task_no: row.get(0)?, owner_id: row.get(more)?, task, is_call_replied: row.get(more + 1)? })
        })
    }

    /// Whether the audit row is the owner's, as nearly all are.
    fn is_audited_for(&self, owner_id: i64, audit: &NewAudit) -> Result<bool, Fault> {
        let owner = self.owner(owner_id)?;
        Ok((&*owner.tenant_id, &*owner.user_id) == (&*audit.tenant_id, &*audit.user_id))
    }

    /// [`Tx::end_task`] of an orphaned background task, without the row of its owner.
    fn end_left_task(
        &mut self,
        owners: &mut HashMap<i64, EndingOwner>,
        left: LeftTask,
        end: &EndJson,
        has_drafts: bool,
    ) -> Result<(), Fault> {
        let LeftTask { task_no, owner_id, task, is_call_replied } = left;
        rules::check_call_replied(is_call_replied)?;
        let owner = self.ending_owner(owners, owner_id)?;
        let (seq, outcome_seq) = (owner.head.saturating_add(1), owner.head.saturating_add(2));
        owner.head = outcome_seq;
        owner.stored = owner.stored.saturating_add(end.turn.json.len() as u64);
        self.mark_ended(task_no, end, outcome_seq)?;
        if has_drafts {
            self.end_drafts_of_task(task_no)?;
        }
        let ended = Task {
            state: end.state,
            finished_at: Some(self.now),
            waits_for: None,
            open_questions: 0,
            open_effects: end.open_effects,
            result: None,
            ..task
        };
        self.add_task_event(owner_id, seq, &ended, Some(outcome_seq))?;
        owner.audit_end = Some(self.insert_audit(owner_id, owner.audit_end.as_ref(), &end.audit)?);
        self.insert_turn(owner_id, outcome_seq, &end.turn)?;
        Ok(())
    }

    fn ending_owner<'o>(
        &self,
        owners: &'o mut HashMap<i64, EndingOwner>,
        owner_id: i64,
    ) -> Result<&'o mut EndingOwner, Fault> {
        Ok(match owners.entry(owner_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.read_owner(owner_id)?),
        })
    }

    fn read_owner(&self, owner_id: i64) -> Result<EndingOwner, Fault> {
        // The first read of an owner repairs damaged numbers.
        let owner = self.owner(owner_id)?;
        let sql = concat!("SELECT head, ", stored_today!(), ", audit_end FROM owner WHERE owner_id = ?1");
        let read = |row: &Row<'_>| Ok((get_number(row, 0)?, get_number(row, 1)?, row.get::<_, Option<Vec<u8>>>(2)?));
        let (head, stored, audit_end) = one(self.conn, sql, params![owner_id, self.today()], read)?
            .ok_or_else(|| Fault::Row(format!("owner {owner_id} is missing")))?;
        Ok(EndingOwner { owner, head, stored, audit_end: self.audit_end(owner_id, audit_end) })
    }

    /// Writes the rows of owners whose work has ended, and tells of it.
    fn write_owners(&mut self, owners: &mut HashMap<i64, EndingOwner>) -> Result<(), Fault> {
        let sql = "UPDATE owner SET head = ?2, stored = ?3, stored_day = ?4, audit_end = ?5 WHERE owner_id = ?1";
        let mut frees_slots = false;
        for (owner_id, EndingOwner { owner, head, stored, audit_end }) in owners.drain() {
            let audit_end = audit_end.as_ref().map(AuditHash::as_bytes);
            execute(self.conn, sql, params![owner_id, number(head), number(stored), self.today(), audit_end])?;
            frees_slots = frees_slots || one(self.conn, HAS_UNHELD_TASK, [owner_id], |_| Ok(()))?.is_some();
            self.notifications.push(Notification::Events(owner));
        }
        if frees_slots {
            self.notifications.push(Notification::ReadyTask);
        }
        Ok(())
    }
}
