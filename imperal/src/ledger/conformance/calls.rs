//! Calls: accepted once, and replied to once by the incarnation that holds them.

use super::Backend;
use super::scene::{Node, all_of, anna, assert_one_winner, ben, bot, end, new_audit, new_call, new_task, ok, turn};
use crate::ids::CallId;
use crate::ledger::{
    Attempt, CallCancel, CallRecord, LedgerError, MessageSource, NewCall, Orphan, Owner, Role, TaskState,
};

impl Node {
    pub(super) async fn found(&self, owner: &Owner, call_id: CallId) -> Option<CallRecord> {
        ok(self.ledger.find_call(owner, call_id).await)
    }
}

/// Both turns are the caller's, as they were handed in, in order and in time.
pub async fn call_and_reply_are_two_turns(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call = new_call(&anna());
    let asked = ok(node.ledger.accept_call(&node.incarnation, call.clone()).await);
    assert_eq!((asked.seq, &asked.body), (1, &call.turn));
    let body = bot("hello");
    let replied = ok(node.ledger.reply(&node.incarnation, call.call_id, body.clone()).await);
    assert_eq!((replied.seq, &replied.body), (2, &body));
    assert!(replied.at >= asked.at, "time runs backwards");
    assert_eq!(node.look(&anna()).await.turns, [asked, replied], "answered otherwise than it was written");
}

/// The refused reply leaves nothing.
pub async fn second_reply_is_refused(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    ok(node.reply(call_id).await);
    let before = node.look(&anna()).await;
    assert_eq!(node.reply(call_id).await, Err(LedgerError::AlreadyReplied));
    assert_eq!(node.look(&anna()).await, before);
}

/// One of many concurrent replies is written.
pub async fn racing_replies_have_one_winner(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for round in 0..4 {
        let call_id = node.call(&anna()).await;
        let racers = (0..8).map(|_| {
            let node = node.clone();
            tokio::spawn(async move { node.reply(call_id).await })
        });
        assert_one_winner(&all_of(racers.collect()).await, &LedgerError::AlreadyReplied);
        assert_eq!(node.look(&anna()).await.turns.len(), 2 * (round + 1));
    }
}

/// A live node cannot reply to another node's call, open or closed, or to an unknown call.
pub async fn reply_needs_the_holder_of_the_call(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let call_id = node.call(&anna()).await;
    assert_eq!(other.reply(call_id).await, Err(LedgerError::NotHolder));
    let before = node.look(&anna()).await;
    ok(node.reply(call_id).await);
    assert_eq!(other.reply(call_id).await, Err(LedgerError::NotHolder));
    assert_eq!(node.reply(CallId::generate()).await, Err(LedgerError::NotFound));
    assert_eq!((before.turns.len(), node.look(&anna()).await.turns.len()), (1, 2));
}

/// Only for its owner, on every node, from its acceptance on.
pub async fn call_is_found_with_its_reply(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let call = new_call(&anna());
    assert_eq!(other.found(&anna(), call.call_id).await, None);
    let asked = ok(node.ledger.accept_call(&node.incarnation, call.clone()).await);
    let open = Some(CallRecord { asked: asked.clone(), reply: None });
    assert_eq!(other.found(&anna(), call.call_id).await, open);
    // Other turns and calls lie between the two.
    node.detached(&anna()).await;
    let reply = Some(ok(node.reply(call.call_id).await));
    let answered = Some(CallRecord { asked, reply });
    for asking in [&node, &other] {
        assert_eq!(asking.found(&anna(), call.call_id).await, answered);
        assert_eq!(asking.found(&ben(), call.call_id).await, None, "another's");
        assert_eq!(asking.found(&anna(), CallId::generate()).await, None);
    }
}

/// A reply that recovery writes is found too.
pub async fn reclaimed_call_is_found_with_its_reply(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let call_id = node.call(&anna()).await;
    ok(node.ledger.leave(&node.incarnation).await);
    assert_eq!(other.found(&anna(), call_id).await.and_then(|call| call.reply), None);
    let reply = ok(other.ledger.reclaim_call(&other.incarnation, call_id, bot("interrupted")).await);
    assert_eq!(other.found(&anna(), call_id).await.and_then(|call| call.reply), Some(reply));
}

