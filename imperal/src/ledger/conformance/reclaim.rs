//! Recovery: work of ended incarnations is reclaimed, exactly once.

use super::Backend;
use super::scene::{Look, Node, all_of, anna, assert_gapless, assert_one_winner, ben, bot, end, ok};
use crate::ids::{CallId, TaskId};
use crate::ledger::{LedgerError, Orphan, TaskState, Turn};

impl Node {
    async fn reclaim_call(&self, call_id: CallId) -> Result<Turn, LedgerError> {
        self.ledger.reclaim_call(&self.incarnation, call_id, bot("interrupted")).await
    }

    async fn reclaim_task(&self, task_id: TaskId) -> Result<Turn, LedgerError> {
        let end = end(&anna(), TaskState::Reclaimed, "reclaimed");
        self.ledger.reclaim_task(&self.incarnation, task_id, end).await
    }
}

fn ids(orphans: &[Orphan]) -> Vec<String> {
    orphans
        .iter()
        .map(|orphan| match orphan {
            Orphan::Call { call_id, .. } => call_id.to_string(),
            Orphan::Task(record) => record.task.task_id.to_string(),
        })
        .collect()
}

/// With everything that a reclaim needs. The limit cuts the end of the list.
pub async fn orphans_are_calls_before_tasks_oldest_first(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let first = node.detached(&ben()).await;
    let open = [node.call(&anna()).await, node.call(&ben()).await];
    let second = node.task(open[0], &anna()).await;
    let asked = node.look(&anna()).await.turns[0].body.clone();
    ok(node.ledger.leave(&node.incarnation).await);

    let orphans = other.orphans(10).await;
    let wanted = [open[0].to_string(), open[1].to_string(), first.to_string(), second.to_string()];
    assert_eq!(ids(&orphans), wanted);
    let call = Orphan::Call { call_id: open[0], owner: anna(), incarnation: node.incarnation.clone(), turn: asked };
    assert_eq!(orphans[0], call);
    let task = ok(other.ledger.find_task(first).await).map(Orphan::Task);
    assert_eq!(Some(&orphans[2]), task.as_ref());
    for limit in 0..=4 {
        assert_eq!(ids(&other.orphans(limit).await), wanted[..limit as usize]);
    }
}

/// The list alone ends no incarnation: a node whose lease has expired may still renew it.
pub async fn orphans_are_listed_without_expiring_leases(backend: &impl Backend) {
    let (node, asking) = (Node::start_with(backend, "a", backend.lease()).await, Node::start(backend, "b").await);
    node.call(&anna()).await;
    backend.lapse(backend.lease()).await;
    assert_eq!(ok(asking.ledger.orphans(10).await), []);
    ok(node.ledger.renew(&node.incarnation, backend.lease()).await);
    backend.lapse(backend.lease()).await;
    assert_eq!(ok(asking.ledger.expire_leases(&asking.incarnation).await), 1);
    assert_eq!(ok(asking.ledger.expire_leases(&asking.incarnation).await), 0);
    assert_eq!(ok(asking.ledger.orphans(10).await).len(), 1);
}

/// It is not listed and cannot be reclaimed.
pub async fn work_of_a_live_node_is_not_orphaned(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let (call_id, task_id) = (node.call(&anna()).await, node.detached(&anna()).await);
    assert_eq!(other.orphans(10).await, []);
    let before = node.look(&anna()).await;
    for asking in [&other, &node] {
        assert_eq!(asking.reclaim_call(call_id).await, Err(LedgerError::NotOrphaned));
        assert_eq!(asking.reclaim_task(task_id).await, Err(LedgerError::NotOrphaned));
    }
    assert_eq!(other.reclaim_call(CallId::generate()).await, Err(LedgerError::NotFound));
    assert_eq!(other.reclaim_task(TaskId::generate()).await, Err(LedgerError::NotFound));
    assert_eq!(node.look(&anna()).await, before);
    ok(node.reply(call_id).await);
    ok(node.finish(&anna(), task_id).await);
    assert_eq!(other.reclaim_call(call_id).await, Err(LedgerError::AlreadyReplied));
    assert_eq!(other.reclaim_task(task_id).await, Err(LedgerError::AlreadyEnded));
}

