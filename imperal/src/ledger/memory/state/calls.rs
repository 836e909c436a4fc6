//! Calls: accepted once, replied to once.

use jiff::Timestamp;

use super::{State, Told};
use crate::ids::CallId;
use crate::ledger::rules::{self, CallFacts};
use crate::ledger::{
    Attempt, CallCancel, CallRecord, Incarnation, LedgerError, NewAudit, NewCall, NewTask, Owner, Role, Task, TaskEnd,
    Turn, TurnBody,
};

#[derive(Debug)]
pub(super) struct CallRow {
    pub(super) order: u64,
    pub(super) owner: Owner,
    pub(super) incarnation: Incarnation,
    pub(super) turn: TurnBody,
    /// The number of its own turn.
    pub(super) seq: u64,
    /// The number of its reply.
    pub(super) reply: Option<u64>,
    pub(super) cancel_requested: bool,
    /// Whether it is the work of a job, which has no turns.
    pub(super) silent: bool,
}

impl State {
    pub(super) fn call_facts<'a>(&self, row: &'a CallRow) -> CallFacts<'a, &'a Owner> {
        CallFacts {
            owner: &row.owner,
            holder: &row.incarnation,
            replied: row.reply.is_some(),
            orphaned: !self.is_current(&row.incarnation),
        }
    }

    pub(in crate::ledger::memory) fn accept_call(
        &mut self,
        incarnation: &Incarnation,
        call: NewCall,
        now: Timestamp,
    ) -> Told<Turn> {
        self.check_accept(incarnation, &call, now)?;
        let order = self.next_order();
        let (owner, turn) = self.add_turn(call.owner, call.turn, now);
        let row = CallRow {
            order,
            owner: owner.clone(),
            incarnation: incarnation.clone(),
            turn: turn.body.clone(),
            seq: turn.seq,
            reply: None,
            cancel_requested: false,
            silent: false,
        };
        self.calls.insert(call.call_id, row);
        self.open_calls.insert(order, call.call_id);
        Ok((owner, turn))
    }

    pub(in crate::ledger::memory) fn answer_call(
        &mut self,
        incarnation: &Incarnation,
        call: NewCall,
        reply: TurnBody,
        now: Timestamp,
    ) -> Told<[Turn; 2]> {
        self.check_accept(incarnation, &call, now)?;
        self.fresh(&reply)?;
        let call_id = call.call_id;
        let (_, asked) = self.accept_call(incarnation, call, now)?;
        let (owner, replied) = self.settle_call(call_id, reply, now)?;
        Ok((owner, [asked, replied]))
    }

    pub(in crate::ledger::memory) fn accept_and_start(
        &mut self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
        now: Timestamp,
        deadline_at: Timestamp,
    ) -> Told<(Turn, Task)> {
        self.check_accept(incarnation, &call, now)?;
        rules::check_is_parent(&call, &task)?;
        let start = self.check_start(&task)?;
        let (_, turn) = self.accept_call(incarnation, call, now)?;
        let (owner, task) = self.insert_task(incarnation, task, start, now, deadline_at);
        Ok((owner, (turn, task)))
    }

    pub(in crate::ledger::memory) fn start_and_answer(
        &mut self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
        reply: TurnBody,
        (now, deadline_at): (Timestamp, Timestamp),
    ) -> Told<(Turn, Task, Turn)> {
        self.check_accept(incarnation, &call, now)?;
        self.fresh(&reply)?;
        let call_id = call.call_id;
        let (_, (asked, task)) = self.accept_and_start(incarnation, call, task, now, deadline_at)?;
        let (owner, replied) = self.settle_call(call_id, reply, now)?;
        Ok((owner, (asked, task, replied)))
    }

    /// Begins a call without turns. The caller has checked the incarnation.
    pub(super) fn begin_silent_call(
        &mut self,
        incarnation: &Incarnation,
        owner: &Owner,
        call_id: CallId,
    ) -> Result<(), LedgerError> {
        if self.calls.contains_key(&call_id) {
            return Err(LedgerError::IdExists);
        }
        let order = self.next_order();
        let row = CallRow {
            order,
            owner: owner.clone(),
            incarnation: incarnation.clone(),
            turn: TurnBody::new(Role::User, "", ""),
            seq: self.head(owner),
            reply: None,
            cancel_requested: false,
            silent: true,
        };
        self.calls.insert(call_id, row);
        self.open_calls.insert(order, call_id);
        Ok(())
    }

    /// Ends a call without turns. Its row stays while a task belongs to it.
    pub(super) fn end_silent_call(
        &mut self,
        incarnation: &Incarnation,
        call_id: CallId,
        is_reclaimed: bool,
    ) -> Result<(), LedgerError> {
        let row = self.calls.get(&call_id).filter(|row| row.silent).ok_or(LedgerError::NotFound)?;
        let facts = self.call_facts(row);
        if is_reclaimed { facts.check_reclaim() } else { facts.check_reply(incarnation) }?;
        let (order, seq) = (row.order, row.seq);
        self.open_calls.remove(&order);
        if self.tasks.values().any(|row| row.record.task.call_id == call_id) {
            if let Some(row) = self.calls.get_mut(&call_id) {
                row.reply = Some(seq);
            }
        } else {
            self.calls.remove(&call_id);
        }
        Ok(())
    }

    /// Whether a call may be written.
    pub(super) fn check_accept(
        &self,
        incarnation: &Incarnation,
        call: &NewCall,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.fence(incarnation)?;
        if self.calls.contains_key(&call.call_id) {
            return Err(LedgerError::IdExists);
        }
        self.fresh(&call.turn)?;
        self.check_stored(&call.owner, &call.turn, call.max_stored, now)
    }

    pub(in crate::ledger::memory) fn reply(
        &mut self,
        incarnation: &Incarnation,
        call_id: CallId,
        turn: TurnBody,
        now: Timestamp,
    ) -> Told<Turn> {
        self.fence(incarnation)?;
        let row = self.calls.get(&call_id).ok_or(LedgerError::NotFound)?;
        self.call_facts(row).check_reply(incarnation)?;
        self.settle_call(call_id, turn, now)
    }

    pub(in crate::ledger::memory) fn reclaim_call(
        &mut self,
        incarnation: &Incarnation,
        call_id: CallId,
        turn: TurnBody,
        now: Timestamp,
    ) -> Told<Turn> {
        self.fence(incarnation)?;
        let row = self.calls.get(&call_id).ok_or(LedgerError::NotFound)?;
        self.call_facts(row).check_reclaim()?;
        self.settle_call(call_id, turn, now)
    }

    /// Writes a reply. The caller has checked the rules.
    pub(in crate::ledger::memory) fn reply_and_finish(
        &mut self,
        incarnation: &Incarnation,
        (call_id, turn): (CallId, TurnBody),
        (attempt, end): (Attempt, TaskEnd),
        now: Timestamp,
    ) -> Told<[Turn; 2]> {
        self.fence(incarnation)?;
        let call = self.calls.get(&call_id).ok_or(LedgerError::NotFound)?;
        self.call_facts(call).check_reply(incarnation)?;
        self.check_attempt(incarnation, attempt)?;
        let task = &self.tasks.get(&attempt.task_id).ok_or(LedgerError::NotFound)?.record.task;
        if task.call_id != call_id {
            rules::check_call_replied(self.calls.get(&task.call_id).map(|call| call.reply.is_some()))?;
        }
        self.check_effects(attempt.task_id, &end)?;
        self.fresh(&turn)?;
        self.fresh(&end.turn)?;
        let (_, replied) = self.settle_call(call_id, turn, now)?;
        let (owner, outcome) = self.end_task(attempt.task_id, end, now)?;
        Ok((owner, [replied, outcome]))
    }

    fn settle_call(&mut self, call_id: CallId, turn: TurnBody, now: Timestamp) -> Told<Turn> {
        self.fresh(&turn)?;
        let row = self.calls.get(&call_id).ok_or(LedgerError::NotFound)?;
        let (order, owner) = (row.order, row.owner.clone());
        self.open_calls.remove(&order);
        self.remove_drafts_of_call(call_id);
        let (owner, turn) = self.add_turn(owner, turn, now);
        if let Some(row) = self.calls.get_mut(&call_id) {
            row.reply = Some(turn.seq);
        }
        Ok((owner, turn))
    }

    pub(in crate::ledger::memory) fn request_call_cancel(
        &mut self,
        owner: &Owner,
        call_id: CallId,
        audit: NewAudit,
        now: Timestamp,
    ) -> Result<CallCancel, LedgerError> {
        let row = self.calls.get_mut(&call_id).filter(|row| row.owner == *owner).ok_or(LedgerError::NotFound)?;
        let is_replied = row.reply.is_some();
        row.cancel_requested |= !is_replied;
        self.audit(audit, now);
        Ok(if is_replied { CallCancel::Replied } else { CallCancel::Requested })
    }

    pub(in crate::ledger::memory) fn call(&self, owner: &Owner, call_id: CallId) -> Option<CallRecord> {
        let row = self.calls.get(&call_id).filter(|row| row.owner == *owner && !row.silent)?;
        let turn = |seq: u64| self.turns(owner, seq - 1).next().filter(|turn| turn.seq == seq).cloned();
        Some(CallRecord { asked: turn(row.seq)?, reply: row.reply.and_then(turn) })
    }
}