/// Two nodes get several calls with one id at once; the accepted one is found.
pub async fn racing_calls_with_one_id_have_one_winner(backend: &impl Backend) {
    let nodes = [Node::start(backend, "a").await, Node::start(backend, "b").await];
    for round in 1..=4 {
        let call = new_call(&anna());
        let racers = (0..8).map(|racer: usize| {
            let (node, same_call) = (nodes[racer % 2].clone(), NewCall { turn: turn(Role::User, "?"), ..call.clone() });
            tokio::spawn(async move { node.ledger.accept_call(&node.incarnation, same_call).await })
        });
        let outcomes = all_of(racers.collect()).await;
        assert_one_winner(&outcomes, &LedgerError::IdExists);
        let accepted = outcomes.into_iter().find_map(Result::ok);
        assert_eq!(nodes[0].found(&anna(), call.call_id).await.map(|call| call.asked), accepted);
        assert_eq!(nodes[0].look(&anna()).await.turns.len(), round);
    }
}

/// A repeated write is refused with `IdExists` and writes nothing.
pub async fn existing_ids_are_refused(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call = new_call(&anna());
    ok(node.ledger.accept_call(&node.incarnation, call.clone()).await);
    let task = new_task(call.call_id, &anna());
    ok(node.ledger.start_task(&node.incarnation, task.clone()).await);
    let taken = call.turn.clone();
    let audit = new_audit(&anna(), "chat.inject");
    let before = node.look(&anna()).await;

    let exists = Err(LedgerError::IdExists);
    assert_eq!(node.ledger.accept_call(&node.incarnation, call.clone()).await, exists);
    let same_call = NewCall { turn: turn(Role::User, "?"), ..call.clone() };
    assert_eq!(node.ledger.accept_call(&node.incarnation, same_call).await, exists);
    let same_turn = NewCall { call_id: CallId::generate(), ..call.clone() };
    assert_eq!(node.ledger.accept_call(&node.incarnation, same_turn).await, exists);
    assert_eq!(node.ledger.start_task(&node.incarnation, task.clone()).await, Err(LedgerError::IdExists));
    assert_eq!(node.ledger.reply(&node.incarnation, call.call_id, taken.clone()).await, exists);
    assert_eq!(node.ledger.inject(anna(), taken.clone(), audit, MessageSource::OUTSIDE).await, exists);
    assert_eq!(node.look(&anna()).await, before);

    ok(node.reply(call.call_id).await);
    let before = node.look(&anna()).await;
    let mut outcome = end(&anna(), TaskState::Succeeded, "done");
    outcome.turn.turn_id = taken.turn_id;
    assert_eq!(node.ledger.finish_task(&node.incarnation, Attempt::first(task.task_id), outcome).await, exists);
    assert_eq!(node.look(&anna()).await, before, "half of an end was written");
    ok(node.finish(&anna(), task.task_id).await);
}

/// Both turns of a call that is written with its reply follow one another, and nothing of it stays open.
pub async fn answered_call_is_two_turns(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    node.detached(&anna()).await;
    let (call, reply) = (new_call(&anna()), bot("hello"));
    let before = node.look(&anna()).await;
    let [asked, replied] = ok(node.ledger.answer_call(&node.incarnation, call.clone(), reply.clone()).await);
    assert_eq!((&asked.body, &replied.body), (&call.turn, &reply));
    assert_eq!((asked.seq, replied.seq), (before.head + 1, before.head + 2));
    assert!(replied.at >= asked.at, "time runs backwards");
    let after = node.look(&anna()).await;
    assert_eq!(after.turns[before.turns.len()..], [asked.clone(), replied.clone()]);
    assert_eq!(after.head, before.head + 2);
    let found = Some(CallRecord { asked, reply: Some(replied) });
    assert_eq!(other.found(&anna(), call.call_id).await, found);
    assert_eq!(other.found(&ben(), call.call_id).await, None, "another's");
    assert_eq!(node.reply(call.call_id).await, Err(LedgerError::AlreadyReplied));
    let next = Node::start(backend, "a").await;
    let left = ok(next.ledger.orphans(10).await);
    assert!(left.iter().all(|orphan| matches!(orphan, Orphan::Task(_))), "it is left open: {left:?}");
}

/// An id that exists refuses all of it, the reply's included.
pub async fn answered_call_with_an_existing_id_is_refused(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let (first, reply) = (new_call(&anna()), bot("hello"));
    ok(node.ledger.answer_call(&node.incarnation, first.clone(), reply.clone()).await);
    let open = new_call(&anna());
    ok(node.ledger.accept_call(&node.incarnation, open.clone()).await);
    let before = node.look(&anna()).await;
    let exists = Err(LedgerError::IdExists);
    for same in [&first, &open] {
        let same_call = NewCall { turn: turn(Role::User, "?"), ..same.clone() };
        assert_eq!(node.ledger.answer_call(&node.incarnation, same_call, bot("again")).await, exists);
        let same_turn = NewCall { call_id: CallId::generate(), ..same.clone() };
        assert_eq!(node.ledger.answer_call(&node.incarnation, same_turn, bot("again")).await, exists);
    }
    assert_eq!(node.ledger.answer_call(&node.incarnation, new_call(&anna()), reply).await, exists);
    assert_eq!(node.ledger.accept_call(&node.incarnation, first).await.err(), Some(LedgerError::IdExists));
    assert_eq!(node.look(&anna()).await, before);
    ok(node.reply(open.call_id).await);
}

