//! Answered writes survive the closing and reopening of the ledger.

use super::Backend;
use super::scene::{LONG, Look, Node, anna, ben, cancelled, new_audit, ok, progress};
use crate::ledger::{LedgerError, MessageSource};

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
