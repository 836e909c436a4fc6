//! Drafts: appended while their work runs, and gone with it.

use std::time::Duration;

use super::Backend;
use super::scene::{LONG, Node, anna, ben, bot, ok};
use crate::ids::DraftId;
use crate::ledger::{Attempt, DraftPiece, FeedSignal, LedgerError, Owner, Work};

impl Node {
    async fn push(&self, pieces: impl IntoIterator<Item = (DraftId, Work, u64, &'static str)>) {
        let pieces = pieces.into_iter().map(|(id, work, offset, text)| DraftPiece::new(id, work, offset, text));
        ok(self.ledger.write_drafts(&self.incarnation, pieces.collect()).await);
    }

    /// The text from an offset on, with where it begins.
    async fn draft(&self, owner: &Owner, id: DraftId, from: u64) -> Option<(u64, String)> {
        ok(self.ledger.draft_text(owner, id, from).await).map(|piece| (piece.offset, piece.text))
    }

    /// The ids of the owner's drafts with their ends.
    async fn ends(&self, owner: &Owner) -> Vec<(DraftId, u64)> {
        let ends = ok(self.ledger.drafts(owner).await);
        assert!(ends.iter().all(|end| end.text.is_empty()));
        ends.into_iter().map(|end| (end.draft_id, end.offset)).collect()
    }

    async fn whole(&self, work: Work) -> Vec<(DraftId, String)> {
        let whole = ok(self.ledger.drafts_of_work(&[work]).await);
        assert!(whole.iter().all(|piece| piece.offset == 0));
        whole.into_iter().map(|piece| (piece.draft_id, piece.text)).collect()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what a read returns")]
fn some(offset: u64, text: &str) -> Option<(u64, String)> {
    Some((offset, text.to_owned()))
}

/// Of calls and tasks, on every node, with offsets in bytes; a read never cuts a character.
pub async fn pieces_become_the_text_of_a_draft(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "n").await, Node::start(backend, "m").await);
    let owner = Owner::new("te\0nant", "änna");
    let call = Work::Call(node.call(&owner).await);
    let task = Work::Task(Attempt::first(node.detached(&owner).await));
    let (first, second, third) = (DraftId::generate(), DraftId::generate(), DraftId::generate());
    node.push([(first, call, 0, "a😀"), (second, call, 0, "\0\\"), (third, task, 0, "of a task")]).await;
    node.push([(first, call, 5, "ü"), (first, call, 7, "\\000")]).await;
    assert_eq!(other.ends(&owner).await, [(first, 11), (second, 2), (third, 9)]);
    assert_eq!(other.draft(&owner, first, 0).await, some(0, "a😀ü\\000"));
    assert_eq!(other.draft(&owner, first, 5).await, some(5, "ü\\000"));
    assert_eq!(other.draft(&owner, first, 3).await, some(1, "😀ü\\000"));
    assert_eq!(other.draft(&owner, first, 8).await, some(8, "000"), "in a piece");
    assert_eq!(other.draft(&owner, first, 11).await, some(11, ""));
    assert_eq!(other.draft(&owner, first, u64::MAX).await, some(11, ""));
    assert_eq!(other.draft(&owner, DraftId::generate(), 0).await, None);
    assert_eq!(other.whole(call).await, [(first, "a😀ü\\000".to_owned()), (second, "\0\\".to_owned())]);
    assert_eq!(other.whole(task).await, [(third, "of a task".to_owned())]);
}

/// A write whose answer was lost is repeated as it was.
pub async fn repeated_pieces_are_stored_once_and_gaps_are_skipped(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call = Work::Call(node.call(&anna()).await);
    let (id, gap) = (DraftId::generate(), DraftId::generate());
    node.push([(id, call, 0, "ab"), (gap, call, 1, "no beginning")]).await;
    node.push([(id, call, 0, "ab"), (id, call, 2, "cd"), (id, call, 2, "cd"), (id, call, 9, "behind a gap")]).await;
    assert_eq!(node.ends(&anna()).await, [(id, 4)]);
    assert_eq!(node.draft(&anna(), id, 0).await, some(0, "abcd"));
}

/// Neither their texts nor that they exist.
pub async fn drafts_of_others_are_not_found(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call = Work::Call(node.call(&anna()).await);
    let id = DraftId::generate();
    node.push([(id, call, 0, "for Anna")]).await;
    for owner in [ben(), Owner::new("other", "anna"), Owner::new("nobody", "knows")] {
        assert_eq!(node.draft(&owner, id, 0).await, None);
        assert_eq!(node.ends(&owner).await, []);
    }
    // Other work does not get into it.
    let bens = Work::Call(node.call(&ben()).await);
    node.push([(id, bens, 8, "from Ben")]).await;
    assert_eq!((node.draft(&anna(), id, 0).await, node.ends(&ben()).await), (some(0, "for Anna"), vec![]));
}

/// The reply to a call and the end of a task remove their drafts, and no others.
pub async fn draft_goes_with_its_work(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let task_id = node.detached(&anna()).await;
    let (call, task) = (Work::Call(call_id), Work::Task(Attempt::first(task_id)));
    let other = Work::Call(node.call(&anna()).await);
    let ids = [(); 3].map(|()| DraftId::generate());
    node.push([(ids[0], call, 0, "call"), (ids[1], task, 0, "task"), (ids[2], other, 0, "other")]).await;
    ok(node.reply(call_id).await);
    assert_eq!(node.ends(&anna()).await, [(ids[1], 4), (ids[2], 5)]);
    ok(node.finish(&anna(), task_id).await);
    assert_eq!(node.ends(&anna()).await, [(ids[2], 5)]);
    assert_eq!((node.draft(&anna(), ids[0], 0).await, node.whole(task).await), (None, vec![]));
}

/// Nothing of an earlier incarnation, of work that is over, or of another node's.
pub async fn zombies_and_ended_work_write_no_drafts(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "n").await, Node::start(backend, "m").await);
    let (call_id, task_id) = (node.call(&anna()).await, node.detached(&anna()).await);
    let theirs = Work::Call(other.call(&anna()).await);
    ok(node.reply(call_id).await);
    ok(node.finish(&anna(), task_id).await);
    let (call, task) = (Work::Call(call_id), Work::Task(Attempt::first(task_id)));
    node.push([call, task, theirs].map(|work| (DraftId::generate(), work, 0, "too late"))).await;
    assert_eq!(node.ends(&anna()).await, []);
    let open = Work::Call(node.call(&anna()).await);
    let id = DraftId::generate();
    node.push([(id, open, 0, "before")]).await;
    let zombie = node.incarnation.clone();
    ok(node.ledger.join("n", LONG).await);
    let late = node.ledger.write_drafts(&zombie, vec![DraftPiece::new(id, open, 6, "after")]).await;
    assert_eq!(late, Err(LedgerError::Fenced));
    assert_eq!(node.draft(&anna(), id, 0).await, some(0, "before"));
}

