//! Durable tasks that no process takes: marked as stuck, announced to their users, listed and counted.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Backend;
use super::durable::{NAME, attempt, ids, new_durable, refused, request, step, without_slot};
use super::scene::{MANY, Node, all_of, anna, assert_gapless, ok};
use crate::ids::{CallId, TaskId};
use crate::ledger::{
    Backlog, CancelOutcome, ClaimRequest, DurableName, DurableProgram, EventBody, LedgerError, NewStep, NewTask, Park,
    Release, StepKind, TaskState, WaitsFor,
};

/// Tasks that one call marks or announces.
const BATCH: u64 = 32;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

impl Node {
    async fn register(&self, version: &str, names: &[&str]) {
        let names = names.iter().map(|name| DurableName::new("app", *name)).collect();
        ok(self.ledger.register_program(&self.incarnation, DurableProgram::new(version, names)).await);
    }

    /// How many tasks this call makes stuck.
    async fn mark(&self, untaken_for: u64) -> u64 {
        ok(self.ledger.mark_stuck(&self.incarnation, secs(untaken_for)).await)
    }

    async fn stuck_for(&self, time: Duration) -> Vec<TaskId> {
        let stuck = ok(self.ledger.long_stuck(time, 10).await);
        stuck.iter().map(|record| record.task.task_id).collect()
    }
}

/// For every reason of a wait. Each task has an event and can still be claimed.
pub async fn untaken_tasks_become_stuck(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let waits = node.start_task(without_slot(call_id, &anna())).await.task_id;
    ok(node.reply(call_id).await);
    let untaken = node.released(&anna()).await;
    backend.age_tasks(secs(100)).await;
    let young = node.released(&anna()).await;
    let before = node.look(&anna()).await;
    assert_eq!((node.mark(200).await, node.mark(90).await, node.mark(90).await), (0, 2, 0));
    let look = node.look(&anna()).await;
    assert_eq!((look.head, &look.audit), (before.head + 2, &before.audit));
    for task_id in [waits, untaken] {
        let task = node.read_task(task_id).await;
        assert_eq!((task.state, task.waits_for), (TaskState::Stuck, Some(WaitsFor::Version)));
        assert!(task.ready_at.is_some(), "{task:?}");
        assert!(look.events.iter().any(|event| event.body == EventBody::Task(task.clone())), "{task:?}");
    }
    assert_eq!(node.read_task(young).await.waits_for, Some(WaitsFor::Process));
    let mut claimed = ids(&node.claim(10).await);
    claimed.sort_unstable();
    let mut wanted = [waits, untaken, young];
    wanted.sort_unstable();
    assert_eq!(claimed, wanted);
}

/// A node that knows them may be busy: tasks that wait for its capacity, for a slot, or for their turn as a suspect.
pub async fn tasks_of_known_names_do_not_become_stuck(backend: &impl Backend) {
    let (knows, other) = (Node::start(backend, "knows").await, Node::start(backend, "other").await);
    let node = Node::start(backend, "n").await;
    let suspect = node.durable(&anna()).await;
    let node = super::durable::crashed(backend, node, 2).await;
    let call_id = node.call(&anna()).await;
    let slot = node.start_task(without_slot(call_id, &anna())).await.task_id;
    ok(node.reply(call_id).await);
    let released = node.released(&anna()).await;
    knows.register("v1", &["others", NAME]).await;
    other.register("v1", &["others"]).await;
    backend.age_tasks(secs(1000)).await;
    assert_eq!((other.mark(30).await, knows.mark(30).await), (0, 0));
    for task_id in [suspect, slot, released] {
        assert_eq!(node.read_task(task_id).await.state, TaskState::Queued);
    }
    // The names of the latest registration count.
    knows.register("v1", &["others"]).await;
    assert_eq!(other.mark(30).await, 3);
}

/// Another version may still take it; the one that refused it does not.
pub async fn task_is_stuck_when_only_the_program_that_refused_it_runs(backend: &impl Backend) {
    let (old, new) = (Node::start(backend, "old").await, Node::start(backend, "new").await);
    old.register("v1", &[NAME]).await;
    new.register("v2", &[NAME]).await;
    let task_id = old.durable(&anna()).await;
    ok(old.release(attempt(task_id, 1), refused("v1")).await);
    let claimed = new.claim_with(ClaimRequest { program: "v2".to_owned(), ..request(10) }).await;
    assert_eq!(ids(&claimed), [task_id]);
    ok(new.release(attempt(task_id, 2), Release::HandOver).await);
    backend.age_tasks(secs(100)).await;
    assert_eq!(old.mark(30).await, 0, "v2 can take it");
    ok(new.ledger.leave(&new.incarnation).await);
    assert_eq!(old.mark(30).await, 1);
    assert_eq!(old.read_task(task_id).await.state, TaskState::Stuck);
}

