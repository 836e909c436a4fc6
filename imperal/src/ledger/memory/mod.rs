//! A ledger in memory, for tests and for trying things out: nothing outlives the process.
//!
//! Owns the lock around the state and the order "commit, then tell the feed"; `state` applies the
//! rules. `durable` has the methods of durable tasks, their questions, queues and operators, `documents`
//! those of documents. The lock is never held across an await and every future completes at its first
//! poll, so tokio's paused time works with it.

mod documents;
mod drafts;
mod durable;
mod files;
mod schedules;
mod secrets;
mod state;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use self::state::{State, size};
use super::clock::after;
use super::contract::{AuditTrail, Calls, Chat, Health, Leases, LedgerResult, Recovery, Retention, Tasks};
use super::{
    Attempt, AuditFilter, AuditRow, CallCancel, CallRecord, CancelOutcome, ChainEnds, Clock, Event, EventBody, Feed,
    Incarnation, LedgerMeters, MessageSource, NewAudit, NewCall, NewTask, Orphan, Owner, Page, PageLimit, Progress,
    Pruned, RenewalNews, RetentionPolicy, SystemClock, Task, TaskEnd, TaskRecord, Turn, TurnBody,
};
use crate::ids::{CallId, TaskId, TurnId};

/// A [`Ledger`](super::Ledger) in memory. Several nodes of one process may share it.
#[derive(Debug)]
pub struct MemoryLedger {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    feed: Feed,
    meters: LedgerMeters,
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryLedger {
    /// An empty ledger on the machine's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty ledger on this clock.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default(), feed: Feed::default(), meters: LedgerMeters::default() }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        // A panic while the lock was held is a fault of this module, and the state may be half written.
        // A test that continues must see the first panic and not a poisoned lock.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The clock is read under the lock, so times do not run backwards from one commit to the next.
        work(&mut state, self.clock.now())
    }

    fn read<T>(&self, work: impl FnOnce(&State) -> T) -> T {
        self.with(|state, _| work(state))
    }

    /// A write that gives the owner events.
    fn write<T>(&self, work: impl FnOnce(&mut State, Timestamp) -> LedgerResult<(Owner, T)>) -> LedgerResult<T> {
        let (owner, done) = self.with(work)?;
        self.feed.publish_events(&owner);
        Ok(done)
    }

    /// A write that gives one event to each of these owners; how many.
    fn write_many(&self, work: impl FnOnce(&mut State, Timestamp) -> LedgerResult<Vec<Owner>>) -> LedgerResult<u64> {
        let owners = self.with(work)?;
        for owner in &owners {
            self.feed.publish_events(owner);
        }
        Ok(owners.len() as u64)
    }

    /// Replies to calls, or ends tasks, of ended incarnations. Each is written or refused by itself.
    fn reclaim_all<T>(
        &self,
        incarnation: &Incarnation,
        ends: Vec<T>,
        mut reclaim: impl FnMut(&mut State, T, Timestamp) -> LedgerResult<(Owner, Turn)>,
    ) -> LedgerResult<Vec<LedgerResult<()>>> {
        let ended = self.with(|state, now| -> LedgerResult<Vec<_>> {
            state.fence(incarnation)?;
            Ok(ends.into_iter().map(|end| reclaim(state, end, now)).collect())
        })?;
        let told = |ended: LedgerResult<(Owner, Turn)>| ended.map(|(owner, _)| self.feed.publish_events(&owner));
        Ok(ended.into_iter().map(told).collect())
    }
}

impl Leases for MemoryLedger {
    async fn join(&self, node: &str, lease: Duration) -> LedgerResult<Incarnation> {
        let incarnation = self.with(|state, now| state.join(node, lease, now));
        self.feed.announce_ready_task();
        Ok(incarnation)
    }

    async fn renew(&self, incarnation: &Incarnation, lease: Duration) -> LedgerResult<RenewalNews> {
        self.with(|state, now| state.renew(incarnation, lease, now))
    }

    async fn drain(&self, incarnation: &Incarnation) -> LedgerResult<()> {
        self.with(|state, _| state.drain(incarnation))
    }

    async fn leave(&self, incarnation: &Incarnation) -> LedgerResult<()> {
        self.with(|state, now| state.leave(incarnation, now));
        self.feed.announce_ready_task();
        Ok(())
    }
}

impl Recovery for MemoryLedger {
    async fn expire_leases(&self, incarnation: &Incarnation) -> LedgerResult<u64> {
        let ended = self.with(|state, now| state.expire_leases(incarnation, now))?;
        if ended > 0 {
            self.feed.announce_ready_task();
        }
        Ok(ended)
    }

    async fn orphans(&self, limit: u32) -> LedgerResult<Vec<Orphan>> {
        Ok(self.read(|state| state.orphans(limit as usize)))
    }

