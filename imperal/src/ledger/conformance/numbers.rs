//! Numbers: each user's events are 1, 2, 3 .. in commit order, at every moment.

use std::collections::HashSet;
use std::time::Duration;

use super::Backend;
use super::scene::{
    ALL, Look, Node, all_of, anna, assert_gapless, ben, bot, cancelled, new_audit, new_call, new_task, ok,
};
use crate::ids::{CallId, TaskId};
use crate::ledger::{EventBody, FeedSignal, LedgerError, MessageSource, Owner, PageLimit, TaskState};

/// A call with a task from start to end: each event has the next number, and a task's event shows the
/// task as it was then.
pub async fn turns_and_task_changes_share_numbers_without_gaps(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let task_id = node.task(call_id, &anna()).await;
    ok(node.reply(call_id).await);
    ok(node.ledger.request_cancel(task_id, new_audit(&anna(), "task.cancel"), cancelled(&anna())).await);
    let outcome = ok(node.finish(&anna(), task_id).await);
    let events = node.events(&anna()).await;
    assert_gapless(&events);
    let kinds: Vec<_> = events
        .iter()
        .map(|event| match &event.body {
            EventBody::Turn(turn) => {
                assert_eq!(turn.seq, event.seq, "a turn's number is its event's");
                turn.body.text.clone()
            }
            EventBody::Task(task) => format!("{}, {}", task.state.as_str(), task.cancel_requested_at.is_some()),
        })
        .collect();
    assert_eq!(kinds, ["?", "running, false", "reply", "running, true", "succeeded, true", "done"]);
    assert_eq!((outcome.seq, ok(node.ledger.head(&anna()).await)), (6, 6));
}

/// Tasks on two nodes write for one user while a reader follows. The reader sees no gap, and every event
/// once.
pub async fn readers_see_no_gap_while_many_nodes_write(backend: &impl Backend) {
    const WRITERS: usize = 8;
    const EACH: usize = 12;
    let nodes = [Node::start(backend, "a").await, Node::start(backend, "b").await];
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let node = nodes[writer % 2].clone();
            tokio::spawn(async move {
                let mut last = 0;
                for n in 0..EACH {
                    let seq = node.inject(&anna(), &format!("{writer}:{n}")).await.seq;
                    assert!(seq > last, "a later write got a lower number");
                    last = seq;
                }
            })
        })
        .collect();
    let follower = nodes[1].ledger.clone();
    let follower = tokio::spawn(async move {
        let mut seen = Vec::new();
        while seen.len() < WRITERS * EACH {
            let after = seen.len() as u64;
            seen.extend(ok(follower.events(&anna(), after, PageLimit::rows(7)).await));
            assert_gapless(&seen);
        }
        seen
    });
    all_of(writers).await;
    let seen = all_of(vec![follower]).await.remove(0);
    let texts: HashSet<String> = seen
        .iter()
        .map(|event| match &event.body {
            EventBody::Turn(turn) => turn.body.text.clone(),
            EventBody::Task(task) => panic!("nobody wrote {task:?}"),
        })
        .collect();
    assert_eq!(texts.len(), WRITERS * EACH);
    assert_eq!(nodes[0].events(&anna()).await, seen, "what was read once never changes");
}

/// Users that write at the same time have their own numbers.
pub async fn users_are_numbered_separately(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let owners: Vec<Owner> = (0..6).map(|n| Owner::new("tenant", &format!("user{n}"))).collect();
    let writers = owners.iter().cloned().map(|owner| {
        let node = node.clone();
        tokio::spawn(async move {
            for _ in 0..8 {
                node.inject(&owner, &owner.to_string()).await;
            }
        })
    });
    all_of(writers.collect()).await;
    for owner in owners {
        let look = node.look(&owner).await;
        assert_gapless(&look.events);
        assert_eq!(look.head, 8);
        assert!(look.turns.iter().all(|turn| turn.body.text == owner.to_string()), "another user's turn: {look:?}");
    }
}

