//! Operators: open tasks of all owners, tasks that are tried again, and paused names.

use std::time::Duration;

use super::Backend;
use super::durable::{NAME, attempt, crashed, ids, new_durable, refused, request, step};
use super::scene::{MANY, Node, anna, ben, cancelled, new_audit, ok};
use crate::ids::TaskId;
use crate::ledger::{
    CancelOutcome, ClaimRequest, DurableName, DurableProgram, EventBody, LedgerError, NewAudit, OpenTask, Owner,
    QueueLimit, QueuePlace, Release, Task, TaskPlace, TaskState, WaitsFor,
};

fn name() -> DurableName {
    DurableName::new("app", NAME)
}

fn operator() -> Owner {
    Owner::new("tenant", "operator")
}

fn row(action: &str) -> NewAudit {
    NewAudit { actor: "user:operator".to_owned(), ..new_audit(&operator(), action) }
}

impl Node {
    async fn open_work(&self, after: TaskPlace, limit: u32) -> Vec<OpenTask> {
        ok(self.ledger.open_work(after, limit).await)
    }

    async fn retry(&self, task_id: TaskId) -> Task {
        ok(self.ledger.retry_task(task_id, row("task.retry")).await).task
    }

    async fn pause(&self, paused: bool) -> bool {
        let action = if paused { "task.pause" } else { "task.resume" };
        ok(self.ledger.set_paused(name(), paused, row(action)).await)
    }
}

/// In pages, without those that have ended.
pub async fn open_work_is_listed_in_pages(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let mut wanted = Vec::new();
    for owner in [anna(), ben(), anna()] {
        wanted.push(node.durable(&owner).await);
        let task_id = node.detached(&owner).await;
        wanted.push(task_id);
    }
    let ended = wanted.pop().unwrap_or_else(TaskId::generate);
    ok(node.finish(&anna(), ended).await);
    let all = node.open_work(TaskPlace::default(), MANY).await;
    let (mut found, mut expected): (Vec<_>, Vec<_>) =
        (all.iter().map(|open| open.record.task.task_id).collect(), wanted);
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(all.is_sorted_by_key(|open| open.place), "{all:?}");
    let mut pages = Vec::new();
    let mut after = TaskPlace::default();
    loop {
        let page = node.open_work(after, 2).await;
        let Some(last) = page.last() else { break };
        after = last.place;
        pages.extend(page);
    }
    assert_eq!(pages, all);
    for open in &all {
        assert_eq!(
            open.record,
            ok(node.ledger.find_task(open.record.task.task_id).await).unwrap_or(open.record.clone())
        );
        assert_eq!(open.task_name.as_deref(), open.record.task.durable.then_some(NAME));
    }
}

/// A stuck one for every version, and a suspect without its wait; with the event and an audit row.
pub async fn stuck_task_and_suspect_can_be_tried_again(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let stuck = node.durable(&anna()).await;
    ok(node.release(attempt(stuck, 1), refused("v1")).await);
    assert_eq!(node.claim(10).await, []);
    let before = node.look(&anna()).await;
    let task = node.retry(stuck).await;
    assert_eq!((task.state, task.waits_for, task.attempt), (TaskState::Queued, Some(WaitsFor::Process), 1));
    let look = node.look(&anna()).await;
    assert_eq!((look.head, &look.audit), (before.head + 1, &before.audit), "the operator's row is the operator's");
    assert_eq!(look.events.last().map(|event| &event.body), Some(&EventBody::Task(task)));
    assert_eq!(node.look(&operator()).await.audit.len(), 1);
    assert_eq!(ids(&node.claim(10).await), [stuck], "the version that had refused it");
    assert_eq!(ok(node.ledger.long_stuck(Duration::ZERO, 10).await), []);
    ok(node.end(attempt(stuck, 2), TaskState::Succeeded).await);

    let suspect = node.durable(&anna()).await;
    let node = crashed(backend, node, 2).await;
    assert_eq!(node.claim_with(request(10).suspect(false)).await, []);
    let open = node.open_work(TaskPlace::default(), MANY).await;
    assert_eq!(open.iter().map(|open| (open.record.task.task_id, open.crashes)).collect::<Vec<_>>(), [(suspect, 2)]);
    node.retry(suspect).await;
    let claimed = node.claim_with(request(10).suspect(false)).await;
    assert_eq!((ids(&claimed), claimed[0].crashes), (vec![suspect], 0));
}