/// Recovery reads them, and its reply removes them.
pub async fn drafts_of_orphans_stay_until_they_are_reclaimed(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "n").await, Node::start(backend, "m").await);
    let call_id = node.call(&anna()).await;
    let id = DraftId::generate();
    node.push([(id, Work::Call(call_id), 0, "half a sen")]).await;
    ok(node.ledger.leave(&node.incarnation).await);
    assert_eq!(other.whole(Work::Call(call_id)).await, [(id, "half a sen".to_owned())]);
    ok(other.ledger.reclaim_call(&other.incarnation, call_id, bot("interrupted")).await);
    assert_eq!((other.ends(&anna()).await, other.whole(Work::Call(call_id)).await), (vec![], vec![]));
}

/// A durable task that went on begins its texts again.
pub async fn later_attempt_replaces_the_drafts_of_earlier_ones(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let first = Attempt::first(task_id);
    let (old, new) = (DraftId::generate(), DraftId::generate());
    node.push([(old, Work::Task(first), 0, "of the first")]).await;
    let node = node.crash().await;
    assert_eq!(node.ends(&anna()).await, [(old, 12)], "until the next attempt writes");
    let claimed = node.claim_one().await;
    let second = claimed.record.task.attempt();
    assert_eq!(second.number, 2);
    node.push([(old, Work::Task(first), 12, " attempt"), (new, Work::Task(second), 0, "of the second")]).await;
    assert_eq!(node.ends(&anna()).await, [(new, 13)]);
    assert_eq!(node.whole(Work::Task(first)).await, [(new, "of the second".to_owned())]);
}

/// Watchers get each piece, and no event number is taken.
pub async fn drafts_are_published_without_an_event(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call = Work::Call(node.call(&anna()).await);
    let before = node.look(&anna()).await;
    let mut watch = node.ledger.feed().subscribe(&anna());
    let id = DraftId::generate();
    for (offset, text) in [(0, "Hel"), (3, "lo")] {
        node.push([(id, call, offset, text)]).await;
        match tokio::time::timeout(Duration::from_secs(30), watch.next()).await {
            Ok(FeedSignal::Draft(told)) => assert_eq!(*told, DraftPiece::new(id, call, offset, text)),
            other => panic!("the piece was not told: {other:?}"),
        }
    }
    assert_eq!(node.look(&anna()).await.events, before.events);
}