    async fn reclaim_call(&self, incarnation: &Incarnation, call_id: CallId, turn: TurnBody) -> LedgerResult<Turn> {
        turn.check_depth()?;
        let turn = self.write(|state, now| state.reclaim_call(incarnation, call_id, turn, now))?;
        self.feed.announce_ready_task();
        Ok(turn)
    }

    async fn reclaim_task(&self, incarnation: &Incarnation, task_id: TaskId, end: TaskEnd) -> LedgerResult<Turn> {
        end.turn.check_depth()?;
        self.write(|state, now| state.reclaim_task(incarnation, task_id, end, now))
    }

    async fn reclaim_calls(
        &self,
        incarnation: &Incarnation,
        replies: Vec<(CallId, TurnBody)>,
    ) -> LedgerResult<Vec<LedgerResult<()>>> {
        let answers = self.reclaim_all(incarnation, replies, |state, (call_id, turn), now| {
            turn.check_depth()?;
            state.reclaim_call(incarnation, call_id, turn, now)
        })?;
        self.feed.announce_ready_task();
        Ok(answers)
    }

    async fn reclaim_tasks(
        &self,
        incarnation: &Incarnation,
        ends: Vec<(TaskId, TaskEnd)>,
    ) -> LedgerResult<Vec<LedgerResult<()>>> {
        self.reclaim_all(incarnation, ends, |state, (task_id, end), now| {
            end.turn.check_depth()?;
            state.reclaim_task(incarnation, task_id, end, now)
        })
    }
}

impl Calls for MemoryLedger {
    async fn accept_call(&self, incarnation: &Incarnation, call: NewCall) -> LedgerResult<Turn> {
        call.turn.check_depth()?;
        self.write(|state, now| state.accept_call(incarnation, call, now))
    }

    async fn reply(&self, incarnation: &Incarnation, call_id: CallId, turn: TurnBody) -> LedgerResult<Turn> {
        turn.check_depth()?;
        let turn = self.write(|state, now| state.reply(incarnation, call_id, turn, now))?;
        // Its tasks can be claimed from now on.
        self.feed.announce_ready_task();
        Ok(turn)
    }

    async fn answer_call(&self, incarnation: &Incarnation, call: NewCall, reply: TurnBody) -> LedgerResult<[Turn; 2]> {
        call.turn.check_depth()?;
        reply.check_depth()?;
        self.write(|state, now| state.answer_call(incarnation, call, reply, now))
    }

    async fn accept_and_start(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
    ) -> LedgerResult<(Turn, Task)> {
        call.turn.check_depth()?;
        self.write(|state, now| {
            let deadline = after(now, task.cap);
            state.accept_and_start(incarnation, call, task, now, deadline)
        })
    }

    async fn start_and_answer(
        &self,
        incarnation: &Incarnation,
        call: NewCall,
        task: NewTask,
        reply: TurnBody,
    ) -> LedgerResult<(Turn, Task, Turn)> {
        call.turn.check_depth()?;
        reply.check_depth()?;
        let written = self.write(|state, now| {
            let deadline = after(now, task.cap);
            state.start_and_answer(incarnation, call, task, reply, (now, deadline))
        })?;
        self.feed.announce_ready_task();
        Ok(written)
    }

    async fn reply_and_finish(
        &self,
        incarnation: &Incarnation,
        call_id: CallId,
        turn: TurnBody,
        attempt: Attempt,
        end: TaskEnd,
    ) -> LedgerResult<[Turn; 2]> {
        turn.check_depth()?;
        end.turn.check_depth()?;
        let turns =
            self.write(|state, now| state.reply_and_finish(incarnation, (call_id, turn), (attempt, end), now))?;
        self.feed.announce_ready_task();
        Ok(turns)
    }

    async fn request_call_cancel(&self, owner: &Owner, call_id: CallId, audit: NewAudit) -> LedgerResult<CallCancel> {
        self.with(|state, now| state.request_call_cancel(owner, call_id, audit, now))
    }

    async fn find_call(&self, owner: &Owner, call_id: CallId) -> LedgerResult<Option<CallRecord>> {
        Ok(self.read(|state| state.call(owner, call_id)))
    }
}

impl Tasks for MemoryLedger {
    async fn start_task(&self, incarnation: &Incarnation, task: NewTask) -> LedgerResult<Task> {
        self.write(|state, now| {
            let deadline = after(now, task.cap);
            state.start_task(incarnation, task, now, deadline)
        })
    }

    async fn finish_task(&self, incarnation: &Incarnation, attempt: Attempt, end: TaskEnd) -> LedgerResult<Turn> {
        end.turn.check_depth()?;
        let turn = self.write(|state, now| state.finish_task(incarnation, attempt, end, now))?;
        // It may have freed a slot.
        self.feed.announce_ready_task();
        Ok(turn)
    }