/// They count only in a row: a hand-over after progress shows none, and a retry has nothing to forgive.
pub async fn progress_clears_crashes_for_operators(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task = node.durable(&anna()).await;
    let node = crashed(backend, node, 2).await;
    let claimed = node.claim(10).await;
    assert_eq!(claimed[0].crashes, 2);
    let now = claimed[0].record.task.attempt();
    ok(node.store(now, step(1)).await);
    let crashes =
        async || node.open_work(TaskPlace::default(), MANY).await.iter().map(|open| open.crashes).collect::<Vec<_>>();
    assert_eq!(crashes().await, [0], "while it runs");
    ok(node.release(now, Release::HandOver).await);
    assert_eq!(crashes().await, [0]);
    let before = node.read_task(task).await;
    assert_eq!(node.retry(task).await, before);
    assert_eq!(node.look(&operator()).await.audit, []);
}

/// Neither waits for a slot.
pub async fn stuck_and_paused_tasks_have_no_place(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let queued = async |owner: &Owner, task_name: &str| {
        let call_id = node.call(owner).await;
        let mut new = new_durable(call_id, owner);
        new.durable = new.durable.map(|durable| {
            let durable = durable.queue("render");
            crate::ledger::NewDurable { task_name: task_name.to_owned(), ..durable }
        });
        let task_id = node.start_task(new).await.task_id;
        ok(node.reply(call_id).await);
        task_id
    };
    let stuck = queued(&anna(), NAME).await;
    assert_eq!(ids(&node.claim(1).await), [stuck]);
    ok(node.release(attempt(stuck, 1), refused("v1")).await);
    let other = queued(&ben(), "other").await;
    let places = async |owner: &Owner| ok(node.ledger.queue_places(owner).await);
    let ready = async || ok(node.ledger.queue_loads().await)[0].ready;
    assert_eq!(places(&anna()).await, []);
    assert_eq!((places(&ben()).await, ready().await), (vec![QueuePlace::new(other, 0)], 1));
    node.retry(stuck).await;
    assert_eq!((places(&anna()).await.len(), ready().await), (1, 2));
    node.pause(true).await;
    assert_eq!((places(&anna()).await, ready().await), (vec![], 1));
    assert_eq!(places(&ben()).await, [QueuePlace::new(other, 0)]);
    node.pause(false).await;
    assert_eq!(ready().await, 2);
}

/// Its request came before the reply of its call, so it could not end the task then.
pub async fn cancelled_task_is_listed_until_it_is_ended(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let mut new = new_durable(call_id, &anna());
    new.durable = new.durable.map(|durable| durable.queue("render"));
    let task_id = node.start_task(new).await.task_id;
    let cancel = async || ok(node.ledger.request_cancel(task_id, row("task.cancel"), cancelled(&anna())).await);
    let listed = async || {
        let found = ok(node.ledger.cancelled_tasks(10).await);
        found.iter().map(|record| record.task.task_id).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, []);
    assert!(matches!(cancel().await, CancelOutcome::Requested(_)));
    assert_eq!(listed().await, [], "its call has no reply");
    ok(node.reply(call_id).await);
    assert_eq!(listed().await, [task_id]);
    assert!(matches!(cancel().await, CancelOutcome::Ended(_)));
    assert_eq!((listed().await, node.read_task(task_id).await.state), (vec![], TaskState::Cancelled));
}

/// The time limit of stuck tasks is for those that no version can take: pauses end, and free slots come.
pub async fn paused_and_known_stuck_tasks_are_not_long_stuck(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let stuck = node.durable(&anna()).await;
    ok(node.release(attempt(stuck, 1), refused("v1")).await);
    let long_stuck = async || {
        let found = ok(node.ledger.long_stuck(Duration::ZERO, 10).await);
        found.iter().map(|record| record.task.task_id).collect::<Vec<_>>()
    };
    assert_eq!(long_stuck().await, [stuck]);
    node.pause(true).await;
    assert_eq!(long_stuck().await, []);
    node.pause(false).await;
    for (version, wanted) in [("v1", vec![stuck]), ("v2", vec![])] {
        let program = DurableProgram::new(version, vec![name()]);
        ok(node.ledger.register_program(&node.incarnation, program).await);
        assert_eq!(long_stuck().await, wanted, "with {version}");
    }
}

