//! Incarnations: a node writes under its current one, and an ended one writes nothing.

use std::time::Duration;

use super::Backend;
use super::scene::{LONG, MANY, Node, anna, bot, cancelled, end, new_audit, new_call, new_task, ok, progress};
use crate::ids::{CallId, TaskId};
use crate::ledger::{Attempt, Fence, LedgerError, MessageSource, Orphan, TaskState, Work};

/// Work of an incarnation that has ended.
struct Held {
    open: CallId,
    replied: CallId,
    running: TaskId,
}

async fn hold(node: &Node) -> Held {
    let open = node.call(&anna()).await;
    let replied = node.call(&anna()).await;
    let running = node.task(replied, &anna()).await;
    ok(node.reply(replied).await);
    Held { open, replied, running }
}

/// Tries every write under an ended incarnation: all are refused with `Fenced` and leave nothing.
async fn assert_buried(zombie: &Node, held: &Held) {
    let before = zombie.look(&anna()).await;
    let Node { ledger, incarnation } = zombie;
    let fenced = Err(LedgerError::Fenced);
    assert_eq!(ledger.renew(incarnation, LONG).await, Err(LedgerError::Fenced), "renew");
    assert_eq!(ledger.accept_call(incarnation, new_call(&anna())).await, fenced, "accept_call");
    let answered = ledger.answer_call(incarnation, new_call(&anna()), bot("late")).await;
    assert_eq!(answered, Err(LedgerError::Fenced), "answer_call");
    let call = new_call(&anna());
    let task = new_task(call.call_id, &anna());
    let started = ledger.accept_and_start(incarnation, call, task).await;
    assert_eq!(started, Err(LedgerError::Fenced), "accept_and_start");
    let call = new_call(&anna());
    let task = new_task(call.call_id, &anna());
    let answered = ledger.start_and_answer(incarnation, call, task, bot("late")).await;
    assert_eq!(answered.err(), Some(LedgerError::Fenced), "start_and_answer");
    let last = (Attempt::first(held.running), end(&anna(), TaskState::Succeeded, "late"));
    let replied = ledger.reply_and_finish(incarnation, held.open, bot("late"), last.0, last.1).await;
    assert_eq!(replied, Err(LedgerError::Fenced), "reply_and_finish");
    assert_eq!(ledger.reply(incarnation, held.open, bot("late")).await, fenced, "reply");
    let task = new_task(held.replied, &anna());
    assert_eq!(ledger.start_task(incarnation, task).await, Err(LedgerError::Fenced), "start_task");
    let done = || end(&anna(), TaskState::Succeeded, "late");
    assert_eq!(ledger.finish_task(incarnation, Attempt::first(held.running), done()).await, fenced, "finish_task");
    let said = vec![progress(held.running, 99.0, "late")];
    assert_eq!(ledger.note_progress(incarnation, said).await, Err(LedgerError::Fenced), "note_progress");
    for work in [Work::Call(held.open), Work::Task(Attempt::first(held.running))] {
        let fence = Fence { incarnation: incarnation.clone(), work };
        let injected =
            ledger.inject(anna(), bot("late"), new_audit(&anna(), "chat.inject"), MessageSource::Work(fence)).await;
        assert_eq!(injected, fenced, "inject for {work:?}");
    }
    assert_eq!(ledger.expire_leases(incarnation).await, Err(LedgerError::Fenced), "expire_leases");
    assert_eq!(ledger.reclaim_call(incarnation, held.open, bot("late")).await, fenced, "reclaim_call");
    assert_eq!(ledger.reclaim_task(incarnation, held.running, done()).await, fenced, "reclaim_task");
    let together = ledger.reclaim_calls(incarnation, vec![(held.open, bot("late"))]).await;
    assert_eq!(together, Err(LedgerError::Fenced), "reclaim_calls");
    let together = ledger.reclaim_tasks(incarnation, vec![(held.running, done())]).await;
    assert_eq!(together, Err(LedgerError::Fenced), "reclaim_tasks");
    assert_eq!(zombie.look(&anna()).await, before, "a refused write left something");
    ok(ledger.leave(incarnation).await);
}

/// A node that joins again has a higher number, and its earlier incarnation has ended.
pub async fn earlier_incarnation_is_fenced(backend: &impl Backend) {
    let first = Node::start(backend, "n").await;
    let held = hold(&first).await;
    let second = Node::start(backend, "n").await;
    assert!(second.incarnation.number > first.incarnation.number);
    assert_eq!(second.incarnation.node, first.incarnation.node);
    assert_buried(&first, &held).await;
    assert_eq!(second.reply(held.open).await, Err(LedgerError::NotHolder), "held by an earlier one");
    assert_eq!(second.finish(&anna(), held.running).await, Err(LedgerError::NotHolder));
    assert_eq!(second.orphans(10).await.len(), 2, "orphaned at once");
    ok(second.ledger.renew(&second.incarnation, LONG).await);
}

/// Another node ends an incarnation whose lease has lapsed.
pub async fn expired_incarnation_is_fenced(backend: &impl Backend) {
    let other = Node::start(backend, "b").await;
    let node = Node::start_with(backend, "a", backend.lease()).await;
    let held = hold(&node).await;
    backend.lapse(backend.lease()).await;
    assert_eq!(other.orphans(10).await.len(), 2);
    assert_buried(&node, &held).await;
    let again = Node::start(backend, "a").await;
    assert!(again.incarnation.number > node.incarnation.number);
    assert_buried(&node, &held).await;
}