/// A refusal leaves no gap.
pub async fn refused_writes_take_no_number(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let task_id = node.task(call_id, &anna()).await;
    assert_eq!(node.finish(&anna(), task_id).await, Err(LedgerError::CallNotReplied));
    assert_eq!(node.reply(CallId::generate()).await, Err(LedgerError::NotFound));
    let over = new_task(call_id, &anna());
    let over = crate::ledger::NewTask { max_running: 1, ..over };
    assert_eq!(node.ledger.start_task(&node.incarnation, over).await, Err(LedgerError::TooManyTasks(1)));
    let unknown =
        node.ledger.request_cancel(TaskId::generate(), new_audit(&anna(), "task.cancel"), cancelled(&anna())).await;
    assert_eq!(unknown, Err(LedgerError::NotFound));
    assert_eq!(ok(node.reply(call_id).await).seq, 3);
    assert_eq!(node.reply(call_id).await, Err(LedgerError::AlreadyReplied));
    assert_eq!(ok(node.finish(&anna(), task_id).await).seq, 5);
    assert_gapless(&node.events(&anna()).await);
}

/// Once a write is answered, every node reads it.
pub async fn answered_writes_are_readable_on_every_node(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let other = Node::start(backend, "b").await;
    for n in 1..=25 {
        let owner = Owner::new("tenant", &format!("user{}", n % 3));
        let turn = node.inject(&owner, "now").await;
        assert_eq!(ok(other.ledger.head(&owner).await), turn.seq, "answered before others could read it");
        assert_eq!(ok(node.ledger.turns(&owner, turn.seq - 1, ALL).await), [turn]);
    }
}

/// A watcher that is woken finds a new event, and the last write wakes it.
pub async fn hints_follow_commits(backend: &impl Backend) {
    const WRITES: u64 = 25;
    let node = Node::start(backend, "n").await;
    let mut watch = node.ledger.feed().subscribe(&anna());
    let mut bystander = node.ledger.feed().subscribe(&ben());
    let writer = node.clone();
    let writer = tokio::spawn(async move {
        for n in 0..WRITES {
            let outcome = if n % 2 == 0 {
                writer.ledger.accept_call(&writer.incarnation, new_call(&anna())).await
            } else {
                writer
                    .ledger
                    .inject(anna(), bot("hint"), new_audit(&anna(), "chat.inject"), MessageSource::OUTSIDE)
                    .await
            };
            ok(outcome);
        }
    });
    let mut seen = 0;
    while seen < WRITES {
        let pulse = tokio::time::timeout(Duration::from_secs(30), watch.next()).await;
        assert!(matches!(pulse, Ok(FeedSignal::Events)), "no hint after a commit: {pulse:?}");
        let head = ok(node.ledger.head(&anna()).await);
        assert!(head > seen || seen > 0, "woken before the first event could be read");
        seen = head;
    }
    all_of(vec![writer]).await;
    let quiet = tokio::time::timeout(Duration::ZERO, bystander.next()).await;
    assert!(quiet.is_err(), "a user was woken by another's commits");
}

/// One user name in two tenants is two users, also if the joined names are equal.
pub async fn users_of_different_tenants_share_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let twins = [Owner::new("a", "b"), Owner::new("a2", "b"), Owner::new("a/b", "c"), Owner::new("a", "b/c")];
    for (n, owner) in twins.iter().enumerate() {
        for _ in 0..=n {
            let task_id = node.detached(owner).await;
            ok(node.ledger.request_cancel(task_id, new_audit(owner, "task.cancel"), cancelled(owner)).await);
        }
    }
    for (n, owner) in twins.iter().enumerate() {
        let Look { head, events, turns, tasks, running, audit } = node.look(owner).await;
        let count = n + 1;
        assert_gapless(&events);
        assert_eq!((head, events.len()), (4 * count as u64, 4 * count), "{owner}");
        assert_eq!((turns.len(), tasks.len(), running.len(), audit.len()), (2 * count, count, count, count), "{owner}");
        assert!(tasks.iter().all(|task| task.state == TaskState::Running));
    }
    let limited = crate::ledger::NewTask { max_running: 2, ..new_task(node.call(&twins[0]).await, &twins[0]) };
    ok(node.ledger.start_task(&node.incarnation, limited).await);
}
