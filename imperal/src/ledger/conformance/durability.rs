//! What was answered is there after the ledger was closed and opened again.

use super::Backend;
use super::scene::{LONG, Look, Node, anna, ben, new_audit, ok, progress};
use crate::ledger::{LedgerError, MessageSource};

/// All of it, byte for byte, and numbers go on where they were.
pub async fn everything_is_there_after_a_reopening(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let ended = node.detached(&anna()).await;
    ok(node.finish(&anna(), ended).await);
    let running = node.detached(&anna()).await;
    ok(node.ledger.note_progress(&node.incarnation, vec![progress(running, 12.5, "kept")]).await);
    ok(node.ledger.request_cancel(running, new_audit(&anna(), "task.cancel")).await);
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

/// Closing is not leaving: a lease holds until it lapses, and its life may go on.
pub async fn a_incarnation_goes_on_after_a_reopening(backend: &impl Backend) {
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

/// A life that ended stays over, and its work waits for whoever comes.
pub async fn what_was_orphaned_stays_orphaned(backend: &impl Backend) {
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
