//! The turns of owners in a queue of durable tasks: each has its share of the slots, and none starves.
//!
//! A queue serves the owner next that it has not served for longest, and each owner's tasks as they became ready.

use std::collections::HashMap;
use std::time::Duration;

use super::Backend;
use super::durable::{attempt, ids};
use super::queues::{carol, limited, owners};
use super::scene::{Node, anna, ben, ok};
use crate::ids::TaskId;
use crate::ledger::{Attempt, Owner, Park, QueuePlace, Release};

impl Node {
    async fn places(&self, owner: &Owner) -> Vec<QueuePlace> {
        ok(self.ledger.queue_places(owner).await)
    }
}

/// The slots that it leaves go to others, or stay free.
pub async fn owner_has_at_most_its_share_of_the_slots(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for _ in 0..4 {
        node.queued(&anna()).await;
    }
    node.queued(&ben()).await;
    let claimed = node.claim_with(limited(5, 2)).await;
    let mut of = owners(&claimed);
    of.sort_unstable();
    assert_eq!(of, ["anna", "anna", "ben"]);
    assert_eq!(node.claim_with(limited(5, 2)).await, []);
    node.finish_claimed(claimed.iter().find(|task| task.record.owner == ben()).unwrap_or(&claimed[0])).await;
    assert_eq!(node.claim_with(limited(5, 2)).await, [], "another owner's end makes no room");
    node.finish_claimed(claimed.iter().find(|task| task.record.owner == anna()).unwrap_or(&claimed[0])).await;
    assert_eq!(owners(&node.claim_with(limited(5, 2)).await), ["anna"]);
}

/// Within one claim and from one to the next.
pub async fn longest_unserved_owner_is_next(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let mut queued: HashMap<Owner, Vec<TaskId>> = HashMap::new();
    for owner in [anna(), anna(), anna(), ben(), ben(), carol()] {
        let task_id = node.queued(&owner).await;
        queued.entry(owner).or_default().push(task_id);
        backend.pass(Duration::from_millis(2)).await;
    }
    let mut order = Vec::new();
    for _ in 0..3 {
        let claimed = node.claim_with(limited(2, 2)).await;
        for task in &claimed {
            node.finish_claimed(task).await;
        }
        order.extend(claimed);
    }
    assert_eq!(owners(&order), ["anna", "ben", "carol", "anna", "ben", "anna"]);
    for owner in [anna(), ben(), carol()] {
        let of_owner: Vec<_> = order.iter().filter(|task| task.record.owner == owner).cloned().collect();
        assert_eq!(ids(&of_owner), queued[&owner], "the one that was ready first");
    }
    // An owner that was served lately is behind one that was not, whatever is ready first.
    node.queued(&anna()).await;
    backend.pass(Duration::from_millis(2)).await;
    node.queued(&carol()).await;
    assert_eq!(owners(&node.claim_with(limited(1, 1)).await), ["carol"]);
}

/// Each of them is behind the owners that wait when it comes.
pub async fn stream_of_new_owners_lets_none_starve(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for _ in 0..4 {
        node.queued(&anna()).await;
        backend.pass(Duration::from_millis(2)).await;
    }
    let mut order = Vec::new();
    for number in 0..8 {
        node.queued(&Owner::new("tenant", &format!("new {number}"))).await;
        backend.pass(Duration::from_millis(2)).await;
        let claimed = node.claim_with(limited(1, 1)).await;
        order.extend(owners(&claimed).iter().map(|owner| (*owner).to_owned()));
        node.finish_claimed(&claimed[0]).await;
    }
    assert_eq!(order, ["anna", "new 0", "new 1", "anna", "new 2", "new 3", "new 4", "anna"]);
}

/// However many tasks it has.
pub async fn greedy_owner_delays_another_by_one_task(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for _ in 0..30 {
        node.queued(&anna()).await;
    }
    let mut running = node.claim_with(limited(2, 2)).await;
    assert_eq!(owners(&running), ["anna", "anna"]);
    node.queued(&ben()).await;
    node.queued(&ben()).await;
    let mut order = Vec::new();
    for _ in 0..5 {
        node.finish_claimed(&running.remove(0)).await;
        let next = node.claim_with(limited(2, 2)).await;
        order.extend(owners(&next).iter().map(|owner| (*owner).to_owned()));
        running.extend(next);
    }
    assert_eq!(order, ["ben", "anna", "ben", "anna", "anna"]);
}

/// A task that sleeps often gets no more than its owner's turn.
pub async fn woken_tasks_take_their_owners_turn(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let sleeper = node.queued(&anna()).await;
    node.queued(&anna()).await;
    let claimed = node.claim_with(limited(1, 1)).await;
    assert_eq!(ids(&claimed), [sleeper]);
    let woken = async |now: Attempt| {
        let until = node.now().await;
        ok(node.release(now, Release::Park(Park::new(until, vec![]))).await);
        backend.pass(Duration::from_millis(2)).await;
    };
    woken(attempt(sleeper, 1)).await;
    node.queued(&ben()).await;
    let claimed = node.claim_with(limited(1, 1)).await;
    assert_eq!(owners(&claimed), ["ben"]);
    node.finish_claimed(&claimed[0]).await;
    assert_eq!(owners(&node.claim_with(limited(1, 1)).await), ["anna"]);
}

/// As the next claims take them.
pub async fn places_follow_the_turns(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let mut queued = Vec::new();
    for owner in [anna(), anna(), anna(), ben(), ben()] {
        queued.push((owner.clone(), node.queued(&owner).await));
        backend.pass(Duration::from_millis(2)).await;
    }
    let place = |at: usize, before: u32| QueuePlace::new(queued[at].1, before);
    assert_eq!(node.places(&anna()).await, [place(0, 0), place(1, 2), place(2, 4)]);
    assert_eq!(node.places(&ben()).await, [place(3, 1), place(4, 3)]);
    assert_eq!(node.places(&carol()).await, []);
    let mut order: Vec<(u32, TaskId)> = Vec::new();
    for owner in [anna(), ben()] {
        order.extend(node.places(&owner).await.iter().map(|place| (place.before, place.task_id)));
    }
    order.sort_unstable();
    let first = node.claim_with(limited(1, 1)).await;
    assert_eq!(ids(&first), [order[0].1]);
    assert_eq!(node.places(&anna()).await, [place(1, 1), place(2, 3)], "one that runs has no place");
    assert_eq!(node.places(&ben()).await, [place(3, 0), place(4, 2)]);
    // Neither has a parked one, until it is ready again.
    let until = node.now().await + jiff::SignedDuration::from_secs(3600);
    ok(node.release(first[0].record.task.attempt(), Release::Park(Park::new(until, vec![]))).await);
    assert_eq!(node.places(&anna()).await.len(), 2);
    backend.age_tasks(Duration::from_secs(3600)).await;
    assert_eq!(node.places(&anna()).await.len(), 3);
}
