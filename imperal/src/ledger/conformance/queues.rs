//! Queues of durable tasks: their limits hold on all nodes, and they hold up no other task.

use std::time::Duration;

use futures_util::FutureExt;

use super::Backend;
use super::durable::{NAME, attempt, ids, new_durable, refused, request};
use super::scene::{LONG, Node, all_of, anna, ben, end, ok};
use crate::ids::TaskId;
use crate::ledger::{
    ClaimRequest, ClaimedTask, DurableName, EventBody, NewTask, Owner, Park, QueueLimit, QueueLoad, Release, Task,
    TaskState, WaitsFor,
};

pub(super) const QUEUE: &str = "render";

/// A claim under these limits of the queue.
pub(super) fn limited(at_most: u32, per_user: u32) -> ClaimRequest {
    request(100).queues(vec![QueueLimit::new("app", QUEUE, at_most).per_user(per_user)])
}

pub(super) fn carol() -> Owner {
    Owner::new("tenant", "carol")
}

impl Node {
    async fn queued_in(&self, queue: &str, owner: &Owner, change: impl FnOnce(NewTask) -> NewTask + Send) -> Task {
        let call_id = self.call(owner).await;
        let mut new = new_durable(call_id, owner);
        new.durable = new.durable.map(|durable| durable.queue(queue));
        let task = self.start_task(change(new)).await;
        ok(self.reply(call_id).await);
        task
    }

    pub(super) async fn queued(&self, owner: &Owner) -> TaskId {
        self.queued_in(QUEUE, owner, |new| new).await.task_id
    }

    pub(super) async fn finish_claimed(&self, claimed: &ClaimedTask) {
        let done = end(&claimed.record.owner, TaskState::Succeeded, "done");
        ok(self.ledger.finish_task(&self.incarnation, claimed.record.task.attempt(), done).await);
    }

    async fn load(&self) -> QueueLoad {
        let mut loads = ok(self.ledger.queue_loads().await);
        assert_eq!(loads.len(), 1, "{loads:?}");
        loads.remove(0)
    }
}

pub(super) fn owners(claimed: &[ClaimedTask]) -> Vec<&str> {
    claimed.iter().map(|claimed| &*claimed.record.owner.user_id).collect()
}

/// Even if the queue is empty: the claim decides.
pub async fn task_of_a_queue_waits_for_its_slot(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task = node.queued_in(QUEUE, &anna(), |new| new).await;
    assert_eq!((task.state, task.attempt, task.waits_for), (TaskState::Queued, 0, Some(WaitsFor::Slot)));
    assert_eq!((task.queue.as_deref(), task.ready_at, task.deadline_at), (Some(QUEUE), Some(task.created_at), None));
    let look = node.look(&anna()).await;
    assert!(look.events.iter().any(|event| event.body == EventBody::Task(task.clone())), "{:?}", look.events);
    assert_eq!((&look.running, node.read_task(task.task_id).await), (&vec![task.clone()], task.clone()));
    assert_eq!(ok(node.ledger.next_ready_in(&limited(1, 1).names).await), Some(Duration::ZERO));
    let claimed = node.claim_with(limited(1, 1)).await;
    assert_eq!(ids(&claimed), [task.task_id]);
    let running = &claimed[0].record.task;
    assert_eq!((running.state, running.attempt, running.queue.as_deref()), (TaskState::Running, 1, Some(QUEUE)));
    assert_eq!(ok(node.ledger.next_ready_in(&limited(1, 1).names).await), None);
    node.finish_claimed(&claimed[0]).await;
    assert_eq!(node.read_task(task.task_id).await.queue.as_deref(), Some(QUEUE), "lists still name it");
}

/// The limit is that of the claiming node, and counts the tasks of all nodes.
pub async fn queue_runs_at_most_its_limit_on_all_nodes(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let mut queued = Vec::new();
    for owner in [anna(), anna(), ben(), ben(), carol()] {
        queued.push(node.queued(&owner).await);
    }
    let first = node.claim_with(limited(3, 3)).await;
    assert_eq!(first.len(), 3);
    assert_eq!(other.claim_with(limited(3, 3)).await, []);
    assert_eq!(node.claim_with(limited(2, 2)).await, [], "a program with a lower limit");
    node.finish_claimed(&first[1]).await;
    let second = other.claim_with(limited(3, 3)).await;
    assert_eq!(second.len(), 1);
    assert_eq!(node.claim_with(limited(3, 3)).await, []);
    assert_eq!(other.claim_with(limited(4, 4)).await.len(), 1);
    let load = node.load().await;
    assert_eq!((load.running, load.ready), (4, 0));
}

