//! Users, rows and reads that the checks share.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::Backend;
use crate::ids::{CallId, TaskId};
use crate::ledger::{
    Attempt, AuditFilter, AuditOutcome, AuditRow, AuditScope, Event, Incarnation, Ledger, LedgerError, MessageSource,
    NewAudit, NewCall, NewTask, Orphan, Owner, PageLimit, Progress, RenewalNews, Role, Task, TaskEnd, TaskState, Turn,
    TurnBody, Work,
};
use crate::result::{ActionResult, WireResult};

/// A lease that outlasts every check.
pub(super) const LONG: Duration = Duration::from_secs(24 * 3600);

pub(super) const MANY: u32 = 10_000;

pub(super) const ALL: PageLimit = PageLimit::rows(MANY).bytes(u64::MAX);

pub(super) fn anna() -> Owner {
    Owner::new("tenant", "anna")
}

pub(super) fn ben() -> Owner {
    Owner::new("tenant", "ben")
}

#[track_caller]
pub(super) fn ok<T>(outcome: Result<T, LedgerError>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => panic!("must not be refused: {error}"),
    }
}

pub(super) fn turn(role: Role, text: &str) -> TurnBody {
    TurnBody { function: Some("work".to_owned()), ..TurnBody::new(role, text, "app") }
}

pub(super) fn bot(text: &str) -> TurnBody {
    turn(Role::Bot, text)
}

pub(super) fn answer(text: &str) -> WireResult {
    match ActionResult::success(json!({ "rows": [1, 2, 3] }), text).into_wire() {
        Ok(wire) => wire,
        Err(error) => panic!("{error}"),
    }
}

pub(super) fn new_call(owner: &Owner) -> NewCall {
    let call_id = CallId::generate();
    let params = Some(json!({ "depth": 1 }));
    NewCall {
        call_id,
        owner: owner.clone(),
        turn: TurnBody { call_id: Some(call_id), params, ..turn(Role::User, "?") },
        max_stored: None,
    }
}

pub(super) fn new_task(call_id: CallId, owner: &Owner) -> NewTask {
    NewTask {
        task_id: TaskId::generate(),
        call_id,
        owner: owner.clone(),
        app_id: "app".to_owned(),
        function: "work".to_owned(),
        name: "a name".to_owned(),
        key: None,
        long_running: false,
        cap: Duration::from_secs(180),
        max_running: 100,
        max_open: 1000,
        parent: Work::Call(call_id),
        durable: None,
        audit: None,
    }
}

pub(super) fn new_audit(owner: &Owner, action: &str) -> NewAudit {
    NewAudit {
        tenant_id: owner.tenant_id.to_string(),
        user_id: owner.user_id.to_string(),
        actor: "extension:app".to_owned(),
        app_id: Some("app".to_owned()),
        action: action.to_owned(),
        target: Some("it".to_owned()),
        outcome: AuditOutcome::Done,
        detail: None,
    }
}

pub(super) fn end(owner: &Owner, state: TaskState, text: &str) -> TaskEnd {
    let turn = TurnBody { result: Some(answer(text)), ..bot(text) };
    TaskEnd::new(state, turn, new_audit(owner, "chat.inject"))
}

pub(super) fn progress(task_id: TaskId, percent: f64, message: &str) -> (u32, Progress) {
    let at = "2026-01-01T00:00:00Z".parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    (1, Progress { task_id, percent: Some(percent), message: Some(message.to_owned()), steps: None, at })
}

/// A node with its incarnation.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) incarnation: Incarnation,
}

impl Node {
    /// A node with its own handle.
    pub(super) async fn start(backend: &impl Backend, name: &str) -> Self {
        Self::start_with(backend, name, LONG).await
    }

    pub(super) async fn start_with(backend: &impl Backend, name: &str, lease: Duration) -> Self {
        let ledger = backend.open().await;
        let incarnation = ok(ledger.join(name, lease).await);
        Self { ledger, incarnation }
    }

    pub(super) async fn call(&self, owner: &Owner) -> CallId {
        let call = new_call(owner);
        let call_id = call.call_id;
        ok(self.ledger.accept_call(&self.incarnation, call).await);
        call_id
    }

    pub(super) async fn reply(&self, call_id: CallId) -> Result<Turn, LedgerError> {
        self.ledger.reply(&self.incarnation, call_id, bot("reply")).await
    }

    pub(super) async fn task(&self, call_id: CallId, owner: &Owner) -> TaskId {
        ok(self.ledger.start_task(&self.incarnation, new_task(call_id, owner)).await).task_id
    }