/// One request under a key wins, however its call is written.
pub async fn racing_answered_calls_have_one_winner(backend: &impl Backend) {
    let nodes = [Node::start(backend, "a").await, Node::start(backend, "b").await];
    for _ in 0..4 {
        let call = new_call(&anna());
        let before = nodes[0].look(&anna()).await;
        let racers = (0..8).map(|racer: usize| {
            let (node, same_call) = (nodes[racer % 2].clone(), NewCall { turn: turn(Role::User, "?"), ..call.clone() });
            tokio::spawn(async move {
                if racer < 4 {
                    return node.ledger.accept_call(&node.incarnation, same_call).await;
                }
                node.ledger.answer_call(&node.incarnation, same_call, bot("!")).await.map(|[asked, _]| asked)
            })
        });
        let outcomes = all_of(racers.collect()).await;
        assert_one_winner(&outcomes, &LedgerError::IdExists);
        let accepted = outcomes.into_iter().find_map(Result::ok);
        let Some(record) = nodes[0].found(&anna(), call.call_id).await else { panic!("the winner's call is lost") };
        assert_eq!(Some(&record.asked), accepted.as_ref());
        let turns = nodes[0].look(&anna()).await.turns.len() - before.turns.len();
        assert_eq!(turns, 1 + usize::from(record.reply.is_some()));
    }
}

/// Any node may store the request. It makes no event, and the holder hears of it until the reply.
pub async fn stop_of_a_call_is_told_to_its_holder(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let (asked, elsewhere) = (node.call(&anna()).await, other.call(&anna()).await);
    node.call(&anna()).await;
    let before = node.look(&anna()).await;
    for call_id in [asked, elsewhere, asked] {
        let stop = new_audit(&anna(), "call.cancel");
        let answer = other.ledger.request_call_cancel(&anna(), call_id, stop).await;
        assert_eq!(answer, Ok(CallCancel::Requested));
    }
    let look = node.look(&anna()).await;
    assert_eq!((look.head, look.audit.len()), (before.head, before.audit.len() + 3), "audited each time, no event");
    for _ in 0..2 {
        assert_eq!(node.news().await.cancelled_calls, [asked]);
        assert_eq!(other.news().await.cancelled_calls, [elsewhere]);
    }
    ok(node.reply(asked).await);
    assert_eq!(node.news().await.cancelled_calls, []);
    // A call whose holder has gone gets its reply from recovery.
    ok(other.ledger.leave(&other.incarnation).await);
    let stop = new_audit(&anna(), "call.cancel");
    assert_eq!(node.ledger.request_call_cancel(&anna(), elsewhere, stop).await, Ok(CallCancel::Requested));
    assert_eq!(node.news().await.cancelled_calls, []);
    ok(node.ledger.reclaim_call(&node.incarnation, elsewhere, bot("interrupted")).await);
}

/// As an unknown one; neither leaves anything.
pub async fn stop_of_another_users_call_is_refused(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let before = (node.look(&anna()).await, node.look(&ben()).await);
    for call_id in [call_id, CallId::generate()] {
        let stop = node.ledger.request_call_cancel(&ben(), call_id, new_audit(&ben(), "call.cancel")).await;
        assert_eq!(stop, Err(LedgerError::NotFound));
    }
    assert_eq!(node.news().await.cancelled_calls, []);
    assert_eq!((node.look(&anna()).await, node.look(&ben()).await), before);
}

/// The call stays as it is.
pub async fn stop_after_the_reply_is_audited_only(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    ok(node.reply(call_id).await);
    let before = node.look(&anna()).await;
    let stop = node.ledger.request_call_cancel(&anna(), call_id, new_audit(&anna(), "call.cancel")).await;
    assert_eq!(stop, Ok(CallCancel::Replied));
    let look = node.look(&anna()).await;
    assert_eq!((look.head, &look.turns, look.audit.len()), (before.head, &before.turns, before.audit.len() + 1));
    assert_eq!(node.news().await.cancelled_calls, []);
}