    async fn note_progress(&self, incarnation: &Incarnation, latest: Vec<(u32, Progress)>) -> LedgerResult<()> {
        for (owner, progress) in self.with(|state, _| state.note_progress(incarnation, latest))? {
            self.feed.publish_progress(&owner, progress);
        }
        Ok(())
    }

    async fn request_cancel(&self, task_id: TaskId, audit: NewAudit, end: TaskEnd) -> LedgerResult<CancelOutcome> {
        end.turn.check_depth()?;
        let (has_events, outcome) = self.with(|state, now| state.request_cancel(task_id, audit, end, now))?;
        if let (true, CancelOutcome::Requested(record) | CancelOutcome::Ended(record)) = (has_events, &outcome) {
            self.feed.publish_events(&record.owner);
        }
        Ok(outcome)
    }

    async fn find_task(&self, task_id: TaskId) -> LedgerResult<Option<TaskRecord>> {
        Ok(self.read(|state| state.task(task_id)))
    }

    async fn open_tasks(&self, owner: &Owner) -> LedgerResult<Vec<Task>> {
        Ok(self.read(|state| state.open_tasks(owner)))
    }

    async fn recent_tasks(&self, owner: &Owner, limit: u32) -> LedgerResult<Vec<Task>> {
        Ok(self.read(|state| state.recent_tasks(owner, limit as usize)))
    }

    async fn tasks_of_call(&self, owner: &Owner, call_id: CallId) -> LedgerResult<Vec<Task>> {
        Ok(self.read(|state| state.tasks_of_call(owner, call_id)))
    }
}

impl Chat for MemoryLedger {
    async fn inject(&self, owner: Owner, turn: TurnBody, audit: NewAudit, source: MessageSource) -> LedgerResult<Turn> {
        turn.check_depth()?;
        self.write(|state, now| state.inject(owner, turn, audit, &source, now))
    }

    async fn turns(&self, owner: &Owner, after: u64, limit: PageLimit) -> LedgerResult<Page<Turn>> {
        Ok(self.read(|state| cloned(Page::take(state.turns(owner, after), limit, |turn| size(&turn.body)))))
    }

    async fn latest_turns(&self, owner: &Owner, before: Option<u64>, limit: PageLimit) -> LedgerResult<Page<Turn>> {
        let before = before.unwrap_or(u64::MAX);
        Ok(self.read(|state| {
            let turns = state.turns(owner, 0).rev().filter(|turn| turn.seq < before);
            cloned(Page::take(turns, limit, |turn| size(&turn.body)).reversed())
        }))
    }

    async fn find_turn(&self, owner: &Owner, turn_id: TurnId) -> LedgerResult<Option<Turn>> {
        Ok(self.read(|state| state.turns(owner, 0).rev().find(|turn| turn.body.turn_id == turn_id).cloned()))
    }

    async fn events(&self, owner: &Owner, after: u64, limit: PageLimit) -> LedgerResult<Page<Event>> {
        let bytes = |event: &&Event| match &event.body {
            EventBody::Turn(turn) => size(&turn.body),
            EventBody::Task(task) => size(task),
        };
        self.read(|state| Ok(cloned(Page::take(state.events(owner, after)?, limit, bytes))))
    }

    async fn head(&self, owner: &Owner) -> LedgerResult<u64> {
        Ok(self.read(|state| state.head(owner)))
    }
}

impl AuditTrail for MemoryLedger {
    async fn write_audit(&self, row: NewAudit) -> LedgerResult<()> {
        self.with(|state, now| state.audit(row, now));
        Ok(())
    }

    async fn audit_rows(&self, filter: AuditFilter) -> LedgerResult<Page<AuditRow>> {
        Ok(self.read(|state| state.audit_rows(&filter)))
    }

    async fn chain_ends(&self, owner: Option<Owner>) -> LedgerResult<Vec<(Owner, ChainEnds)>> {
        Ok(self.read(|state| state.chain_ends(owner.as_ref())))
    }
}

impl Retention for MemoryLedger {
    async fn prune(&self, policy: &RetentionPolicy, from: u64, limit: u32) -> LedgerResult<Pruned> {
        Ok(self.with(|state, now| state.prune(policy, from, limit, now)))
    }
}

impl Health for MemoryLedger {
    async fn check_writable(&self) -> LedgerResult<()> {
        Ok(())
    }

    fn feed(&self) -> &Feed {
        &self.feed
    }

    fn meters(&self) -> &LedgerMeters {
        &self.meters
    }
}

fn cloned<T: Clone>(page: Page<&T>) -> Page<T> {
    Page { more: page.more, rows: page.rows.into_iter().cloned().collect() }
}
