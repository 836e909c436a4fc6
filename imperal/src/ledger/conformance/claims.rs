//! Claims of durable tasks: which tasks a node takes up, and in which order.

use std::time::Duration;

use super::Backend;
use super::durable::{INPUT, NAME, USER, attempt, ids, new_durable, refused, request, without_slot};
use super::scene::{Node, all_of, anna, assert_gapless, ben, cancelled, end, new_audit, new_task, ok};
use crate::ledger::{
    CancelOutcome, ClaimRequest, DurableName, EventBody, LedgerError, NewTask, Release, Task, TaskState, WaitsFor,
};

/// As a background task, in attempt 1.
pub async fn durable_task_starts_in_attempt_1(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let new = new_durable(call_id, &anna());
    let task = node.start_task(new.clone()).await;
    let wanted = new.into_task(task.created_at, task.deadline_at.unwrap_or_default(), None);
    assert_eq!(task, wanted);
    assert_eq!((task.durable, task.attempt, task.state), (true, 1, TaskState::Running));
    let look = node.look(&anna()).await;
    assert_eq!(look.events[1].body, EventBody::Task(task.clone()));
    assert_eq!((&look.running, node.read_task(task.task_id).await), (&vec![task.clone()], task));
    assert_eq!(node.claim(10).await, [], "its node holds it");
}

/// In the order in which they became ready, with all that a process needs and an event each.
pub async fn claim_takes_ready_tasks_in_order_with_an_event_each(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let mut tasks = Vec::new();
    for _ in 0..3 {
        tasks.push(node.durable(&anna()).await);
    }
    let order = [tasks[1], tasks[2], tasks[0]];
    for task_id in order {
        ok(node.release(attempt(task_id, 1), Release::HandOver).await);
        backend.pass(Duration::from_millis(2)).await;
    }
    let before = node.look(&anna()).await;
    let first = other.claim(2).await;
    let second = other.claim(2).await;
    assert_eq!((ids(&first), ids(&second)), (order[..2].to_vec(), order[2..].to_vec()));
    assert_eq!(other.claim(2).await, []);
    let claimed: Vec<_> = first.into_iter().chain(second).collect();
    for claimed in &claimed {
        assert_eq!((&*claimed.task_name, &*claimed.input, &*claimed.user), (NAME, INPUT, USER));
        assert_eq!(claimed.root_task, claimed.record.task.task_id);
        assert_eq!((claimed.crashes, claimed.fruitless), (0, 1), "attempt 1 made no progress");
        assert_eq!((&claimed.record.owner, &claimed.record.incarnation), (&anna(), &other.incarnation));
        let task = &claimed.record.task;
        assert_eq!((task.state, task.attempt, task.waits_for, task.ready_at), (TaskState::Running, 2, None, None));
        assert_eq!(node.read_task(task.task_id).await, *task);
    }
    let look = node.look(&anna()).await;
    let events: Vec<_> = look.events[before.events.len()..].iter().map(|event| event.body.clone()).collect();
    let wanted: Vec<_> = claimed.iter().map(|claimed| EventBody::Task(claimed.record.task.clone())).collect();
    assert_eq!((events, look.audit), (wanted, before.audit));
}

/// Many claims at once, of several nodes.
pub async fn racing_claims_take_each_task_once(backend: &impl Backend) {
    const TASKS: usize = 12;
    let (node, mut released) = (Node::start(backend, "a").await, Vec::new());
    for _ in 0..TASKS {
        released.push(node.released(&anna()).await);
    }
    let mut racers = Vec::new();
    for name in ["b", "c", "d"] {
        let node = Node::start(backend, name).await;
        racers.extend((0..3).map(|_| {
            let node = node.clone();
            tokio::spawn(async move { node.claim(2).await })
        }));
    }
    let mut claimed: Vec<_> = all_of(racers).await.into_iter().flatten().collect();
    // A claim may have skipped a task that another one was looking at.
    claimed.extend(node.claim(100).await);
    let mut taken = ids(&claimed);
    taken.sort_unstable();
    released.sort_unstable();
    assert_eq!(taken, released);
    for claimed in claimed {
        let record = ok(node.ledger.find_task(claimed.record.task.task_id).await);
        assert_eq!(record, Some(claimed.record));
    }
    assert_gapless(&node.events(&anna()).await);
}

