//! Durable tasks for the checks: how they start, stop and are claimed.

use super::Backend;
use super::scene::{Node, anna, bot, end, new_audit, new_task, ok};
use crate::ids::{CallId, TaskId};
use crate::ledger::{
    Attempt, AttemptReport, ClaimRequest, ClaimedTask, DurableName, Fence, LedgerError, MessageSource, NewDurable,
    NewStep, NewTask, Owner, PageLimit, Release, StepKind, StoredStep, Task, TaskState, Turn, Work,
};

pub(super) const INPUT: &str = r#"{"package":"a \"b\" ü"}"#;
pub(super) const USER: &str = r#"{"id":"anna","tenant_id":"tenant"}"#;

/// The name of the durable tasks of most checks, in the extension `app`.
pub(super) const NAME: &str = "generate";

pub(super) fn new_durable(call_id: CallId, owner: &Owner) -> NewTask {
    let new = new_task(call_id, owner);
    NewTask { durable: Some(NewDurable::new(new.task_id, NAME, INPUT, USER)), ..new }
}

/// A start that has to wait for a slot.
pub(super) fn without_slot(call_id: CallId, owner: &Owner) -> NewTask {
    NewTask { max_running: 0, ..new_durable(call_id, owner) }
}

pub(super) fn request(limit: u32) -> ClaimRequest {
    ClaimRequest::new(vec![DurableName::new("app", NAME)], "v1", limit)
}

pub(super) fn ids(claimed: &[ClaimedTask]) -> Vec<TaskId> {
    claimed.iter().map(|claimed| claimed.record.task.task_id).collect()
}

pub(super) fn refused(program: &str) -> Release {
    Release::Refused { program: program.to_owned() }
}

pub(super) fn step(ordinal: u16) -> NewStep {
    NewStep::new(ordinal, format!("step {ordinal}"), StepKind::Step, format!("{{\"n\":{ordinal}}}"))
}

pub(super) fn attempt(task_id: TaskId, number: u32) -> Attempt {
    Attempt { task_id, number }
}

impl Node {
    pub(super) async fn start_task(&self, new: NewTask) -> Task {
        ok(self.ledger.start_task(&self.incarnation, new).await)
    }

    /// A durable task that this node runs in attempt 1. Its call has its reply.
    pub(super) async fn durable(&self, owner: &Owner) -> TaskId {
        let call_id = self.call(owner).await;
        let task = self.start_task(new_durable(call_id, owner)).await;
        ok(self.reply(call_id).await);
        task.task_id
    }

    /// A durable task that this node has released after attempt 1.
    pub(super) async fn released(&self, owner: &Owner) -> TaskId {
        let task_id = self.durable(owner).await;
        ok(self.release(attempt(task_id, 1), Release::HandOver).await);
        task_id
    }

    /// The same node after a crash.
    pub(super) async fn crash(&self) -> Self {
        let incarnation = ok(self.ledger.join(&self.incarnation.node, super::scene::LONG).await);
        Self { incarnation, ..self.clone() }
    }

    pub(super) async fn claim(&self, limit: u32) -> Vec<ClaimedTask> {
        self.claim_with(request(limit)).await
    }

    pub(super) async fn claim_with(&self, request: ClaimRequest) -> Vec<ClaimedTask> {
        ok(self.ledger.claim_tasks(&self.incarnation, request).await)
    }

    /// Claims the only ready task.
    pub(super) async fn claim_one(&self) -> ClaimedTask {
        let mut claimed = self.claim(10).await;
        assert_eq!(claimed.len(), 1, "one task is ready: {claimed:?}");
        claimed.remove(0)
    }

    pub(super) async fn release(&self, attempt: Attempt, release: Release) -> Result<Task, LedgerError> {
        self.ledger.release_task(&self.incarnation, attempt, release, AttemptReport::default()).await
    }

    pub(super) async fn store(&self, attempt: Attempt, step: NewStep) -> Result<(), LedgerError> {
        self.ledger.store_step(&self.incarnation, attempt, step).await
    }

    pub(super) async fn steps(&self, task_id: TaskId) -> Vec<StoredStep> {
        ok(self.ledger.steps(task_id, 0, PageLimit::rows(100)).await).rows
    }

    pub(super) async fn end(&self, attempt: Attempt, state: TaskState) -> Result<Turn, LedgerError> {
        self.ledger.finish_task(&self.incarnation, attempt, end(&anna(), state, "done")).await
    }

    pub(super) async fn read_task(&self, task_id: TaskId) -> Task {
        match ok(self.ledger.find_task(task_id).await) {
            Some(record) => record.task,
            None => panic!("the task is gone"),
        }
    }

    /// A message of an attempt, with the step that records its delivery.
    pub(super) async fn say(&self, attempt: Attempt, text: &str, step: Option<NewStep>) -> Result<Turn, LedgerError> {
        let fence = Fence { incarnation: self.incarnation.clone(), work: Work::Task(attempt) };
        let source = match step {
            Some(step) => MessageSource::Step(fence, step),
            None => MessageSource::Work(fence),
        };
        self.ledger.inject(anna(), bot(text), new_audit(&anna(), "chat.inject"), source).await
    }

    /// The ledger's time.
    pub(super) async fn now(&self) -> jiff::Timestamp {
        self.inject(&Owner::new("clock", "clock"), "now").await.at
    }
}

/// A node whose only durable task has crashed this many times, and is ready again.
pub(super) async fn crashed(backend: &impl Backend, mut node: Node, times: u32) -> Node {
    for crash in 1..=times {
        if crash > 1 {
            node.claim_one().await;
        }
        node = node.crash().await;
        backend.age_tasks(std::time::Duration::from_secs(300)).await;
    }
    node
}
