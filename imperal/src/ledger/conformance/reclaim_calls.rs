//! Recovery replies to many calls together: each gets one reply, and a refused one stops no other.

use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;

use super::Backend;
use super::durable::{ids as claimed_ids, without_slot};
use super::scene::{ALL, Node, all_of, anna, assert_gapless, assert_one_winner, assert_winners_of_many, ben, bot, ok};
use crate::ids::{CallId, DraftId};
use crate::ledger::{DraftPiece, EventBody, LedgerError, Owner, Turn, TurnBody, Work};

impl Node {
    /// Replies to the calls together, each with a turn of its own.
    async fn reclaim_calls(&self, calls: &[CallId]) -> Result<Vec<Result<(), LedgerError>>, LedgerError> {
        let replies = calls.iter().map(|call_id| (*call_id, interrupted(*call_id)));
        self.ledger.reclaim_calls(&self.incarnation, replies.collect()).await
    }
}

fn interrupted(call_id: CallId) -> TurnBody {
    TurnBody { call_id: Some(call_id), ..bot("interrupted") }
}

/// The one reply to a call, which is also one event.
async fn assert_one_reply(node: &Node, owner: &Owner, call_id: CallId) {
    let look = node.look(owner).await;
    let is_reply = |turn: &&Turn| turn.body.call_id == Some(call_id) && turn.body.text == "interrupted";
    let replies: Vec<&Turn> = look.turns.iter().filter(is_reply).collect();
    let [reply] = &replies[..] else { panic!("one reply to {call_id}: {replies:?}") };
    let event = look.events.iter().find(|event| event.seq == reply.seq).map(|event| &event.body);
    assert_eq!(event, Some(&EventBody::Turn((*reply).clone())));
    let record = ok(node.ledger.find_call(owner, call_id).await).unwrap_or_else(|| panic!("{call_id} is missing"));
    assert_eq!(record.reply.as_ref(), Some(*reply));
}

/// Calls of several owners get replies in one write: each gets its reply and its number, as in a write of its own.
pub async fn calls_are_reclaimed_together(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let mut left = Vec::new();
    for round in 0..3 {
        for owner in [anna(), ben()] {
            let call_id = node.call(&owner).await;
            if round == 1 {
                let draft = DraftPiece::new(DraftId::generate(), Work::Call(call_id), 0, "half a text");
                ok(node.ledger.write_drafts(&node.incarnation, vec![draft]).await);
            }
            left.push((call_id, owner));
        }
    }
    ok(node.ledger.leave(&node.incarnation).await);
    let before = [other.look(&anna()).await, other.look(&ben()).await];
    let ids: Vec<CallId> = left.iter().map(|(call_id, _)| *call_id).collect();
    assert_eq!(ok(other.reclaim_calls(&ids).await), vec![Ok(()); 6]);
    for (owner, before) in [anna(), ben()].iter().zip(before) {
        let look = other.look(owner).await;
        assert_eq!((look.head, look.turns.len()), (before.head + 3, before.turns.len() + 3));
        assert_gapless(&look.events);
        assert_eq!(ok(other.ledger.drafts(owner).await), [], "drafts go with their work");
    }
    for (call_id, owner) in &left {
        assert_one_reply(&other, owner, *call_id).await;
    }
    assert_eq!(other.orphans(10).await, []);
    // The answer was lost: nothing is written again, whatever ids the turns have.
    let before = [other.look(&anna()).await, other.look(&ben()).await];
    assert_eq!(ok(other.reclaim_calls(&ids).await), vec![Err(LedgerError::AlreadyReplied); 6]);
    assert_eq!([other.look(&anna()).await, other.look(&ben()).await], before);
    other.call(&anna()).await;
    assert_gapless(&other.events(&anna()).await);
}