/// Without an audit row.
pub async fn other_tasks_are_not_tried_again(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let running = node.durable(&anna()).await;
    let background = node.detached(&anna()).await;
    let queued = node.released(&anna()).await;
    for task_id in [running, background, queued] {
        let before = node.read_task(task_id).await;
        assert_eq!(node.retry(task_id).await, before);
    }
    assert_eq!(node.look(&operator()).await.audit, []);
    let unknown = node.ledger.retry_task(TaskId::generate(), row("task.retry")).await;
    assert_eq!(unknown, Err(LedgerError::NotFound));
}

/// Claims skip it until it is resumed; other names go on.
pub async fn paused_tasks_are_not_claimed(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let running = node.durable(&anna()).await;
    let queued = node.released(&anna()).await;
    assert!(node.pause(true).await);
    assert!(!node.pause(true).await, "it is paused already");
    let paused = ok(node.ledger.paused_tasks().await);
    assert_eq!(paused.len(), 1);
    assert_eq!((&*paused[0].app_id, &*paused[0].task_name, &*paused[0].by), ("app", NAME, "user:operator"));
    assert_eq!(node.claim(10).await, []);
    assert_eq!(ok(node.ledger.next_ready_in(&[name()]).await), None);
    assert_eq!(node.read_task(queued).await.waits_for, Some(WaitsFor::Paused));
    assert_eq!(node.read_task(running).await.waits_for, None, "it goes on");
    let released = ok(node.release(attempt(running, 1), Release::HandOver).await);
    assert_eq!((released.state, released.waits_for), (TaskState::Queued, Some(WaitsFor::Paused)));
    assert_eq!(node.look(&anna()).await.events.last().map(|event| &event.body), Some(&EventBody::Task(released)));
    let call_id = node.call(&anna()).await;
    let mut other = new_durable(call_id, &anna());
    other.durable = other.durable.map(|durable| crate::ledger::NewDurable { task_name: "other".to_owned(), ..durable });
    let other = node.start_task(other).await;
    ok(node.reply(call_id).await);
    assert_eq!(other.state, TaskState::Running);

    assert!(node.pause(false).await);
    assert!(!node.pause(false).await);
    assert_eq!(node.read_task(queued).await.waits_for, Some(WaitsFor::Process));
    assert_eq!(ids(&node.claim(10).await).len(), 2);
    let actions: Vec<_> = node.look(&operator()).await.audit.into_iter().map(|row| row.body.action).collect();
    assert_eq!(actions, ["task.pause", "task.resume"]);
}

/// Also in a queue.
pub async fn start_under_a_paused_name_waits(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    node.pause(true).await;
    let call_id = node.call(&anna()).await;
    let task = node.start_task(new_durable(call_id, &anna())).await;
    assert_eq!((task.state, task.attempt, task.waits_for), (TaskState::Queued, 0, Some(WaitsFor::Paused)));
    let mut new = new_durable(call_id, &anna());
    new.durable = new.durable.map(|durable| durable.queue("render"));
    let queued = node.start_task(new).await;
    assert_eq!(queued.waits_for, Some(WaitsFor::Paused));
    ok(node.reply(call_id).await);
    let look = node.look(&anna()).await;
    assert!(look.events.iter().any(|event| event.body == EventBody::Task(task.clone())), "{:?}", look.events);
    assert_eq!(look.running, [task.clone(), queued.clone()]);
    let request = || request(10).queues(vec![QueueLimit::new("app", "render", 4)]);
    assert_eq!(node.claim_with(request()).await, []);
    node.pause(false).await;
    assert_eq!(node.read_task(task.task_id).await.waits_for, Some(WaitsFor::Process));
    assert_eq!(node.read_task(queued.task_id).await.waits_for, Some(WaitsFor::Slot));
    let mut claimed = ids(&node.claim_with(ClaimRequest { limit: 10, ..request() }).await);
    let mut wanted = vec![task.task_id, queued.task_id];
    claimed.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(claimed, wanted);
}