/// Of the extension and within it.
pub async fn claim_takes_tasks_of_its_names_only(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let mut tasks = Vec::new();
    for (app, name) in [("app", NAME), ("other", NAME), ("app", "render")] {
        let call_id = node.call(&anna()).await;
        let mut new = NewTask { app_id: app.to_owned(), ..new_durable(call_id, &anna()) };
        if let Some(durable) = &mut new.durable {
            name.clone_into(&mut durable.task_name);
        }
        tasks.push(node.start_task(new).await.task_id);
        ok(node.reply(call_id).await);
    }
    for task_id in &tasks {
        ok(node.release(attempt(*task_id, 1), Release::HandOver).await);
    }
    let names = |names: &[(&str, &str)]| {
        let names = names.iter().map(|(app, name)| DurableName::new(*app, *name)).collect();
        ClaimRequest::new(names, "v1", 10)
    };
    assert_eq!(node.claim_with(names(&[])).await, []);
    assert_eq!(node.claim_with(names(&[("other", "render"), ("app", "Generate")])).await, []);
    assert_eq!(ids(&node.claim_with(names(&[("other", NAME)])).await), [tasks[1]]);
    let mut rest = ids(&node.claim_with(names(&[("app", "render"), ("app", NAME), ("app", NAME)])).await);
    rest.sort_unstable();
    let mut wanted = [tasks[0], tasks[2]];
    wanted.sort_unstable();
    assert_eq!(rest, wanted);
}

/// Other programs get it at once. It is stuck and waits for a version.
pub async fn refused_task_goes_to_other_programs_only(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let before = node.look(&anna()).await;
    let task = ok(node.release(attempt(task_id, 1), refused("v1")).await);
    assert_eq!((task.state, task.waits_for, task.attempt), (TaskState::Stuck, Some(WaitsFor::Version), 1));
    assert!(task.ready_at.is_some() && task.deadline_at.is_none(), "{task:?}");
    let look = node.look(&anna()).await;
    assert_eq!((look.head, &look.running), (before.head + 1, &vec![task.clone()]));
    assert_eq!(look.events.last().map(|event| &event.body), Some(&EventBody::Task(task)));
    assert_eq!(node.claim(10).await, [], "v1 has refused it");
    let claimed = node.claim_with(ClaimRequest { program: "v2".to_owned(), ..request(10) }).await;
    assert_eq!(ids(&claimed), [task_id]);
    assert_eq!((claimed[0].record.task.state, claimed[0].record.task.attempt), (TaskState::Running, 2));
}

/// It would end before its call's reply.
pub async fn task_of_an_unreplied_call_is_not_claimed(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let task = node.start_task(without_slot(call_id, &anna())).await;
    assert_eq!(node.claim(10).await, []);
    ok(node.reply(call_id).await);
    assert_eq!(ids(&node.claim(10).await), [task.task_id]);
}

/// A background task is refused instead.
pub async fn durable_task_without_a_slot_waits_for_one(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let running = node.durable(&anna()).await;
    let call_id = node.call(&anna()).await;
    let limited = |new: NewTask| NewTask { max_running: 1, ..new };
    let background = node.ledger.start_task(&node.incarnation, limited(new_task(call_id, &anna()))).await;
    assert_eq!(background, Err(LedgerError::TooManyTasks(1)));
    let queued = node.start_task(limited(new_durable(call_id, &anna()))).await;
    ok(node.reply(call_id).await);
    assert_eq!((queued.state, queued.attempt, queued.waits_for), (TaskState::Queued, 0, Some(WaitsFor::Slot)));
    assert_eq!((queued.ready_at, queued.deadline_at), (Some(queued.created_at), None));
    let look = node.look(&anna()).await;
    assert_eq!(look.running.last(), Some(&queued), "it is open");
    assert!(look.events.iter().any(|event| event.body == EventBody::Task(queued.clone())));

    assert_eq!(node.claim_with(request(10).max_running(1)).await, [], "the slot is taken");
    ok(node.end(attempt(running, 1), TaskState::Succeeded).await);
    let claimed = node.claim_with(request(10).max_running(1)).await;
    assert_eq!(ids(&claimed), [queued.task_id]);
    let Task { attempt: number, state, deadline_at, .. } = &claimed[0].record.task;
    assert_eq!((*number, *state, claimed[0].fruitless), (1, TaskState::Running, 0));
    assert!(deadline_at.is_some());
    ok(node.end(attempt(queued.task_id, 1), TaskState::Succeeded).await);
}