    /// A task whose call has its reply.
    pub(super) async fn detached(&self, owner: &Owner) -> TaskId {
        let call_id = self.call(owner).await;
        let task_id = self.task(call_id, owner).await;
        ok(self.reply(call_id).await);
        task_id
    }

    pub(super) async fn finish(&self, owner: &Owner, task_id: TaskId) -> Result<Turn, LedgerError> {
        self.ledger
            .finish_task(&self.incarnation, Attempt::first(task_id), end(owner, TaskState::Succeeded, "done"))
            .await
    }

    pub(super) async fn inject(&self, owner: &Owner, text: &str) -> Turn {
        ok(self.ledger.inject(owner.clone(), bot(text), new_audit(owner, "chat.inject"), MessageSource::OUTSIDE).await)
    }

    pub(super) async fn events(&self, owner: &Owner) -> Vec<Event> {
        ok(self.ledger.events(owner, 0, ALL).await).rows
    }

    /// Does a recovery pass: expires leases, then lists orphaned work.
    pub(super) async fn orphans(&self, limit: u32) -> Vec<Orphan> {
        ok(self.ledger.expire_leases(&self.incarnation).await);
        ok(self.ledger.orphans(limit).await)
    }

    /// The news that a renewal returns to the node, in order.
    pub(super) async fn news(&self) -> RenewalNews {
        let mut news = ok(self.ledger.renew(&self.incarnation, LONG).await);
        news.cancelled_tasks.sort_unstable();
        news.cancelled_calls.sort_unstable();
        news
    }

    pub(super) async fn look(&self, owner: &Owner) -> Look {
        Look::at(&*self.ledger, owner).await
    }
}

/// All that a ledger stores about a user.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look {
    pub(super) head: u64,
    pub(super) events: Vec<Event>,
    pub(super) turns: Vec<Turn>,
    pub(super) tasks: Vec<Task>,
    pub(super) running: Vec<Task>,
    pub(super) audit: Vec<AuditRow>,
}

impl Look {
    pub(super) async fn at(ledger: &dyn Ledger, owner: &Owner) -> Self {
        Self::after(ledger, owner, 0).await
    }

    /// The same with the events after a number.
    pub(super) async fn after(ledger: &dyn Ledger, owner: &Owner, after: u64) -> Self {
        let filter = AuditFilter { scope: AuditScope::Owner(owner.clone()), after: 0, limit: ALL };
        Self {
            head: ok(ledger.head(owner).await),
            events: ok(ledger.events(owner, after, ALL).await).rows,
            turns: ok(ledger.turns(owner, 0, ALL).await).rows,
            tasks: ok(ledger.recent_tasks(owner, MANY).await),
            running: ok(ledger.open_tasks(owner).await),
            audit: ok(ledger.audit_rows(filter).await).rows,
        }
    }
}

/// Panics unless the events are numbered 1, 2, 3 ..
#[track_caller]
pub(super) fn assert_gapless(events: &[Event]) {
    let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
    let wanted: Vec<u64> = (1..=events.len() as u64).collect();
    assert_eq!(numbers, wanted, "numbers have a gap or come out of order");
}

/// Waits for tasks and passes on a panic.
pub(super) async fn all_of<T>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut outcomes = Vec::with_capacity(tasks.len());
    for task in tasks {
        match task.await {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    outcomes
}

/// Panics unless one outcome is `Ok` and all others are this refusal.
#[track_caller]
pub(super) fn assert_one_winner<T: std::fmt::Debug>(outcomes: &[Result<T, LedgerError>], others: &LedgerError) {
    let winners = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let refused = outcomes.iter().filter(|outcome| outcome.as_ref().err() == Some(others)).count();
    assert_eq!((winners, refused), (1, outcomes.len() - 1), "one winner, the others {others:?}: {outcomes:?}");
}

/// Of each place in the racers' answers one racer is the winner.
pub(super) fn assert_winners_of_many(answers: &[Vec<Result<(), LedgerError>>], others: &LedgerError) {
    for place in 0..answers[0].len() {
        let of_place: Vec<_> = answers.iter().map(|answers| answers[place].clone()).collect();
        assert_one_winner(&of_place, others);
    }
}

/// The end of a task that its user has cancelled.
pub(super) fn cancelled(owner: &Owner) -> TaskEnd {
    end(owner, TaskState::Cancelled, "cancelled")
}
