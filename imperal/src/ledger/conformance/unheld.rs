//! Durable tasks that no process holds: cancelled, stuck, reclaimed, and kept by retention.

use std::time::Duration;

use super::Backend;
use super::durable::{INPUT, NAME, USER, attempt, ids, new_durable, refused, request, step, without_slot};
use super::retention::{Line, prune};
use super::scene::{MANY, Node, all_of, anna, answer, assert_gapless, cancelled, end, new_audit, new_task, ok};
use crate::ids::TaskId;
use crate::ledger::{
    CancelOutcome, ClaimRequest, DurableName, DurableProgram, EventBody, LedgerError, NewStep, NewTask, Release,
    StepKind, Task, TaskState, Turn, WaitsFor,
};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

impl Node {
    async fn cancel(&self, task_id: TaskId) -> CancelOutcome {
        ok(self.ledger.request_cancel(task_id, new_audit(&anna(), "task.cancel"), cancelled(&anna())).await)
    }

    async fn reclaim(&self, task_id: TaskId) -> Result<Turn, LedgerError> {
        let end = end(&anna(), TaskState::Reclaimed, "stuck");
        self.ledger.reclaim_task(&self.incarnation, task_id, end).await
    }

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

/// A queued, a released, an orphaned and a stuck one: outcome turn, two audit rows, two events, and its key is
/// free.
pub async fn cancel_ends_a_task_that_no_process_holds(backend: &impl Backend) {
    let mut node = Node::start(backend, "n").await;
    for how in ["queued", "released", "orphaned", "stuck"] {
        let call_id = node.call(&anna()).await;
        let new = if how == "queued" { without_slot(call_id, &anna()) } else { new_durable(call_id, &anna()) };
        let task_id = node.start_task(new.key("k")).await.task_id;
        ok(node.reply(call_id).await);
        match how {
            "queued" => {}
            "released" => drop(ok(node.release(attempt(task_id, 1), Release::HandOver).await)),
            "stuck" => drop(ok(node.release(attempt(task_id, 1), refused("v0")).await)),
            _ => node = node.crash().await,
        }
        let before = node.look(&anna()).await;
        let CancelOutcome::Ended(record) = node.cancel(task_id).await else { panic!("the {how} task did not end") };
        let task = node.read_task(task_id).await;
        assert_eq!((&record.owner, &record.task), (&anna(), &task));
        assert_eq!((task.state, task.waits_for, task.ready_at), (TaskState::Cancelled, None, None), "{how}");
        assert_eq!((task.deadline_at, &task.result), (None, &Some(answer("cancelled"))));
        assert!(task.cancel_requested_at.is_some() && task.finished_at == task.cancel_requested_at);
        let look = node.look(&anna()).await;
        let added: Vec<_> = look.events[before.events.len()..].iter().map(|event| &event.body).collect();
        let turn = look.turns.last().map_or_else(|| panic!("no turn"), Clone::clone);
        assert_eq!(turn.body.text, "cancelled");
        assert_eq!(added, [&EventBody::Task(Task { result: None, ..task }), &EventBody::Turn(turn)], "{how}");
        let audit: Vec<_> = look.audit[before.audit.len()..].iter().map(|row| &*row.body.action).collect();
        assert_eq!(audit, ["task.cancel", "chat.inject"]);
        assert!(matches!(node.cancel(task_id).await, CancelOutcome::AlreadyEnded(_)));
        assert_eq!(node.claim(10).await, []);
        let next = node.call(&anna()).await;
        let free = node.start_task(new_task(next, &anna()).key("k")).await.task_id;
        ok(node.reply(next).await);
        ok(node.finish(&anna(), free).await);
        assert_gapless(&node.events(&anna()).await);
    }
}

/// Its outcome would precede the reply. The request stays for the claim after the reply; a request after the
/// reply ends the task.
pub async fn cancel_of_an_unreplied_unheld_task_is_stored(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let task_id = node.start_task(without_slot(call_id, &anna())).await.task_id;
    let before = node.look(&anna()).await;
    for _ in 0..2 {
        let CancelOutcome::Requested(record) = node.cancel(task_id).await else { panic!("ended before its reply") };
        assert_eq!((record.task.state, record.task.waits_for), (TaskState::Queued, Some(WaitsFor::Slot)));
        assert!(record.task.cancel_requested_at.is_some());
        assert_eq!(node.read_task(task_id).await, record.task);
    }
    let look = node.look(&anna()).await;
    assert_eq!((look.head, look.audit.len()), (before.head + 1, before.audit.len() + 2));
    ok(node.reply(call_id).await);
    let requested = look.running[0].cancel_requested_at;
    let CancelOutcome::Ended(record) = node.cancel(task_id).await else { panic!("it has its reply") };
    assert_eq!(record.task.cancel_requested_at, requested, "the first request stays");
}

/// Nothing of the request stays when its end is refused.
pub async fn refused_end_of_a_cancel_leaves_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.released(&anna()).await;
    let before = node.look(&anna()).await;
    let mut taken = cancelled(&anna());
    taken.turn.turn_id = before.turns[0].body.turn_id;
    let outcome = node.ledger.request_cancel(task_id, new_audit(&anna(), "task.cancel"), taken).await;
    assert_eq!(outcome, Err(LedgerError::IdExists));
    assert_eq!(node.look(&anna()).await, before);
    assert!(matches!(node.cancel(task_id).await, CancelOutcome::Ended(_)));
}