/// In the transaction that stops it.
pub async fn everything_that_stops_a_task_frees_its_slot(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let first = node.queued(&anna()).await;
    let claim = async |node: &Node, wanted: TaskId| {
        assert_eq!(ids(&node.claim_with(limited(1, 1)).await), [wanted]);
        assert_eq!(node.claim_with(limited(1, 1)).await, [], "the slot is taken");
        node.read_task(wanted).await.attempt()
    };
    let now = claim(&node, first).await;
    ok(node.release(now, Release::HandOver).await);
    let now = claim(&node, first).await;
    let until = node.now().await + jiff::SignedDuration::from_secs(3600);
    ok(node.release(now, Release::Park(Park::new(until, vec![]))).await);

    let second = node.queued(&anna()).await;
    let now = claim(&node, second).await;
    ok(node.release(now, refused("v1")).await);
    let third = node.queued(&anna()).await;
    claim(&node, third).await;
    let after = node.crash().await;
    claim(&after, third).await;
    ok(after.ledger.leave(&after.incarnation).await);
    let node = Node::start(backend, "m").await;
    let now = claim(&node, third).await;
    ok(node.ledger.finish_task(&node.incarnation, now, end(&anna(), TaskState::Failed, "failed")).await);
    let fourth = node.queued(&anna()).await;
    claim(&node, fourth).await;
}

/// Of many nodes at once. What is free in the end is claimed by the next claim.
pub async fn racing_claims_hold_the_limit_of_a_queue(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    for number in 0..24 {
        let owner = if number % 3 == 0 { anna() } else { ben() };
        node.queued(&owner).await;
    }
    let mut nodes = vec![node.clone()];
    for name in ["b", "c", "d"] {
        nodes.push(Node::start(backend, name).await);
    }
    for _ in 0..3 {
        let racers = nodes.iter().flat_map(|node| vec![node.clone(); 3]);
        let racers =
            racers.map(|node| tokio::spawn(async move { (node.clone(), node.claim_with(limited(5, 4)).await) }));
        let mut claimed = all_of(racers.collect()).await;
        claimed.push((node.clone(), node.claim_with(limited(5, 4)).await));
        let tasks: Vec<_> =
            claimed.iter().flat_map(|(node, tasks)| tasks.iter().map(move |task| (node, task))).collect();
        assert_eq!(tasks.len(), 5, "{tasks:?}");
        assert_eq!(node.load().await.running, 5);
        for (node, task) in tasks {
            node.finish_claimed(task).await;
        }
    }
}

/// Another version of the program may declare it; this one must not exceed a limit that it does not know.
pub async fn undeclared_queue_runs_one_task_at_a_time(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    node.queued(&anna()).await;
    node.queued(&ben()).await;
    let undeclared = || request(10).queues(vec![QueueLimit::new("app", "other", 9), QueueLimit::new("x", QUEUE, 9)]);
    let claimed = node.claim_with(undeclared()).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(node.claim_with(undeclared()).await, []);
    assert_eq!(node.claim_with(limited(2, 2)).await.len(), 1);
    assert_eq!(node.claim_with(undeclared()).await, []);
}

/// By extension and name.
pub async fn queues_have_limits_of_their_own(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let here = node.queued(&anna()).await;
    let other = node.queued_in("other", &anna(), |new| new).await.task_id;
    let elsewhere = node.queued_in(QUEUE, &anna(), |new| NewTask { app_id: "else".to_owned(), ..new }).await.task_id;
    let names = ["app", "else"].map(|app| DurableName::new(app, NAME)).to_vec();
    let queues =
        vec![QueueLimit::new("app", QUEUE, 1), QueueLimit::new("app", "other", 1), QueueLimit::new("else", QUEUE, 1)];
    let claimed = node.claim_with(ClaimRequest::new(names.clone(), "v1", 10).queues(queues.clone())).await;
    let (mut taken, mut wanted) = (ids(&claimed), vec![here, other, elsewhere]);
    taken.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(taken, wanted);
    // No name of the extension: none of its queue is taken.
    node.finish_claimed(&claimed[0]).await;
    node.queued_in(QUEUE, &anna(), |new| NewTask { app_id: "else".to_owned(), ..new }).await;
    assert_eq!(node.claim_with(request(10).queues(queues)).await, []);
}

/// Neither of its owner nor of another one.
pub async fn task_that_cannot_be_taken_holds_up_no_other(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    // Unknown to the program, refused by it, of a call without a reply, of a full owner.
    let unknown = |mut new: NewTask| {
        new.durable =
            new.durable.map(|durable| crate::ledger::NewDurable { task_name: "unknown".to_owned(), ..durable });
        new
    };
    node.queued_in(QUEUE, &anna(), unknown).await;
    let turned_down = node.queued(&anna()).await;
    assert_eq!(ids(&node.claim_with(limited(1, 1)).await), [turned_down]);
    ok(node.release(attempt(turned_down, 1), refused("v1")).await);
    let call_id = node.call(&anna()).await;
    let mut new = new_durable(call_id, &anna());
    new.durable = new.durable.map(|durable| durable.queue(QUEUE));
    let unreplied = node.start_task(new).await.task_id;
    let good = node.queued(&anna()).await;
    let bens = node.queued(&ben()).await;
    let mut taken = ids(&node.claim_with(limited(4, 4)).await);
    let mut wanted = vec![good, bens];
    taken.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(taken, wanted);
    ok(node.reply(call_id).await);
    assert_eq!(node.claim_with(limited(4, 4).max_running(1)).await, []);
    assert_eq!(ids(&node.claim_with(limited(4, 4).max_running(2)).await), [unreplied]);
    let other = node.claim_with(ClaimRequest { program: "v2".to_owned(), ..limited(4, 4) }).await;
    assert_eq!(ids(&other), [turned_down]);
}