/// Leaving orphans the work, and may be repeated.
pub async fn incarnation_that_left_is_fenced(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let held = hold(&node).await;
    ok(node.ledger.leave(&node.incarnation).await);
    assert_eq!(other.orphans(10).await.len(), 2);
    assert_buried(&node, &held).await;
    ok(node.ledger.leave(&node.incarnation).await);
}

/// Neither an earlier incarnation nor an unknown node ends the current one by leaving.
pub async fn leaving_ends_no_other_incarnation(backend: &impl Backend) {
    let first = Node::start(backend, "n").await;
    let second = Node::start(backend, "n").await;
    ok(first.ledger.leave(&first.incarnation).await);
    ok(first.ledger.leave(&crate::ledger::Incarnation { node: "never".into(), number: 1 }).await);
    second.detached(&anna()).await;
    assert_eq!(second.orphans(10).await, []);
}

/// A late renewal succeeds until another node has ended the incarnation.
pub async fn lapsed_lease_can_be_renewed_until_it_is_expired(backend: &impl Backend) {
    let other = Node::start(backend, "b").await;
    let node = Node::start_with(backend, "a", backend.lease()).await;
    let held = hold(&node).await;
    backend.lapse(backend.lease()).await;
    ok(node.ledger.renew(&node.incarnation, LONG).await);
    assert_eq!(other.orphans(10).await, [], "the lease runs from the renewal");
    ok(node.reply(held.open).await);
    ok(node.ledger.renew(&node.incarnation, backend.lease()).await);
    backend.lapse(backend.lease()).await;
    assert_eq!(other.orphans(10).await.len(), 1);
    assert_eq!(node.ledger.renew(&node.incarnation, LONG).await, Err(LedgerError::Fenced));
}

/// The lease runs from the latest renewal.
pub async fn renewal_extends_the_lease(backend: &impl Backend) {
    let other = Node::start(backend, "b").await;
    let node = Node::start_with(backend, "a", backend.lease()).await;
    let task_id = node.detached(&anna()).await;
    ok(node.ledger.renew(&node.incarnation, LONG).await);
    backend.lapse(backend.lease()).await;
    assert_eq!(other.orphans(10).await, []);
    ok(node.finish(&anna(), task_id).await);
}

/// The asking node's own lease has lapsed, and its work is not orphaned.
pub async fn expiring_leases_spares_the_asking_incarnation(backend: &impl Backend) {
    let node = Node::start_with(backend, "a", backend.lease()).await;
    let task_id = node.detached(&anna()).await;
    backend.lapse(backend.lease()).await;
    assert_eq!(node.orphans(10).await, []);
    ok(node.finish(&anna(), task_id).await);
}

/// Each running task of this incarnation with a cancel request, as long as it runs.
pub async fn renewal_lists_cancel_requests(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let asked = [node.detached(&anna()).await, node.detached(&anna()).await];
    let elsewhere = other.detached(&anna()).await;
    node.detached(&anna()).await;
    assert_eq!(node.news().await.cancelled_tasks, []);
    // Any node can store a cancel request.
    for task_id in asked.into_iter().chain([elsewhere]) {
        ok(other.ledger.request_cancel(task_id, new_audit(&anna(), "task.cancel"), cancelled(&anna())).await);
    }
    let listed = async |node: &Node| node.news().await.cancelled_tasks;
    assert_eq!(listed(&node).await, asked);
    assert_eq!(listed(&node).await, asked, "told again until it has ended");
    assert_eq!(listed(&other).await, [elsewhere]);
    ok(node.finish(&anna(), asked[0]).await);
    assert_eq!(listed(&node).await, [asked[1]]);
}

/// A dead node is found within one lease of the first pass, however far the clock was set back.
pub async fn lease_from_before_a_clock_change_lapses_in_time(backend: &impl Backend) {
    let dead = Node::start_with(backend, "dead", backend.lease()).await;
    let asking = Node::start(backend, "asking").await;
    let call_id = dead.call(&anna()).await;
    backend.set_back(Duration::from_secs(3600)).await;
    assert_eq!(asking.orphans(MANY).await, [], "its lease may still run");
    backend.lapse(backend.lease()).await;
    let orphans = asking.orphans(MANY).await;
    assert!(matches!(&orphans[..], [Orphan::Call { call_id: left, .. }] if *left == call_id), "{orphans:?}");
    assert_eq!(dead.reply(call_id).await, Err(LedgerError::Fenced));
}

/// The next renewal is early enough.
pub async fn live_node_keeps_its_work_when_the_clock_is_set_back(backend: &impl Backend) {
    let live = Node::start_with(backend, "live", LONG).await;
    let asking = Node::start(backend, "asking").await;
    let call_id = live.call(&anna()).await;
    for _ in 0..3 {
        backend.set_back(Duration::from_secs(3600)).await;
        assert_eq!(asking.orphans(MANY).await, []);
        ok(live.ledger.renew(&live.incarnation, LONG).await);
        assert_eq!(asking.orphans(MANY).await, []);
    }
    ok(live.reply(call_id).await);
}