/// The task ends without a process, or the process learns of the request.
pub async fn cancel_and_claim_have_one_winner(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    for _ in 0..8 {
        let task_id = node.released(&anna()).await;
        let canceller = node.clone();
        let cancel = tokio::spawn(async move { canceller.cancel(task_id).await });
        let claimed = other.claim(1).await;
        let cancel = all_of(vec![cancel]).await.remove(0);
        match cancel {
            CancelOutcome::Ended(_) => assert_eq!((claimed, other.claim(1).await), (vec![], vec![])),
            CancelOutcome::Requested(_) => {
                assert_eq!(ids(&claimed), [task_id]);
                assert_eq!(other.news().await.cancelled_tasks, [task_id]);
                ok(other.end(attempt(task_id, 2), TaskState::Cancelled).await);
            }
            CancelOutcome::AlreadyEnded(_) => panic!("nobody had ended it"),
        }
        assert_eq!(node.read_task(task_id).await.state, TaskState::Cancelled);
    }
    assert_gapless(&node.events(&anna()).await);
}

/// Whatever they wait for; with an event each, and still to be claimed.
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

/// The next call announces the rest.
pub async fn tasks_are_announced_256_at_once(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let starts = (0..258).map(|_| {
        let node = node.clone();
        let new = NewTask { max_running: MANY, ..new_durable(call_id, &anna()) };
        tokio::spawn(async move { node.start_task(new).await })
    });
    all_of(starts.collect()).await;
    let node = node.crash().await;
    backend.age_tasks(secs(2)).await;
    let tell = async || ok(node.ledger.announce_queued(&node.incarnation, secs(1)).await);
    assert_eq!((tell().await, tell().await, tell().await), (256, 2, 0));
    assert_gapless(&node.events(&anna()).await);
}

/// The next call marks the rest.
pub async fn tasks_become_stuck_256_at_once(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let starts = (0..258).map(|_| {
        let node = node.clone();
        let new = NewTask { max_running: MANY, ..new_durable(call_id, &anna()) };
        tokio::spawn(async move { node.start_task(new).await })
    });
    all_of(starts.collect()).await;
    ok(node.reply(call_id).await);
    let node = node.crash().await;
    backend.age_tasks(secs(2)).await;
    let mark = async || ok(node.ledger.mark_stuck(&node.incarnation, secs(1)).await);
    assert_eq!((mark().await, mark().await, mark().await), (256, 2, 0));
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

/// By any node; a held one is not, and not before its call's reply.
pub async fn unheld_task_is_reclaimed(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let stuck = node.durable(&anna()).await;
    assert_eq!(other.reclaim(stuck).await, Err(LedgerError::NotOrphaned));
    ok(node.release(attempt(stuck, 1), refused("v1")).await);
    let before = node.look(&anna()).await;
    let turn = ok(other.reclaim(stuck).await);
    let look = node.look(&anna()).await;
    assert_eq!((look.head, turn.seq, look.running.len()), (before.head + 2, before.head + 2, 0));
    assert_eq!(look.audit.len(), before.audit.len() + 1);
    let task = node.read_task(stuck).await;
    assert_eq!((task.state, task.waits_for, task.ready_at), (TaskState::Reclaimed, None, None));
    assert_eq!(other.reclaim(stuck).await, Err(LedgerError::AlreadyEnded));
    let call_id = node.call(&anna()).await;
    let queued = node.start_task(without_slot(call_id, &anna())).await.task_id;
    assert_eq!(other.reclaim(queued).await, Err(LedgerError::CallNotReplied));
    ok(node.reply(call_id).await);
    ok(other.reclaim(queued).await);
    assert_eq!(other.claim_with(ClaimRequest { program: "v2".to_owned(), ..request(10) }).await, []);
}

/// An unheld task keeps itself: its events, turns and call go, and it runs on with its input and user. At its
/// end and age its steps go with it.
pub async fn only_held_tasks_keep_history(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    ok(node.store(attempt(task_id, 1), step(1)).await);
    let line = Line::draw(backend, &node).await;
    let before = node.look(&anna()).await;
    assert_eq!(prune(&*node.ledger, &line.all().await).await.turns, 0, "its node needs the history");
    assert_eq!(node.look(&anna()).await.events, before.events);
    let task = ok(node.release(attempt(task_id, 1), Release::HandOver).await);
    prune(&*node.ledger, &line.all().await).await;
    let head = before.head + 1;
    assert_eq!(ok(node.ledger.turns(&anna(), 0, super::scene::ALL).await).rows, []);
    assert_eq!(ok(node.ledger.find_call(&anna(), task.call_id).await), None);
    assert_eq!((node.read_task(task_id).await, ok(node.ledger.head(&anna()).await)), (task, head));
    let claimed = node.claim_one().await;
    assert_eq!((&*claimed.input, &*claimed.user), (INPUT, USER));
    assert_eq!(node.steps(task_id).await.len(), 1);
    let turn = ok(node.end(attempt(task_id, 2), TaskState::Succeeded).await);
    assert_eq!(turn.seq, head + 3, "after the claim and the end");
    let line = Line::draw(backend, &node).await;
    assert_eq!(prune(&*node.ledger, &line.all().await).await.tasks, 1);
    assert_eq!(ok(node.ledger.find_task(task_id).await), None);
    assert_eq!(node.steps(task_id).await, []);
}
