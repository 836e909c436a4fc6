//! A ledger in memory, for tests and for trying things out: nothing outlives the process.
//!
//! Owns the lock around the state and the order "commit, then tell the feed". The rules are in
//! `state`. The lock is never held across an await and every future completes at its first poll,
//! so tokio's paused time works with it.

mod state;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use self::state::{State, size};
use super::{
    AuditEnds, AuditFilter, AuditRow, CallRecord, CancelAnswer, Clock, Event, EventBody, Feed, Fut, Incarnation, Keep,
    Ledger, LedgerError, LedgerMeters, Limit, NewAudit, NewCall, NewTask, Orphan, Owner, Page, Progress, Pruned,
    Sender, SystemClock, Task, TaskEnd, TaskRecord, Turn, TurnBody,
};
use crate::ids::{CallId, TaskId, TurnId};

/// A [`Ledger`] in memory. Two nodes of one process may share it.
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
        // A panic while the lock was held is a fault of this module; the state may be half
        // written, but a test that goes on should see the first panic and not this one.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that times do not run backwards from one commit to the next.
        work(&mut state, self.clock.now())
    }

    /// A write that gives the owner events.
    fn tell<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut State, Timestamp) -> Result<(Owner, T), LedgerError> + Send + 'a,
    ) -> Fut<'a, T> {
        Box::pin(async move {
            let (owner, done) = self.with(work)?;
            self.feed.events(&owner);
            Ok(done)
        })
    }

    fn quiet<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut State, Timestamp) -> Result<T, LedgerError> + Send + 'a,
    ) -> Fut<'a, T> {
        Box::pin(async move { self.with(work) })
    }
}

impl Ledger for MemoryLedger {
    fn join<'a>(&'a self, node: &'a str, lease: Duration) -> Fut<'a, Incarnation> {
        self.quiet(move |state, now| Ok(state.join(node, lease, now)))
    }

    fn renew<'a>(&'a self, incarnation: &'a Incarnation, lease: Duration) -> Fut<'a, Vec<TaskId>> {
        self.quiet(move |state, now| state.renew(incarnation, lease, now))
    }

    fn leave<'a>(&'a self, incarnation: &'a Incarnation) -> Fut<'a, ()> {
        self.quiet(move |state, _| {
            state.leave(incarnation);
            Ok(())
        })
    }

    fn accept_call<'a>(&'a self, incarnation: &'a Incarnation, call: NewCall) -> Fut<'a, Turn> {
        self.tell(move |state, now| {
            call.turn.check_depth()?;
            state.accept_call(incarnation, call, now)
        })
    }

    fn reply<'a>(&'a self, incarnation: &'a Incarnation, call_id: CallId, turn: TurnBody) -> Fut<'a, Turn> {
        self.tell(move |state, now| {
            turn.check_depth()?;
            state.reply(incarnation, call_id, turn, now)
        })
    }

    fn start_task<'a>(&'a self, incarnation: &'a Incarnation, task: NewTask) -> Fut<'a, Task> {
        self.tell(move |state, now| {
            let deadline = later(now, task.cap);
            state.start_task(incarnation, task, now, deadline)
        })
    }

    fn finish_task<'a>(&'a self, incarnation: &'a Incarnation, task_id: TaskId, end: TaskEnd) -> Fut<'a, Turn> {
        self.tell(move |state, now| {
            end.turn.check_depth()?;
            state.finish_task(incarnation, task_id, end, now)
        })
    }

    fn note_progress<'a>(&'a self, incarnation: &'a Incarnation, latest: Vec<Progress>) -> Fut<'a, ()> {
        Box::pin(async move {
            let kept = self.with(|state, _| state.note_progress(incarnation, latest))?;
            for (owner, progress) in kept {
                self.feed.progress(&owner, progress);
            }
            Ok(())
        })
    }