/// The call gets its reply, the task its end, and the list is empty.
pub async fn orphaned_work_is_reclaimed_once(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let (call_id, task_id) = (node.call(&anna()).await, node.detached(&anna()).await);
    ok(node.ledger.leave(&node.incarnation).await);
    let before = other.look(&anna()).await;
    ok(other.reclaim_call(call_id).await);
    ok(other.reclaim_task(task_id).await);
    assert_eq!(other.orphans(10).await, []);
    let Look { head, turns, running, tasks, audit, events } = other.look(&anna()).await;
    assert_eq!((head, turns.len()), (before.head + 3, before.turns.len() + 2));
    assert_eq!((running.len(), audit.len()), (0, before.audit.len() + 1));
    assert_eq!(tasks[0].state, TaskState::Reclaimed);
    assert_gapless(&events);
    let record = ok(other.ledger.find_task(task_id).await);
    assert_eq!(record.map(|record| record.incarnation), Some(node.incarnation.clone()), "it says who ran it");
    assert_eq!(other.reclaim_call(call_id).await, Err(LedgerError::AlreadyReplied));
    assert_eq!(other.reclaim_task(task_id).await, Err(LedgerError::AlreadyEnded));
    assert_eq!(other.look(&anna()).await.head, head);
}

/// The reply comes first.
pub async fn task_is_reclaimed_after_its_call(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let call_id = node.call(&anna()).await;
    let task_id = node.task(call_id, &anna()).await;
    ok(node.ledger.leave(&node.incarnation).await);
    let before = other.look(&anna()).await;
    assert_eq!(other.reclaim_task(task_id).await, Err(LedgerError::CallNotReplied));
    assert_eq!(other.look(&anna()).await, before);
    ok(other.reclaim_call(call_id).await);
    ok(other.reclaim_task(task_id).await);
}

/// Three nodes find the same orphans at once; one of them reclaims each.
pub async fn racing_reclaimers_have_one_winner(backend: &impl Backend) {
    const WORK: usize = 5;
    let node = Node::start_with(backend, "dead", backend.lease()).await;
    let mut tasks = Vec::new();
    for _ in 0..WORK {
        node.call(&anna()).await;
        tasks.push(node.detached(&anna()).await);
    }
    let before = node.look(&anna()).await;
    let mut others = Vec::new();
    for name in ["b", "c", "d"] {
        others.push(Node::start(backend, name).await);
    }
    backend.lapse(backend.lease()).await;
    let racers = others.iter().cloned().map(|other| {
        tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for orphan in other.orphans(100).await {
                outcomes.push(match &orphan {
                    Orphan::Call { call_id, .. } => other.reclaim_call(*call_id).await,
                    Orphan::Task(record) => other.reclaim_task(record.task.task_id).await,
                });
            }
            outcomes
        })
    });
    let outcomes: Vec<_> = all_of(racers.collect()).await.into_iter().flatten().collect();
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 2 * WORK, "{outcomes:?}");
    let replied_or_ended = |outcome: &Result<Turn, LedgerError>| {
        matches!(outcome, Ok(_) | Err(LedgerError::AlreadyReplied | LedgerError::AlreadyEnded))
    };
    assert!(outcomes.iter().all(replied_or_ended), "{outcomes:?}");
    let look = others[0].look(&anna()).await;
    assert_eq!(look.turns.len(), before.turns.len() + 2 * WORK);
    assert_eq!(look.audit.len(), before.audit.len() + WORK);
    assert_eq!(others[0].orphans(100).await, []);
}

/// The holder ends its task while another node reclaims it.
pub async fn end_and_reclaim_of_one_task_have_one_winner(backend: &impl Backend) {
    let other = Node::start(backend, "b").await;
    for round in 1..=5 {
        let node = Node::start(backend, "a").await;
        let task_id = node.detached(&anna()).await;
        let incarnation = node.clone();
        let incarnation = tokio::spawn(async move {
            match incarnation.finish(&anna(), task_id).await {
                Err(LedgerError::Fenced) => Err(LedgerError::AlreadyEnded),
                outcome => outcome,
            }
        });
        let reclaimer = other.clone();
        let reclaimer = tokio::spawn(async move {
            ok(node.ledger.leave(&node.incarnation).await);
            reclaimer.reclaim_task(task_id).await
        });
        assert_one_winner(&all_of(vec![incarnation, reclaimer]).await, &LedgerError::AlreadyEnded);
        let look = other.look(&anna()).await;
        assert_eq!((look.turns.len(), look.audit.len(), look.running.len()), (3 * round, round, 0));
    }
}
