//! Calls, their replies, and turns outside of both.

use rusqlite::types::ValueRef;
use rusqlite::{Row, params};

use super::tasks::{HAS_UNHELD_TASK, Start};
use super::{EndJson, Notification, Stamp, TurnJson, Tx};
use crate::ids::CallId;
use crate::ledger::rules::{self, CallFacts};
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{execute, get_number, incarnation, number, one};
use crate::ledger::{
    Attempt, CallCancel, Fence, Incarnation, LedgerError, MessageSource, NewAudit, NewTask, Owner, Task, Work,
};

/// A call that is written with its first task: its id, its user, its turn, and the most bytes that its user may store.
type FirstCall<'a> = (CallId, &'a Owner, &'a TurnJson, Option<u64>);

pub(super) struct CallRow {
    number: i64,
    pub(super) owner_id: i64,
    incarnation: Incarnation,
    state: CallState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CallState {
    Open,
    Left,
    Replied,
}

impl CallRow {
    pub(super) fn facts(&self) -> CallFacts<'_, i64> {
        CallFacts {
            owner: self.owner_id,
            holder: &self.incarnation,
            replied: self.state == CallState::Replied,
            orphaned: self.state == CallState::Left,
        }
    }
}

impl Tx<'_> {
    /// Finds a call by its id, or by its row number if the id names the row.
    pub(super) fn call(&self, call_id: CallId) -> Result<CallRow, Fault> {
        let read = |row: &Row<'_>| {
            let replied = row.get_ref("reply_seq")? != ValueRef::Null;
            let state = match row.get_ref("state")?.as_bytes() {
                Ok(b"open") => CallState::Open,
                Ok(b"left") => CallState::Left,
                Ok(b"replied") => CallState::Replied,
                _ if replied => CallState::Replied,
                _ => CallState::Left,
            };
            Ok(CallRow {
                number: row.get("call_no")?,
                owner_id: row.get("owner_id")?,
                incarnation: incarnation(row)?,
                state,
            })
        };
        let sql = "SELECT call_no, owner_id, node, incarnation, state, reply_seq FROM call WHERE call_id = ?1";
        let mut found = one(self.conn, sql, [call_id.to_string()], read)?;
        if let (None, Some(row)) = (&found, call_id.row()) {
            let sql = "SELECT call_no, owner_id, node, incarnation, state, reply_seq FROM call WHERE call_no = ?1";
            found = one(self.conn, sql, [row], read)?;
        }
        found.ok_or_else(|| LedgerError::NotFound.into())
    }

    pub(in crate::ledger::sqlite) fn accept_call(
        &mut self,
        incarnation: &Incarnation,
        call_id: CallId,
        owner: &Owner,
        turn: &TurnJson,
        max_stored: Option<u64>,
    ) -> Result<Stamp, Fault> {
        self.fence(incarnation)?;
        let owner_id = self.find_or_add_owner(owner)?;
        self.check_stored(owner_id, Some(call_id), turn, max_stored)?;
        // The call is written before its turn, so a repeated request is refused before anything was written.
        self.insert_open_call(incarnation, owner_id, call_id)?;
        self.add_turn(owner_id, turn)
    }

    /// Writes a call, whose turn gets the owner's next number.
    fn insert_open_call(&self, incarnation: &Incarnation, owner_id: i64, call_id: CallId) -> Result<(), Fault> {
        let sql = "INSERT INTO call (call_id, owner_id, node, incarnation, turn_seq)
                   SELECT ?1, owner_id, ?3, ?4, head + 1 FROM owner WHERE owner_id = ?2";
        execute(self.conn, sql, params![call_id.to_string(), owner_id, &*incarnation.node, incarnation.number])?;
        Ok(())
    }

    /// Writes a call that is replied. `behind`: the number of the reply less that of the call's turn.
    fn insert_replied_call(
        &self,
        incarnation: &Incarnation,
        owner_id: i64,
        call_id: CallId,
        behind: i64,
    ) -> Result<(), Fault> {
        let sql = "INSERT INTO call (call_id, owner_id, node, incarnation, turn_seq, state, reply_seq)
                   SELECT ?1, owner_id, ?3, ?4, head + 1, 'replied', head + 1 + ?5 FROM owner WHERE owner_id = ?2";
        let whose = params![call_id.to_string(), owner_id, &*incarnation.node, incarnation.number, behind];
        execute(self.conn, sql, whose)?;
        Ok(())
    }

    /// Writes a call together with its reply.
    pub(in crate::ledger::sqlite) fn answer_call(
        &mut self,
        incarnation: &Incarnation,
        call_id: CallId,
        owner: &Owner,
        turn: &TurnJson,
        max_stored: Option<u64>,
        reply: &TurnJson,
    ) -> Result<[Stamp; 2], Fault> {
        self.fence(incarnation)?;
        let owner_id = self.find_or_add_owner(owner)?;
        self.check_stored(owner_id, Some(call_id), turn, max_stored)?;
        self.insert_replied_call(incarnation, owner_id, call_id, 1)?;
        let first = self.take_numbers(owner_id, 2, turn.json.len() + reply.json.len())?;
        Ok([self.insert_turn(owner_id, first, turn)?, self.insert_turn(owner_id, first + 1, reply)?])
    }

    /// Writes a call together with its first task. A start that is refused is refused before anything is written.
    pub(in crate::ledger::sqlite) fn accept_and_start(
        &mut self,
        incarnation: &Incarnation,
        call: FirstCall<'_>,
        task: &NewTask,
    ) -> Result<(Stamp, Task), Fault> {
        let (owner_id, start) = self.check_first_start(incarnation, call, task)?;
        let (call_id, _, turn, _) = call;
        self.insert_open_call(incarnation, owner_id, call_id)?;
        let first = self.take_numbers(owner_id, 2, turn.json.len())?;
        let stamp = self.insert_turn(owner_id, first, turn)?;
        let task = self.insert_task(incarnation, owner_id, task, &start)?;
        self.add_task_event(owner_id, first + 1, &task, None)?;
        Ok((stamp, task))
    }

    /// Writes a call together with its first task and its reply.
    pub(in crate::ledger::sqlite) fn start_and_answer(
        &mut self,
        incarnation: &Incarnation,
        call: FirstCall<'_>,
        task: &NewTask,
        reply: &TurnJson,
    ) -> Result<(Stamp, Task, Stamp), Fault> {
        let (owner_id, start) = self.check_first_start(incarnation, call, task)?;
        let (call_id, _, turn, _) = call;
        self.insert_replied_call(incarnation, owner_id, call_id, 2)?;
        let first = self.take_numbers(owner_id, 3, turn.json.len() + reply.json.len())?;
        let asked = self.insert_turn(owner_id, first, turn)?;
        let task = self.insert_task(incarnation, owner_id, task, &start)?;
        self.add_task_event(owner_id, first + 1, &task, None)?;
        let replied = self.insert_turn(owner_id, first + 2, reply)?;
        self.announce_unheld_task(owner_id)?;
        Ok((asked, task, replied))
    }

    /// Checks a call and the start of its first task, before either is written.
    fn check_first_start(
        &mut self,
        incarnation: &Incarnation,
        (call_id, owner, turn, max_stored): FirstCall<'_>,
        task: &NewTask,
    ) -> Result<(i64, Start), Fault> {
        self.fence(incarnation)?;
        let owner_id = self.find_or_add_owner(owner)?;
        self.check_stored(owner_id, Some(call_id), turn, max_stored)?;
        let start = self.check_start(owner_id, task).and_then(|start| {
            start.check(task)?;
            Ok(start)
        });
        match start {
            Ok(start) => Ok((owner_id, start)),
            Err(refusal) => {
                // An id that exists is refused first: the request is a repeated one.
                let sql = "SELECT 1 FROM call WHERE call_id = ?1 UNION ALL SELECT 1 FROM task WHERE task_id = ?2";
                let ids = [call_id.to_string(), task.task_id.to_string()];
                Err(match one(self.conn, sql, ids, |_| Ok(()))? {
                    Some(()) => LedgerError::IdExists.into(),
                    None => refusal,
                })
            }
        }
    }

    /// Begins a call without turns. The caller has checked the incarnation.
    pub(super) fn begin_silent_call(
        &mut self,
        incarnation: &Incarnation,
        owner_id: i64,
        call_id: CallId,
    ) -> Result<(), Fault> {
        let sql = "INSERT INTO call (call_id, owner_id, node, incarnation, turn_seq, silent)
                   SELECT ?1, owner_id, ?3, ?4, head, 1 FROM owner WHERE owner_id = ?2";
        execute(self.conn, sql, params![call_id.to_string(), owner_id, &*incarnation.node, incarnation.number])?;
        Ok(())
    }

    /// Ends a call without turns. Its row stays while a task belongs to it.
    pub(super) fn end_silent_call(
        &mut self,
        incarnation: &Incarnation,
        call_id: CallId,
        is_reclaimed: bool,
    ) -> Result<(), Fault> {
        let id = call_id.to_string();
        let sql = "SELECT 1 FROM call WHERE call_id = ?1 AND silent <> 0";
        if one(self.conn, sql, [&id], |_| Ok(()))?.is_none() {
            return Err(LedgerError::NotFound.into());
        }
        let call = self.call(call_id)?;
        if is_reclaimed { call.facts().check_reclaim() } else { call.facts().check_reply(incarnation) }?;
        if one(self.conn, "SELECT 1 FROM task WHERE call_id = ?1 LIMIT 1", [&id], |_| Ok(()))?.is_none() {
            execute(self.conn, "DELETE FROM call WHERE call_no = ?1", [call.number])?;
            return Ok(());
        }
        execute(self.conn, "UPDATE call SET state = 'replied' WHERE call_no = ?1", [call.number])?;
        if one(self.conn, HAS_UNHELD_TASK, [call.owner_id], |_| Ok(()))?.is_some() {
            self.notifications.push(Notification::ReadyTask);
        }
        Ok(())
    }

    /// Refuses a write that would take the owner's bytes of today over the limit. An id that exists is refused as such
    /// first.
    fn check_stored(
        &self,
        owner_id: i64,
        call_id: Option<CallId>,
        turn: &TurnJson,
        max_stored: Option<u64>,
    ) -> Result<(), Fault> {
        if max_stored.is_none() {
            return Ok(());
        }
        let sql = "SELECT stored FROM owner WHERE owner_id = ?1 AND stored_day = ?2
            AND stored BETWEEN 0 AND 9007199254740992";
        let stored =
            one(self.conn, sql, params![owner_id, self.today()], |row| get_number(row, 0))?.unwrap_or_default();
        let Err(refusal) = rules::check_stored_bytes(stored, turn.json.len() as u64, max_stored) else { return Ok(()) };
        let sql = "SELECT 1 FROM call WHERE call_id = ?1 UNION ALL SELECT 1 FROM turn WHERE turn_id = ?2";
        let ids = params![call_id.map(|id| id.to_string()), turn.turn_id.to_string()];
        match one(self.conn, sql, ids, |_| Ok(()))? {
            Some(()) => Err(LedgerError::IdExists.into()),
            None => Err(refusal.into()),
        }
    }

    pub(in crate::ledger::sqlite) fn reply(
        &mut self,
        incarnation: &Incarnation,
        call_id: CallId,
        turn: &TurnJson,
    ) -> Result<Stamp, Fault> {
        self.fence(incarnation)?;
        let call = self.call(call_id)?;
        call.facts().check_reply(incarnation)?;
        self.settle_call(&call, turn)
    }

    /// Refuses the end of the task before it writes the reply, as far as that can be known.
    pub(in crate::ledger::sqlite) fn reply_and_finish(
        &mut self,
        incarnation: &Incarnation,
        (call_id, turn): (CallId, &TurnJson),
        (attempt, end): (Attempt, &EndJson),
    ) -> Result<[Stamp; 2], Fault> {
        self.fence(incarnation)?;
        let call = self.call(call_id)?;
        call.facts().check_reply(incarnation)?;
        let task = self.task(attempt.task_id)?;
        task.facts().check_write(incarnation, attempt.number)?;
        if task.durable {
            rules::check_open_effects(self.open_effects(task.number)?, end.open_effects)?;
        }
        Ok([self.settle_call(&call, turn)?, self.end_task(&task, end)?])
    }

    pub(in crate::ledger::sqlite) fn reclaim_call(
        &mut self,
        incarnation: &Incarnation,
        call_id: CallId,
        turn: &TurnJson,
    ) -> Result<Stamp, Fault> {
        self.fence(incarnation)?;
        let call = self.call(call_id)?;
        call.facts().check_reclaim()?;
        self.settle_call(&call, turn)
    }

    fn settle_call(&mut self, call: &CallRow, turn: &TurnJson) -> Result<Stamp, Fault> {
        let stamp = self.add_turn(call.owner_id, turn)?;
        self.mark_replied(call.number, stamp.seq)?;
        self.end_drafts_of_call(call.number)?;
        self.announce_unheld_task(call.owner_id)?;
        Ok(stamp)
    }

    pub(super) fn mark_replied(&self, call_no: i64, reply_seq: u64) -> Result<(), Fault> {
        let sql = "UPDATE call SET state = 'replied', reply_seq = ?2 WHERE call_no = ?1";
        execute(self.conn, sql, params![call_no, number(reply_seq)])?;
        Ok(())
    }

    /// A claim takes a call's tasks only after the reply.
    fn announce_unheld_task(&mut self, owner_id: i64) -> Result<(), Fault> {
        if one(self.conn, HAS_UNHELD_TASK, [owner_id], |_| Ok(()))?.is_some() {
            self.notifications.push(Notification::ReadyTask);
        }
        Ok(())
    }

    pub(in crate::ledger::sqlite) fn inject(
        &mut self,
        owner: &Owner,
        turn: &TurnJson,
        audit: &NewAudit,
        from: &MessageSource,
    ) -> Result<Stamp, Fault> {
        match from {
            MessageSource::Work(fence) | MessageSource::Step(fence, _) => self.may_write_for(owner, fence)?,
            MessageSource::Outside { max_stored } => {
                let owner_id = self.find_or_add_owner(owner)?;
                self.check_stored(owner_id, None, turn, *max_stored)?;
            }
        }
        if let MessageSource::Step(fence, step) = from {
            self.add_step_of(fence, step)?;
        }
        self.audit(audit)?;
        let owner_id = self.find_or_add_owner(owner)?;
        self.add_turn(owner_id, turn)
    }

    pub(in crate::ledger::sqlite) fn request_call_cancel(
        &self,
        owner: &Owner,
        call_id: CallId,
        audit: &NewAudit,
    ) -> Result<CallCancel, Fault> {
        let owner_id = self.find_owner(owner)?;
        let call = self.call(call_id)?;
        if Some(call.owner_id) != owner_id {
            return Err(LedgerError::NotFound.into());
        }
        let is_replied = call.state == CallState::Replied;
        if !is_replied {
            let sql = "UPDATE call SET cancel_requested_at = ?2 WHERE call_no = ?1 AND cancel_requested_at IS NULL";
            execute(self.conn, sql, params![call.number, self.now.as_microsecond()])?;
        }
        self.audit(audit)?;
        Ok(if is_replied { CallCancel::Replied } else { CallCancel::Requested })
    }

    /// Whether this work may write for the owner.
    pub(super) fn may_write_for(&self, owner: &Owner, Fence { incarnation, work }: &Fence) -> Result<(), Fault> {
        self.fence(incarnation)?;
        let owner_id = self.find_owner(owner)?;
        let refused = match work {
            Work::Call(call_id) => self.call(*call_id)?.facts().check_owned_write(incarnation, owner_id.as_ref()),
            Work::Task(attempt) => {
                self.task(attempt.task_id)?.facts().check_owned_write(incarnation, attempt.number, owner_id.as_ref())
            }
        };
        Ok(refused?)
    }
}