/// However it ends; the next incarnation registers its own.
pub async fn registered_names_go_with_their_incarnation(backend: &impl Backend) {
    let other = Node::start(backend, "other").await;
    other.released(&anna()).await;
    for end in ["join", "leave", "expiry"] {
        let node = Node::start_with(backend, "n", backend.lease()).await;
        node.register("v1", &[NAME]).await;
        backend.age_tasks(secs(100)).await;
        assert_eq!(other.mark(30).await, 0, "{end}");
        match end {
            "join" => drop(node.crash().await),
            "leave" => ok(node.ledger.leave(&node.incarnation).await),
            _ => {
                backend.lapse(backend.lease()).await;
                assert_eq!(ok(other.ledger.expire_leases(&other.incarnation).await), 1);
            }
        }
        assert_eq!(other.mark(30).await, 1, "{end}");
        let program = DurableProgram::new("v1", vec![]);
        assert_eq!(node.ledger.register_program(&node.incarnation, program).await, Err(LedgerError::Fenced));
        let claimed = other.claim_one().await;
        ok(other.release(claimed.record.task.attempt(), Release::HandOver).await);
    }
}

/// A claim ends the time of a mark. That of the first refusal counts again, until a step is stored.
pub async fn mark_begins_the_time_of_a_stuck_task_anew(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.released(&anna()).await;
    let again = async |number| {
        let claimed = node.claim_with(ClaimRequest { program: format!("v{number}"), ..request(1) }).await;
        assert_eq!(ids(&claimed), [task_id]);
        claimed[0].record.task.attempt()
    };
    backend.age_tasks(secs(50)).await;
    assert_eq!(node.mark(30).await, 1);
    backend.age_tasks(secs(50)).await;
    assert_eq!(node.stuck_for(secs(40)).await, [task_id]);
    // It ran, and is stuck for another reason.
    let attempt = again(2).await;
    ok(node.release(attempt, refused("v2")).await);
    assert_eq!(node.stuck_for(secs(40)).await, [], "since the refusal, not since the mark");
    backend.age_tasks(secs(50)).await;
    // A run without progress, then a mark: the refusal still holds.
    let attempt = again(3).await;
    ok(node.release(attempt, Release::HandOver).await);
    assert_eq!(node.stuck_for(secs(0)).await, [], "it is queued");
    backend.age_tasks(secs(50)).await;
    assert_eq!(node.mark(30).await, 1);
    assert_eq!(node.stuck_for(secs(90)).await, [task_id], "since the refusal");
    // A message is no progress, a step is.
    let attempt = again(4).await;
    ok(node.say(attempt, "said", Some(NewStep::new(1, "said", StepKind::Message, "{}"))).await);
    ok(node.release(attempt, refused("v4")).await);
    assert_eq!(node.stuck_for(secs(90)).await, [task_id], "since the first refusal");
    backend.age_tasks(secs(50)).await;
    let attempt = again(5).await;
    ok(node.store(attempt, step(2)).await);
    ok(node.release(attempt, Release::HandOver).await);
    backend.age_tasks(secs(50)).await;
    assert_eq!(node.mark(30).await, 1);
    assert_eq!(node.stuck_for(secs(40)).await, [], "since the mark");
}

/// Their incarnation ended without an event. A task that a process takes or that ends first is not announced.
pub async fn tasks_without_a_process_are_announced_once(backend: &impl Backend) {
    let (mut node, other) = (Node::start(backend, "n").await, Node::start(backend, "other").await);
    let tell = async |time| ok(other.ledger.announce_queued(&other.incarnation, secs(time)).await);
    let (lost, released) = (node.durable(&anna()).await, node.released(&anna()).await);
    ok(node.ledger.drain(&node.incarnation).await);
    node = node.crash().await;
    assert_eq!(tell(60).await, 0, "a process may take it soon");
    backend.age_tasks(secs(100)).await;
    let before = node.look(&anna()).await;
    assert_eq!((tell(60).await, tell(60).await), (1, 0), "once, and not the released one");
    let look = node.look(&anna()).await;
    let task = node.read_task(lost).await;
    assert_eq!((task.state, task.waits_for), (TaskState::Queued, Some(WaitsFor::Process)));
    assert!(task.interrupted_at.is_some(), "{task:?}");
    assert_eq!((look.head, &look.audit), (before.head + 1, &before.audit));
    assert_eq!(look.events.last().map(|event| &event.body), Some(&EventBody::Task(task)));
    // Both run, and lose their process.
    assert_eq!(node.claim(10).await.len(), 2);
    ok(node.ledger.drain(&node.incarnation).await);
    node = node.crash().await;
    backend.age_tasks(secs(100)).await;
    assert!(matches!(node.cancel(released).await, CancelOutcome::Ended(_)));
    assert_eq!(ids(&node.claim(10).await), [lost]);
    assert_eq!(tell(60).await, 0);
    ok(node.ledger.drain(&node.incarnation).await);
    node = node.crash().await;
    backend.age_tasks(secs(100)).await;
    assert_eq!((node.mark(60).await, tell(60).await), (1, 0), "the mark has an event");
    ok(other.ledger.leave(&other.incarnation).await);
    let fenced = other.ledger.announce_queued(&other.incarnation, secs(0)).await;
    assert_eq!(fenced, Err(LedgerError::Fenced));
}

