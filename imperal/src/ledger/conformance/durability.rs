//! Answered writes survive the closing and reopening of the ledger.

use super::Backend;
use super::durable::{attempt, ids, refused, request, step};
use super::scene::{LONG, Look, Node, anna, ben, cancelled, new_audit, ok, progress};
use crate::ledger::{ClaimRequest, LedgerError, MessageSource, NewStep};

/// Byte for byte; numbers continue.
pub async fn reopening_keeps_everything(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let ended = node.detached(&anna()).await;
    ok(node.finish(&anna(), ended).await);
    let running = node.detached(&anna()).await;
    ok(node.ledger.note_progress(&node.incarnation, vec![progress(running, 12.5, "kept")]).await);
    ok(node.ledger.request_cancel(running, new_audit(&anna(), "task.cancel"), cancelled(&anna())).await);
    node.call(&ben()).await;
    let before = [node.look(&anna()).await, node.look(&ben()).await];
    let record = ok(node.ledger.find_task(running).await);
    drop(node);

    let ledger = backend.open().await;
    assert_eq!([Look::at(&*ledger, &anna()).await, Look::at(&*ledger, &ben()).await], before);
    assert_eq!(ok(ledger.find_task(running).await), record);
    let turn = ledger
        .inject(anna(), super::scene::bot("next"), new_audit(&anna(), "chat.inject"), MessageSource::OUTSIDE)
        .await;
    assert_eq!(ok(turn).seq, before[0].head + 1);
}

/// Closing a ledger does not leave it: the lease holds until it lapses.
pub async fn incarnation_continues_after_reopening(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.detached(&anna()).await;
    let incarnation = node.incarnation.clone();
    drop(node);
    let other = Node::start(backend, "b").await;
    assert_eq!(other.orphans(10).await, []);
    let node = Node { ledger: backend.open().await, incarnation };
    ok(node.ledger.renew(&node.incarnation, LONG).await);
    ok(node.finish(&anna(), task_id).await);
    let again = Node::start(backend, "n").await;
    assert!(again.incarnation.number > node.incarnation.number);
}

/// An ended incarnation stays ended, and its work stays orphaned.
pub async fn orphans_stay_orphaned_after_reopening(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    node.detached(&anna()).await;
    ok(node.ledger.leave(&node.incarnation).await);
    let incarnation = node.incarnation.clone();
    drop(node);
    let other = Node::start(backend, "b").await;
    assert_eq!(other.orphans(10).await.len(), 2);
    let node = Node { ledger: backend.open().await, incarnation };
    assert_eq!(node.reply(call_id).await, Err(LedgerError::Fenced));
}

/// With their attempts, steps and reasons to wait; unheld ones are claimed, and a held one is still held.
pub async fn durable_tasks_continue_after_reopening(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let released = node.released(&anna()).await;
    let claimed = node.claim_one().await;
    ok(node.store(attempt(released, 2), step(1)).await);
    ok(node.store(attempt(released, 2), NewStep { value: "x".repeat(5000), ..step(2) }).await);
    let stuck = node.durable(&anna()).await;
    ok(node.release(attempt(stuck, 1), refused("v1")).await);
    let before = (node.look(&anna()).await, node.steps(released).await);
    let incarnation = node.incarnation.clone();
    drop(node);

    let node = Node { ledger: backend.open().await, incarnation };
    assert_eq!((node.look(&anna()).await, node.steps(released).await), before);
    assert_eq!(ok(node.ledger.step_value(released, 2).await), Some("x".repeat(5000)));
    assert_eq!(ok(node.ledger.find_task(released).await), Some(claimed.record));
    assert_eq!(node.claim(10).await, [], "v1 has refused the stuck one");
    let claimed = node.claim_with(ClaimRequest { program: "v2".to_owned(), ..request(10) }).await;
    assert_eq!(ids(&claimed), [stuck]);
    ok(node.store(attempt(released, 2), step(3)).await);
    ok(node.release(attempt(released, 2), crate::ledger::Release::HandOver).await);
    ok(node.ledger.leave(&node.incarnation).await);
    let other = Node::start(backend, "b").await;
    assert_eq!(ids(&other.claim(10).await), [released], "v1 has refused the stuck one");
    let claimed = other.claim_with(ClaimRequest { program: "v2".to_owned(), ..request(10) }).await;
    assert_eq!(ids(&claimed), [stuck]);
}
