//! Reads: pages, order and limits.

use super::Backend;
use super::scene::{ALL, MANY, Node, anna, ben, ok};
use crate::ids::{TaskId, TurnId};
use crate::ledger::PageLimit;

/// Pages of turns and of events, put together, are the whole.
pub async fn pages_follow_each_other(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for _ in 0..5 {
        let task_id = node.detached(&anna()).await;
        ok(node.finish(&anna(), task_id).await);
        node.detached(&ben()).await;
    }
    let whole = node.look(&anna()).await;
    assert_eq!((whole.events.len(), whole.turns.len()), (25, 15));
    for limit in [1, 2, 7, 25, 26] {
        let mut events = Vec::new();
        let mut turns = Vec::new();
        loop {
            let page = ok(node.ledger.events(&anna(), events.len() as u64, PageLimit::rows(limit)).await);
            assert!(page.len() <= limit as usize);
            if page.is_empty() {
                break;
            }
            events.extend(page);
        }
        while let Some(page) = Some(ok(node
            .ledger
            .turns(&anna(), turns.last().map_or(0, |turn: &crate::ledger::Turn| turn.seq), PageLimit::rows(limit))
            .await))
        .filter(|page| !page.is_empty())
        {
            assert!(page.len() <= limit as usize);
            turns.extend(page);
        }
        assert_eq!((&events, &turns), (&whole.events, &whole.turns), "in pages of {limit}");
    }
    for after in [whole.head, whole.head + 1, u64::MAX] {
        assert_eq!(ok(node.ledger.events(&anna(), after, ALL).await), []);
        assert_eq!(ok(node.ledger.turns(&anna(), after, ALL).await), []);
    }
    assert_eq!(ok(node.ledger.events(&anna(), 0, PageLimit::rows(0)).await), []);
}

/// Only for its owner, on every node.
pub async fn turn_is_found_by_its_id(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    node.detached(&anna()).await;
    let message = node.inject(&anna(), "news").await;
    node.detached(&anna()).await;
    for asking in [&node, &other] {
        for turn in node.look(&anna()).await.turns {
            assert_eq!(ok(asking.ledger.find_turn(&anna(), turn.body.turn_id).await), Some(turn));
        }
        assert_eq!(ok(asking.ledger.find_turn(&ben(), message.body.turn_id).await), None, "another's");
        assert_eq!(ok(asking.ledger.find_turn(&anna(), TurnId::generate()).await), None);
    }
}

/// The end of the history, or the turns before a number, oldest first.
pub async fn latest_turns_are_in_order(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for _ in 0..4 {
        node.detached(&anna()).await;
    }
    let turns = node.look(&anna()).await.turns;
    assert_eq!(turns.len(), 8);
    assert_eq!(ok(node.ledger.latest_turns(&anna(), None, PageLimit::rows(3)).await), turns[5..]);
    assert_eq!(ok(node.ledger.latest_turns(&anna(), Some(turns[5].seq), PageLimit::rows(3)).await), turns[2..5]);
    assert_eq!(ok(node.ledger.latest_turns(&anna(), Some(turns[1].seq), PageLimit::rows(3)).await), turns[..1]);
    assert_eq!(ok(node.ledger.latest_turns(&anna(), Some(1), PageLimit::rows(3)).await), []);
    assert_eq!(ok(node.ledger.latest_turns(&anna(), Some(u64::MAX), ALL).await).rows, turns);
    assert_eq!(ok(node.ledger.latest_turns(&anna(), None, PageLimit::rows(0)).await), []);
}

/// By start, not by id or end.
pub async fn running_tasks_are_oldest_first_and_recent_tasks_newest_first(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let mut started = Vec::new();
    for _ in 0..5 {
        started.push(node.detached(&anna()).await);
        node.detached(&ben()).await;
    }
    ok(node.finish(&anna(), started[3]).await);
    ok(node.finish(&anna(), started[1]).await);
    let ids = |tasks: Vec<crate::ledger::Task>| tasks.iter().map(|task| task.task_id).collect::<Vec<_>>();
    assert_eq!(ids(ok(node.ledger.open_tasks(&anna()).await)), [started[0], started[2], started[4]]);
    let newest: Vec<TaskId> = started.iter().rev().copied().collect();
    assert_eq!(ids(ok(node.ledger.recent_tasks(&anna(), MANY).await)), newest);
    assert_eq!(ids(ok(node.ledger.recent_tasks(&anna(), 2).await)), newest[..2]);
    assert_eq!(ids(ok(node.ledger.recent_tasks(&anna(), 0).await)), []);
}

/// They are not refused.
pub async fn reads_of_an_unknown_user_are_empty(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    node.detached(&anna()).await;
    let look = node.look(&ben()).await;
    assert_eq!((look.head, look.events.len(), look.turns.len()), (0, 0, 0));
    assert_eq!((look.tasks.len(), look.running.len(), look.audit.len()), (0, 0, 0));
    assert_eq!(ok(node.ledger.latest_turns(&ben(), None, ALL).await), []);
    assert_eq!(ok(node.ledger.find_task(TaskId::generate()).await), None);
}

/// The check changes nothing that can be read.
pub async fn writable_ledger_passes_its_check(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    node.detached(&anna()).await;
    let before = node.look(&anna()).await;
    for _ in 0..3 {
        ok(node.ledger.check_writable().await);
    }
    assert_eq!(node.look(&anna()).await, before);
}