/// A node that runs two tasks more than one call marks or announces, and their call, which has no reply.
async fn more_than_a_batch(backend: &impl Backend) -> (Node, CallId) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let starts = (0..BATCH + 2).map(|_| {
        let node = node.clone();
        let new = NewTask { max_running: MANY, ..new_durable(call_id, &anna()) };
        tokio::spawn(async move { node.start_task(new).await })
    });
    all_of(starts.collect()).await;
    (node, call_id)
}

/// The next call announces the rest.
pub async fn tasks_are_announced_a_few_at_once(backend: &impl Backend) {
    let (node, _) = more_than_a_batch(backend).await;
    let node = node.crash().await;
    backend.age_tasks(secs(2)).await;
    let tell = async || ok(node.ledger.announce_queued(&node.incarnation, secs(1)).await);
    assert_eq!((tell().await, tell().await, tell().await), (BATCH, 2, 0));
    assert_gapless(&node.events(&anna()).await);
}

/// The next call marks the rest.
pub async fn tasks_become_stuck_a_few_at_once(backend: &impl Backend) {
    let (node, call_id) = more_than_a_batch(backend).await;
    ok(node.reply(call_id).await);
    let node = node.crash().await;
    backend.age_tasks(secs(2)).await;
    let mark = async || ok(node.ledger.mark_stuck(&node.incarnation, secs(1)).await);
    assert_eq!((mark().await, mark().await, mark().await), (BATCH, 2, 0));
    assert_gapless(&node.events(&anna()).await);
}

/// Since the first refusal or mark, until a step is stored. Oldest first.
pub async fn long_stuck_tasks_are_listed(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let (first, second) = (node.durable(&anna()).await, node.durable(&anna()).await);
    ok(node.release(attempt(first, 1), refused("v1")).await);
    backend.age_tasks(secs(100)).await;
    ok(node.release(attempt(second, 1), refused("v1")).await);
    backend.age_tasks(secs(100)).await;
    assert_eq!(node.stuck_for(secs(90)).await, [first, second]);
    assert_eq!(node.stuck_for(secs(150)).await, [first]);
    assert_eq!(node.stuck_for(secs(250)).await, []);
    assert_eq!(ok(node.ledger.long_stuck(secs(90), 1).await).len(), 1);
    // Another version takes both, and refuses the first one too.
    let claimed = node.claim_with(ClaimRequest { program: "v2".to_owned(), ..request(10) }).await;
    assert_eq!(claimed.len(), 2);
    assert_eq!(node.stuck_for(secs(0)).await, [], "they run");
    ok(node.release(attempt(first, 2), refused("v2")).await);
    ok(node.store(attempt(second, 2), step(1)).await);
    ok(node.release(attempt(second, 2), refused("v2")).await);
    assert_eq!(node.stuck_for(secs(150)).await, [first], "the time of the first refusal stays");
    assert_eq!(node.stuck_for(secs(90)).await, [first], "a step was stored");
}

/// Of all names. The age is that of the oldest task that is ready; stuck tasks and those that wait for their time have
/// none.
pub async fn backlog_counts_stuck_tasks_and_times_ready_ones(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let backlog = async || ok(node.ledger.backlog().await);
    assert_eq!(backlog().await, Backlog::default());
    let (stuck, waits) = (node.durable(&anna()).await, node.durable(&anna()).await);
    ok(node.release(attempt(stuck, 1), refused("v1")).await);
    let later = Timestamp::MAX - SignedDuration::from_hours(24 * 366);
    ok(node.release(attempt(waits, 1), Release::Park(Park::new(later, vec![]))).await);
    assert_eq!(backlog().await, Backlog::new(1, None));
    let first = node.released(&anna()).await;
    backend.age_tasks(secs(100)).await;
    let stuck = node.durable(&anna()).await;
    ok(node.release(attempt(stuck, 1), refused("v1")).await);
    node.released(&anna()).await;
    let look = backlog().await;
    let aged = secs(100)..secs(200);
    assert_eq!(look.stuck, 2);
    assert!(look.oldest_ready.is_some_and(|age| aged.contains(&age)), "{look:?}");
    let claimed = node.claim(1).await;
    assert_eq!(ids(&claimed), [first]);
    let waited = claimed[0].ready_at.map(|at| Duration::try_from(claimed[0].claimed_at.duration_since(at)));
    assert!(matches!(waited, Some(Ok(waited)) if aged.contains(&waited)), "{waited:?}");
    let look = backlog().await;
    assert!(look.stuck == 2 && look.oldest_ready.is_some_and(|age| age < secs(100)), "{look:?}");
}