/// Each has the answer that it would have alone, and the others get their replies.
pub async fn refused_reply_stops_no_other(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let held = other.call(&anna()).await;
    let answered = node.call(&anna()).await;
    ok(node.reply(answered).await);
    let [first, deep, twice, same_turn, last] = [
        node.call(&anna()).await,
        node.call(&anna()).await,
        node.call(&ben()).await,
        node.call(&anna()).await,
        node.call(&anna()).await,
    ];
    ok(node.ledger.leave(&node.incarnation).await);
    let unknown = CallId::generate();
    let ids = [first, held, answered, unknown, deep, twice, same_turn, last];
    let mut replies: Vec<(CallId, TurnBody)> = ids.iter().map(|call_id| (*call_id, interrupted(*call_id))).collect();
    replies[4].1.params = Some((0..200).fold(json!(0), |inner, _| json!([inner])));
    // The id of a turn that is stored already.
    replies[6].1.turn_id = other.look(&ben()).await.turns[0].body.turn_id;

    let before = [other.look(&anna()).await, other.look(&ben()).await];
    let answers = ok(other.ledger.reclaim_calls(&other.incarnation, replies).await);
    let wanted = [
        Ok(()),
        Err(LedgerError::NotOrphaned),
        Err(LedgerError::AlreadyReplied),
        Err(LedgerError::NotFound),
        Err(LedgerError::TooDeep("params")),
        Ok(()),
        Err(LedgerError::IdExists),
        Ok(()),
    ];
    assert_eq!(answers, wanted);
    for (owner, before, calls) in [(anna(), &before[0], &[first, last][..]), (ben(), &before[1], &[twice])] {
        let (look, count) = (other.look(&owner).await, calls.len());
        assert_eq!(look.head, before.head + count as u64, "refused replies take no number");
        assert_eq!(look.turns.len(), before.turns.len() + count);
        assert_gapless(&look.events);
        for call_id in calls {
            assert_one_reply(&other, &owner, *call_id).await;
        }
    }
    // The refused ones get their replies later.
    let answers = ok(other.reclaim_calls(&[deep, same_turn, twice]).await);
    assert_eq!(answers, [Ok(()), Ok(()), Err(LedgerError::AlreadyReplied)]);
    assert_eq!(ok(other.ledger.events(&anna(), 0, ALL).await).rows.len() as u64, other.look(&anna()).await.head);
    // Named twice, it gets one reply.
    let node = Node::start(backend, "a").await;
    let call_id = node.call(&anna()).await;
    ok(node.ledger.leave(&node.incarnation).await);
    let answers = ok(other.reclaim_calls(&[call_id, call_id]).await);
    assert_one_winner(&answers, &LedgerError::AlreadyReplied);
    assert_one_reply(&other, &anna(), call_id).await;
    assert_eq!(ok(other.reclaim_calls(&[]).await), []);
}

/// Three nodes reply to the same calls together.
pub async fn racing_replies_to_many_have_one_winner_each(backend: &impl Backend) {
    let node = Node::start(backend, "dead").await;
    let mut left = Vec::new();
    for owner in [anna(), ben(), anna(), anna(), ben()] {
        left.push((node.call(&owner).await, owner));
    }
    ok(node.ledger.leave(&node.incarnation).await);
    let ids: Vec<CallId> = left.iter().map(|(call_id, _)| *call_id).collect();
    let mut racers = Vec::new();
    for name in ["b", "c", "d"] {
        let (other, ids) = (Node::start(backend, name).await, ids.clone());
        racers.push(tokio::spawn(async move { ok(other.reclaim_calls(&ids).await) }));
    }
    let answers = all_of(racers).await;
    assert_winners_of_many(&answers, &LedgerError::AlreadyReplied);
    let other = Node::start(backend, "b").await;
    for (call_id, owner) in &left {
        assert_one_reply(&other, owner, *call_id).await;
    }
    for owner in [anna(), ben()] {
        assert_gapless(&other.events(&owner).await);
    }
}

/// A claim takes a call's tasks only after the reply, so a node that waits for tasks has to hear of it.
pub async fn reclaimed_call_announces_its_durable_task(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let (plain, call_id) = (node.call(&ben()).await, node.call(&anna()).await);
    let task = node.start_task(without_slot(call_id, &anna())).await;
    ok(node.ledger.leave(&node.incarnation).await);
    assert_eq!(other.claim(10).await, []);
    let announced = || other.ledger.feed().ready_task_announced();
    while announced().now_or_never().is_some() {}
    assert_eq!(ok(other.reclaim_calls(&[plain, call_id]).await), [Ok(()), Ok(())]);
    let heard = tokio::time::timeout(Duration::from_secs(10), announced()).await;
    assert!(heard.is_ok(), "nobody looks for the task");
    assert_eq!(claimed_ids(&other.claim(10).await), [task.task_id]);
}
