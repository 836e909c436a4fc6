//! Keys: an owner's running tasks of one extension have different keys.

use super::Backend;
use super::scene::{Node, all_of, anna, ben, cancelled, end, new_task, ok};
use crate::error::RunningTask;
use crate::ids::CallId;
use crate::ledger::{Attempt, LedgerError, NewTask, Owner, Task, TaskState};

fn keyed(call_id: CallId, owner: &Owner, key: &str) -> NewTask {
    NewTask { key: Some(key.to_owned()), ..new_task(call_id, owner) }
}

fn taken_by(task: &Task) -> LedgerError {
    LedgerError::AlreadyRunning(RunningTask::new(task.task_id, &task.name))
}

/// From any node, with the id and name of the first task, before the limit applies. It leaves nothing.
/// Every read of a task shows its key.
pub async fn second_start_under_a_key_is_refused(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let call_id = node.call(&anna()).await;
    let odd = "k\0\\\u{1f980}'".repeat(40);
    for key in ["k", "", " k", &odd] {
        let name = format!("name\\\0 of {}", key.len());
        let first = NewTask { name, ..keyed(call_id, &anna(), key) };
        let first = ok(node.ledger.start_task(&node.incarnation, first).await);
        assert_eq!(first.key.as_deref(), Some(key));
        let theirs = other.call(&anna()).await;
        let before = node.look(&anna()).await;
        for max_running in [100, 1] {
            let again = NewTask { max_running, ..keyed(call_id, &anna(), key) };
            assert_eq!(node.ledger.start_task(&node.incarnation, again).await, Err(taken_by(&first)));
            let again = NewTask { max_running, ..keyed(theirs, &anna(), key) };
            assert_eq!(other.ledger.start_task(&other.incarnation, again).await, Err(taken_by(&first)));
        }
        let look = node.look(&anna()).await;
        assert_eq!(look, before);
        assert!(look.running.contains(&first) && look.tasks.contains(&first));
        let record = ok(node.ledger.find_task(first.task_id).await);
        assert_eq!(record.map(|record| record.task), Some(first.clone()));
        // A repeated write is refused for its id.
        let same = NewTask { task_id: first.task_id, ..keyed(call_id, &anna(), key) };
        assert_eq!(node.ledger.start_task(&node.incarnation, same).await, Err(LedgerError::IdExists));
    }
    // Tasks without a key start.
    for _ in 0..2 {
        assert_eq!(ok(node.ledger.start_task(&node.incarnation, new_task(call_id, &anna())).await).key, None);
    }
}

/// Other users, tenants and extensions can use the same key.
pub async fn keys_are_separate_by_owner_and_extension(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for owner in [anna(), ben(), Owner::new("elsewhere", &anna().user_id)] {
        let call_id = node.call(&owner).await;
        for app_id in ["app", "other"] {
            let new = NewTask { app_id: app_id.to_owned(), ..keyed(call_id, &owner, "k") };
            ok(node.ledger.start_task(&node.incarnation, new).await);
        }
    }
}

/// Also a reclaim. A cancel request alone does not.
pub async fn every_end_frees_the_key(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let states =
        [TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled, TaskState::TimedOut, TaskState::Reclaimed];
    for state in states {
        let call_id = node.call(&anna()).await;
        let task = ok(node.ledger.start_task(&node.incarnation, keyed(call_id, &anna(), "k")).await);
        ok(node.reply(call_id).await);
        let audit = super::scene::new_audit(&anna(), "task.cancel");
        ok(node.ledger.request_cancel(task.task_id, audit, cancelled(&anna())).await);
        assert_eq!(node.ledger.start_task(&node.incarnation, keyed(call_id, &anna(), "k")).await, Err(taken_by(&task)));
        ok(node.ledger.finish_task(&node.incarnation, Attempt::first(task.task_id), end(&anna(), state, "over")).await);
    }

    let call_id = node.call(&anna()).await;
    let task = ok(node.ledger.start_task(&node.incarnation, keyed(call_id, &anna(), "k")).await);
    ok(node.reply(call_id).await);
    ok(node.ledger.leave(&node.incarnation).await);
    let next = Node::start(backend, "m").await;
    let call_id = next.call(&anna()).await;
    let start = || next.ledger.start_task(&next.incarnation, keyed(call_id, &anna(), "k"));
    assert_eq!(start().await, Err(taken_by(&task)), "until somebody has ended it, it runs");
    ok(next.ledger.reclaim_task(&next.incarnation, task.task_id, end(&anna(), TaskState::Reclaimed, "left")).await);
    assert_eq!(ok(start().await).key.as_deref(), Some("k"));
}

/// Two nodes start tasks at once; every refusal names the winner.
pub async fn racing_starts_under_one_key_have_one_winner(backend: &impl Backend) {
    let nodes = [Node::start(backend, "a").await, Node::start(backend, "b").await];
    for round in 0..4 {
        let key = format!("round {round}");
        let mut racers = Vec::new();
        for node in &nodes {
            let call_id = node.call(&anna()).await;
            racers.extend((0..8).map(|_| {
                let (node, key) = (node.clone(), key.clone());
                tokio::spawn(
                    async move { node.ledger.start_task(&node.incarnation, keyed(call_id, &anna(), &key)).await },
                )
            }));
        }
        let (won, lost): (Vec<_>, Vec<_>) = all_of(racers).await.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1, "one winner: {won:?}");
        let winner = won.into_iter().next().unwrap_or(Err(LedgerError::NotFound));
        let winner = taken_by(&ok(winner));
        assert!(lost.iter().all(|outcome| outcome.as_ref().err() == Some(&winner)), "{lost:?}");
    }
}