/// Of each owner, also among the tasks of one claim.
pub async fn claims_hold_the_limit_of_running_tasks(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for owner in [anna(), anna(), anna(), ben(), ben()] {
        node.released(&owner).await;
    }
    let claimed = node.claim_with(request(10).max_running(2)).await;
    let of = |owner| claimed.iter().filter(|claimed| claimed.record.owner == owner).count();
    assert_eq!((of(anna()), of(ben())), (2, 2));
    assert_eq!(node.claim_with(request(10).max_running(2)).await, []);
    let running = claimed.iter().find(|claimed| claimed.record.owner == ben()).map(|claimed| &claimed.record.task);
    let done = end(&ben(), TaskState::Succeeded, "done");
    let running = running.map_or_else(|| panic!("none of ben's"), Task::attempt);
    ok(node.ledger.finish_task(&node.incarnation, running, done).await);
    assert_eq!(node.claim_with(request(10).max_running(2)).await, [], "another owner's end makes no room");
}

/// Tasks in every open state count.
pub async fn open_tasks_are_limited(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    node.released(&anna()).await;
    let stuck = node.durable(&anna()).await;
    ok(node.release(attempt(stuck, 1), refused("v1")).await);
    let running = node.detached(&anna()).await;
    let call_id = node.call(&anna()).await;
    let before = node.look(&anna()).await;
    for new in [new_task(call_id, &anna()), new_durable(call_id, &anna()), without_slot(call_id, &anna())] {
        let outcome = node.ledger.start_task(&node.incarnation, new.max_open(3)).await;
        assert_eq!(outcome, Err(LedgerError::TooManyTasks(3)));
    }
    assert_eq!(node.look(&anna()).await, before);
    ok(node.reply(call_id).await);
    ok(node.finish(&anna(), running).await);
    for new in [new_task(call_id, &anna()).max_open(3), new_task(call_id, &ben()).max_open(1)] {
        let owner = new.owner.clone();
        let outcome = node.ledger.start_task(&node.incarnation, new).await;
        assert_eq!(outcome.is_ok(), owner == anna(), "{outcome:?}");
    }
}

/// The claim gets it, because the platform ends it; its node learns of the request.
pub async fn task_with_a_cancel_request_is_claimed(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let task_id = node.start_task(without_slot(call_id, &anna())).await.task_id;
    let asked = node.ledger.request_cancel(task_id, new_audit(&anna(), "task.cancel"), cancelled(&anna())).await;
    assert!(matches!(ok(asked), CancelOutcome::Requested(_)), "its call has no reply");
    ok(node.reply(call_id).await);
    let claimed = node.claim_one().await;
    assert!(claimed.record.task.cancel_requested_at.is_some());
    assert_eq!(node.news().await.cancelled_tasks, [task_id]);
    ok(node.end(attempt(task_id, 1), TaskState::Cancelled).await);
}

/// The key is taken until the outcome, whoever holds the task or does not.
pub async fn unheld_task_keeps_its_key(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let task_id = node.start_task(new_durable(call_id, &anna()).key("k")).await.task_id;
    ok(node.reply(call_id).await);
    ok(node.release(attempt(task_id, 1), Release::HandOver).await);
    let start = async || node.ledger.start_task(&node.incarnation, new_task(call_id, &anna()).key("k")).await;
    let refused = start().await;
    assert!(matches!(&refused, Err(LedgerError::AlreadyRunning(task)) if task.task_id == task_id), "{refused:?}");
    node.claim_one().await;
    assert!(start().await.is_err());
    ok(node.end(attempt(task_id, 2), TaskState::Succeeded).await);
    ok(start().await);
}
