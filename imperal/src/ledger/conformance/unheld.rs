//! Durable tasks that no process holds: cancelled, reclaimed, and kept by retention. Those that no process takes are
//! in `untaken`.

use super::Backend;
use super::durable::{INPUT, USER, attempt, ids, new_durable, refused, request, step, without_slot};
use super::retention::{Line, prune};
use super::scene::{Node, all_of, anna, answer, assert_gapless, cancelled, end, new_audit, new_task, ok};
use crate::ids::TaskId;
use crate::ledger::{CancelOutcome, ClaimRequest, EventBody, LedgerError, Release, Task, TaskState, Turn, WaitsFor};

impl Node {
    pub(super) async fn cancel(&self, task_id: TaskId) -> CancelOutcome {
        ok(self.ledger.request_cancel(task_id, new_audit(&anna(), "task.cancel"), cancelled(&anna())).await)
    }

    async fn reclaim(&self, task_id: TaskId) -> Result<Turn, LedgerError> {
        let end = end(&anna(), TaskState::Reclaimed, "stuck");
        self.ledger.reclaim_task(&self.incarnation, task_id, end).await
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
