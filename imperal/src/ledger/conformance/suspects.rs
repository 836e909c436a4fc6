//! Suspects: durable tasks whose attempts crashed their processes. A claim takes one at a time, and they hold up no
//! other task, in queues or outside of them.

use std::time::Duration;

use super::Backend;
use super::durable::{ids, request};
use super::queues::{carol, limited, owners};
use super::scene::{Node, anna, ben, ok};
use crate::ids::TaskId;
use crate::ledger::{Owner, QueuePlace};

/// Makes suspects of these owners' tasks in the queue, and of `outside` tasks of carol in none; all are ready.
async fn suspects(backend: &impl Backend, node: Node, queued: &[Owner], outside: usize) -> (Node, Vec<TaskId>) {
    for _ in 0..outside {
        node.durable(&carol()).await;
    }
    for owner in queued {
        node.queued(owner).await;
    }
    let mut tasks = ids(&node.claim_with(limited(100, 100)).await);
    assert_eq!(tasks.len(), queued.len());
    let node = node.crash().await;
    // One crash makes no suspect.
    tasks = ids(&node.claim_with(limited(100, 100)).await);
    assert_eq!(tasks.len(), queued.len() + outside);
    let node = node.crash().await;
    backend.age_tasks(Duration::from_secs(60)).await;
    (node, tasks)
}

/// Neither in its owner's turn nor in places and loads: a claim that takes no suspect finds the queue as if they were
/// not there.
pub async fn waiting_suspects_hold_up_no_task_of_their_queue(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let (node, _) = suspects(backend, node, &[anna(), anna()], 0).await;
    let annas = node.queued(&anna()).await;
    backend.pass(Duration::from_millis(2)).await;
    let bens = node.queued(&ben()).await;
    // Ben is new and comes before the owner that was served last.
    assert_eq!(ok(node.ledger.queue_places(&ben()).await), [QueuePlace::new(bens, 0)]);
    assert_eq!(ok(node.ledger.queue_places(&anna()).await), [QueuePlace::new(annas, 1)]);
    let loads = ok(node.ledger.queue_loads().await);
    assert_eq!(loads.iter().map(|load| load.ready).collect::<Vec<_>>(), [2]);
    assert_eq!(ids(&node.claim_with(limited(2, 1).suspect(false)).await), [bens, annas]);
    assert_eq!(ok(node.ledger.queue_loads().await)[0].ready, 0);
}

/// As its owner's first task, and one in a claim.
pub async fn suspect_takes_its_owners_turn(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let (node, suspects) = suspects(backend, node, &[anna(), anna()], 0).await;
    let annas = node.queued(&anna()).await;
    let bens = [node.queued(&ben()).await, node.queued(&ben()).await];
    let claimed = node.claim_with(limited(3, 3)).await;
    assert_eq!(owners(&claimed), ["ben", "anna", "ben"]);
    assert_eq!(ids(&claimed)[..2], [bens[0], suspects[0]]);
    assert_eq!(node.claim_with(limited(3, 3)).await, [], "it holds a slot");
    node.finish_claimed(&claimed[1]).await;
    let claimed = node.claim_with(limited(9, 9)).await;
    assert_eq!(ids(&claimed), [suspects[1], annas]);
}

/// It does not lose its turn while no node may run its suspects, and has it as soon as one may.
pub async fn owner_of_suspects_only_keeps_its_turn(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let (node, suspects) = suspects(backend, node, &[anna()], 0).await;
    for _ in 0..3 {
        node.queued(&ben()).await;
    }
    for _ in 0..2 {
        let claimed = node.claim_with(limited(1, 1).suspect(false)).await;
        assert_eq!(owners(&claimed), ["ben"]);
        node.finish_claimed(&claimed[0]).await;
    }
    let claimed = node.claim_with(limited(1, 1)).await;
    assert_eq!(ids(&claimed), suspects);
}

/// More of them than a claim reads at a time.
pub async fn crowd_of_suspects_holds_up_no_other_task(backend: &impl Backend) {
    const CROWD: usize = 70;
    let node = Node::start(backend, "n").await;
    let (node, suspects) = suspects(backend, node, &[], CROWD).await;
    assert_eq!(ok(node.ledger.next_ready_in(&request(1).names).await), Some(Duration::ZERO));
    let first = node.released(&anna()).await;
    assert_eq!(ids(&node.claim_with(request(1).suspect(false)).await), [first]);
    let second = node.released(&ben()).await;
    let claimed = ids(&node.claim(10).await);
    assert_eq!(claimed.len(), 2, "one suspect and the other task: {claimed:?}");
    assert!(suspects.contains(&claimed[0]) && claimed[1] == second, "in the order in which they became ready");
}

/// A node runs one at a time, of queues or not. By chance it fails once in a billion runs.
pub async fn suspects_of_queues_and_others_starve_neither(backend: &impl Backend) {
    const EACH: usize = 32;
    let node = Node::start(backend, "n").await;
    let (node, _) = suspects(backend, node, &vec![anna(); EACH], EACH).await;
    let (mut queued, mut others) = (0, 0);
    while queued == 0 || others == 0 {
        assert!(queued < EACH && others < EACH, "{queued} suspects of the queue and {others} others were taken");
        let claimed = node.claim_with(limited(100, 100)).await;
        assert_eq!(claimed.len(), 1, "one suspect at a time: {claimed:?}");
        *(if claimed[0].record.task.queue.is_some() { &mut queued } else { &mut others }) += 1;
        node.finish_claimed(&claimed[0]).await;
    }
}