    fn ask_cancel(&self, task_id: TaskId, audit: NewAudit) -> Fut<'_, CancelAnswer> {
        Box::pin(async move {
            let (changed, answer) = self.with(|state, now| state.ask_cancel(task_id, audit, now))?;
            if let (true, CancelAnswer::Noted(record)) = (changed, &answer) {
                self.feed.events(&record.owner);
            }
            Ok(answer)
        })
    }

    fn inject(&self, owner: Owner, turn: TurnBody, audit: NewAudit, from: Sender) -> Fut<'_, Turn> {
        self.tell(move |state, now| {
            turn.check_depth()?;
            state.inject(owner, turn, audit, &from, now)
        })
    }

    fn audit(&self, row: NewAudit) -> Fut<'_, ()> {
        self.quiet(move |state, now| {
            state.audit(row, now);
            Ok(())
        })
    }

    fn orphans<'a>(&'a self, incarnation: &'a Incarnation, limit: u32) -> Fut<'a, Vec<Orphan>> {
        self.quiet(move |state, now| state.orphans(incarnation, limit as usize, now))
    }

    fn reclaim_call<'a>(&'a self, incarnation: &'a Incarnation, call_id: CallId, turn: TurnBody) -> Fut<'a, Turn> {
        self.tell(move |state, now| {
            turn.check_depth()?;
            state.reclaim_call(incarnation, call_id, turn, now)
        })
    }

    fn reclaim_task<'a>(&'a self, incarnation: &'a Incarnation, task_id: TaskId, end: TaskEnd) -> Fut<'a, Turn> {
        self.tell(move |state, now| {
            end.turn.check_depth()?;
            state.reclaim_task(incarnation, task_id, end, now)
        })
    }

    fn prune<'a>(&'a self, keep: &'a Keep, from: u64, limit: u32) -> Fut<'a, Pruned> {
        self.quiet(move |state, now| Ok(state.prune(keep, from, limit, now)))
    }

    fn turns<'a>(&'a self, owner: &'a Owner, after: u64, limit: Limit) -> Fut<'a, Page<Turn>> {
        self.quiet(move |state, _| Ok(cloned(Page::take(state.turns(owner, after), limit, |turn| size(&turn.body)))))
    }

    fn latest_turns<'a>(&'a self, owner: &'a Owner, before: Option<u64>, limit: Limit) -> Fut<'a, Page<Turn>> {
        self.quiet(move |state, _| {
            let before = before.unwrap_or(u64::MAX);
            let turns = state.turns(owner, 0).rev().filter(|turn| turn.seq < before);
            Ok(cloned(Page::take(turns, limit, |turn| size(&turn.body)).reversed()))
        })
    }

    fn turn<'a>(&'a self, owner: &'a Owner, turn_id: TurnId) -> Fut<'a, Option<Turn>> {
        self.quiet(move |state, _| Ok(state.turns(owner, 0).rev().find(|turn| turn.body.turn_id == turn_id).cloned()))
    }

    fn call<'a>(&'a self, owner: &'a Owner, call_id: CallId) -> Fut<'a, Option<CallRecord>> {
        self.quiet(move |state, _| Ok(state.call(owner, call_id)))
    }

    fn events<'a>(&'a self, owner: &'a Owner, after: u64, limit: Limit) -> Fut<'a, Page<Event>> {
        self.quiet(move |state, _| {
            let bytes = |event: &&Event| match &event.body {
                EventBody::Turn(turn) => size(&turn.body),
                EventBody::Task(task) => size(task),
            };
            Ok(cloned(Page::take(state.events(owner, after)?, limit, bytes)))
        })
    }

    fn head<'a>(&'a self, owner: &'a Owner) -> Fut<'a, u64> {
        self.quiet(move |state, _| Ok(state.head(owner)))
    }

    fn task(&self, task_id: TaskId) -> Fut<'_, Option<TaskRecord>> {
        self.quiet(move |state, _| Ok(state.task(task_id)))
    }

    fn running_tasks<'a>(&'a self, owner: &'a Owner) -> Fut<'a, Vec<Task>> {
        self.quiet(move |state, _| Ok(state.running_tasks(owner)))
    }

    fn recent_tasks<'a>(&'a self, owner: &'a Owner, limit: u32) -> Fut<'a, Vec<Task>> {
        self.quiet(move |state, _| Ok(state.recent_tasks(owner, limit as usize)))
    }

    fn tasks_of_call<'a>(&'a self, owner: &'a Owner, call_id: CallId) -> Fut<'a, Vec<Task>> {
        self.quiet(move |state, _| Ok(state.tasks_of_call(owner, call_id)))
    }

    fn audit_rows(&self, filter: AuditFilter) -> Fut<'_, Page<AuditRow>> {
        self.quiet(move |state, _| Ok(state.audit_rows(&filter)))
    }

    fn audit_ends(&self, owner: Option<Owner>) -> Fut<'_, Vec<(Owner, AuditEnds)>> {
        self.quiet(move |state, _| Ok(state.audit_ends(owner.as_ref())))
    }

    fn check(&self) -> Fut<'_, ()> {
        self.quiet(|_, _| Ok(()))
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

/// Saturates: a lease or a cap of centuries never ends.
fn later(now: Timestamp, by: Duration) -> Timestamp {
    super::clock::after(now, by)
}