/// Nor does a long line before it.
pub async fn full_queue_holds_up_no_other_task(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for _ in 0..6 {
        node.queued(&anna()).await;
    }
    let mut released = Vec::new();
    for _ in 0..6 {
        released.push(node.released(&ben()).await);
    }
    let few = |limit| ClaimRequest { limit, ..limited(100, 100) };
    let claimed = node.claim_with(few(4)).await;
    assert_eq!(owners(&claimed), ["anna", "anna", "ben", "ben"], "half of a claim at most comes before others");
    let claimed = node.claim_with(few(100)).await;
    assert_eq!(claimed.len(), 8, "and the rest after them");
    node.queued(&anna()).await;
    let last = node.released(&ben()).await;
    assert_eq!(ids(&node.claim_with(limited(2, 2)).await), [last]);
}

/// Claims of one task each: neither kind of task, and no queue, always comes first. By chance it fails once in a billion
/// runs.
pub async fn single_claims_starve_no_kind_of_task(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for queue in ["a", "b"] {
        for _ in 0..32 {
            node.queued_in(queue, &anna(), |new| NewTask { max_open: 1000, ..new }).await;
        }
    }
    let mut found = Vec::new();
    node.released(&ben()).await;
    for _ in 0..32 {
        let queues = ["a", "b"].map(|queue| QueueLimit::new("app", queue, 9)).to_vec();
        let claimed = node.claim_with(request(1).queues(queues)).await;
        assert_eq!(claimed.len(), 1);
        found.push(claimed[0].record.task.queue.clone().unwrap_or_default());
        node.finish_claimed(&claimed[0]).await;
    }
    for kind in ["", "a", "b"] {
        assert!(found.iter().any(|queue| queue == kind), "{kind:?} was never taken: {found:?}");
    }
}

/// So that it does not wait for the next look.
pub async fn reply_announces_the_tasks_that_wait_for_it(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let mut new = new_durable(call_id, &anna());
    new.durable = new.durable.map(|durable| durable.queue(QUEUE));
    let task_id = node.start_task(new).await.task_id;
    let announced = || node.ledger.feed().ready_task_announced().now_or_never();
    // What came before.
    announced();
    assert_eq!(node.claim_with(limited(1, 1)).await, []);
    announced();
    ok(node.reply(call_id).await);
    assert_eq!(announced(), Some(()));
    assert_eq!(ids(&node.claim_with(limited(1, 1)).await), [task_id]);
}

/// For a process that ends with one command: it leaves the others' tasks, of queues or not, to a server.
pub async fn claim_of_own_tasks_leaves_all_others(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    // All are ready before the node's own, and one is of the same user.
    for owner in [ben(), anna()] {
        other.queued(&owner).await;
    }
    other.released(&anna()).await;
    let before = node.queued(&anna()).await;
    let node = node.crash().await;
    let queued = node.queued(&anna()).await;
    let released = node.released(&anna()).await;
    let mut taken = ids(&node.claim_with(limited(9, 9).only_own(true)).await);
    let mut own = vec![queued, released];
    taken.sort_unstable();
    own.sort_unstable();
    assert_eq!(taken, own);
    assert_eq!(node.claim_with(limited(9, 9).only_own(true)).await, []);
    let rest = ids(&node.claim_with(limited(9, 9)).await);
    assert!(rest.len() == 4 && rest.contains(&before), "a task of its earlier incarnation is none of its own");
}

/// Its tasks run within the limits of the queue, which hold on all nodes.
pub async fn claim_of_own_tasks_holds_the_limits_of_queues(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let running = other.queued(&ben()).await;
    assert_eq!(ids(&other.claim_with(limited(1, 1)).await), [running]);
    node.queued(&anna()).await;
    assert_eq!(node.claim_with(limited(1, 1).only_own(true)).await, []);
    assert_eq!(node.claim_with(limited(2, 1).only_own(true)).await.len(), 1);
}

/// For metrics.
pub async fn loads_count_slots_and_ready_tasks(backend: &impl Backend) {
    let node = Node::start_with(backend, "n", LONG).await;
    assert_eq!(ok(node.ledger.queue_loads().await), []);
    let first = node.queued_in(QUEUE, &anna(), |new| new).await;
    backend.pass(Duration::from_millis(2)).await;
    node.queued(&ben()).await;
    let load = node.load().await;
    assert_eq!((&*load.app_id, &*load.queue, load.running, load.ready), ("app", QUEUE, 0, 2));
    assert_eq!(load.oldest_ready_at, first.ready_at);
    for claimed in node.claim_with(limited(2, 2)).await {
        node.finish_claimed(&claimed).await;
    }
    let load = node.load().await;
    assert_eq!((load.running, load.ready, load.oldest_ready_at), (0, 0, None));
}
