//! Tasks: started on behalf of a call, ended once and after the call's reply.

use std::time::Duration;

use super::Backend;
use super::scene::{
    Node, all_of, anna, answer, assert_gapless, assert_one_winner, ben, cancelled, end, new_audit, new_task, ok,
    progress,
};
use crate::ids::{CallId, TaskId};
use crate::ledger::{Attempt, CancelOutcome, EventBody, FeedSignal, LedgerError, NewTask, Task, TaskState};

/// The task is running, as requested, with its deadline.
pub async fn task_start_is_an_event(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let cap = Duration::from_secs(1800);
    let new = NewTask { long_running: true, cap, ..new_task(call_id, &anna()) };
    let task = ok(node.ledger.start_task(&node.incarnation, new.clone()).await);
    let deadline_at = task.deadline_at.unwrap_or_default();
    let wanted = Task { long_running: true, ..new.into_task(task.created_at, deadline_at, None) };
    assert_eq!(task, wanted);
    assert_eq!(deadline_at.duration_since(task.created_at), jiff::SignedDuration::from_secs(1800));
    let record = ok(node.ledger.find_task(task.task_id).await);
    let record = record.unwrap_or_else(|| panic!("a task that was started is not found"));
    assert_eq!((&record.owner, &record.incarnation, &record.task), (&anna(), &node.incarnation, &task));
    let look = node.look(&anna()).await;
    assert_eq!(look.events[1].body, EventBody::Task(task.clone()));
    assert_eq!((&look.running, &look.tasks), (&vec![task.clone()], &vec![task]));
}

/// The last progress stays.
pub async fn task_end_writes_result_turn_audit_row_and_two_events(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let states =
        [TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled, TaskState::TimedOut, TaskState::Reclaimed];
    for state in states {
        let task_id = node.detached(&anna()).await;
        ok(node.ledger.note_progress(&node.incarnation, vec![progress(task_id, 40.5, "on it")]).await);
        let before = node.look(&anna()).await;
        let outcome = end(&anna(), state, state.as_str());
        let turn = ok(node.ledger.finish_task(&node.incarnation, Attempt::first(task_id), outcome.clone()).await);
        assert_eq!((turn.seq, &turn.body), (before.head + 2, &outcome.turn));

        let look = node.look(&anna()).await;
        let task = ok(node.ledger.find_task(task_id).await).map(|record| record.task);
        let task = task.unwrap_or_else(|| panic!("the task is gone"));
        assert_eq!(task.state, state);
        assert_eq!(task.result, Some(answer(state.as_str())));
        assert_eq!(task.finished_at, Some(turn.at));
        assert_eq!((task.percent, task.message.as_deref()), (Some(40.5), Some("on it")));
        let added: Vec<_> = look.events[before.events.len()..].iter().map(|event| event.body.clone()).collect();
        let task = Task { result: None, ..task };
        assert_eq!(added, [EventBody::Task(task.clone()), EventBody::Turn(turn)], "the task's end, then the turn");
        assert_eq!((&look.tasks[0], look.running.len()), (&task, 0));
        assert_eq!(look.audit.len(), before.audit.len() + 1);
        assert_eq!(look.audit.last().map(|row| &row.body), Some(&outcome.audit));
    }
}

/// The second end is refused with any content, and leaves nothing.
pub async fn second_end_is_refused(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.detached(&anna()).await;
    ok(node.finish(&anna(), task_id).await);
    let before = node.look(&anna()).await;
    for state in [TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled] {
        let again =
            node.ledger.finish_task(&node.incarnation, Attempt::first(task_id), end(&anna(), state, "again")).await;
        assert_eq!(again, Err(LedgerError::AlreadyEnded));
    }
    assert_eq!(node.finish(&anna(), TaskId::generate()).await, Err(LedgerError::NotFound));
    assert_eq!(node.look(&anna()).await, before);
}

/// One of many concurrent ends is written, with one turn and one audit row.
pub async fn racing_ends_have_one_winner(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for round in 1..=4 {
        let task_id = node.detached(&anna()).await;
        let racers = (0..8).map(|_| {
            let node = node.clone();
            tokio::spawn(async move { node.finish(&anna(), task_id).await })
        });
        assert_one_winner(&all_of(racers.collect()).await, &LedgerError::AlreadyEnded);
        let look = node.look(&anna()).await;
        assert_eq!((look.turns.len(), look.audit.len()), (3 * round, round));
        assert_gapless(&look.events);
    }
}

/// Also an end that failed.
pub async fn task_cannot_end_before_its_calls_reply(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let task_id = node.task(call_id, &anna()).await;
    let before = node.look(&anna()).await;
    assert_eq!(node.finish(&anna(), task_id).await, Err(LedgerError::CallNotReplied));
    let failed = end(&anna(), TaskState::Failed, "no");
    assert_eq!(
        node.ledger.finish_task(&node.incarnation, Attempt::first(task_id), failed).await,
        Err(LedgerError::CallNotReplied)
    );
    assert_eq!(node.look(&anna()).await, before);
    let reply = ok(node.reply(call_id).await);
    let outcome = ok(node.finish(&anna(), task_id).await);
    assert!(outcome.seq > reply.seq);
}

/// A task cannot start under another user's call, another node's call, or an unknown call.
pub async fn start_needs_a_call_of_this_owner_and_holder(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let call_id = node.call(&anna()).await;
    for (asking, new, refusal) in [
        (&node, new_task(call_id, &ben()), LedgerError::NotFound),
        (&node, new_task(CallId::generate(), &anna()), LedgerError::NotFound),
        (&other, new_task(call_id, &ben()), LedgerError::NotFound),
        (&other, new_task(call_id, &anna()), LedgerError::NotHolder),
    ] {
        assert_eq!(asking.ledger.start_task(&asking.incarnation, new).await, Err(refusal));
    }
    let task_id = node.detached(&anna()).await;
    assert_eq!(other.finish(&anna(), task_id).await, Err(LedgerError::NotHolder));
    assert_eq!(node.look(&ben()).await.events, []);
    assert_eq!(node.look(&anna()).await.running.len(), 1);
}

/// On behalf of its call, which has its reply by then.
pub async fn running_task_starts_another(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let first = node.task(call_id, &anna()).await;
    ok(node.reply(call_id).await);
    let second = node.task(call_id, &anna()).await;
    ok(node.finish(&anna(), first).await);
    ok(node.finish(&anna(), second).await);
}

/// Two nodes start tasks at once, and as many as the limit start. An end makes room for one.
pub async fn limit_of_running_tasks_holds_in_races(backend: &impl Backend) {
    const LIMIT: u32 = 3;
    let nodes = [Node::start(backend, "a").await, Node::start(backend, "b").await];
    let mut racers = Vec::new();
    let mut calls = Vec::new();
    for node in &nodes {
        let call_id = node.call(&anna()).await;
        calls.push(call_id);
        racers.extend((0..8).map(|_| {
            let node = node.clone();
            tokio::spawn(async move {
                let new = NewTask { max_running: LIMIT, ..new_task(call_id, &anna()) };
                let task = node.ledger.start_task(&node.incarnation, new).await?;
                Ok((node, task.task_id))
            })
        }));
    }
    let outcomes = all_of(racers).await;
    let (started, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((started.len(), nodes[0].look(&anna()).await.running.len()), (LIMIT as usize, LIMIT as usize));
    assert!(refused.iter().all(|outcome| outcome.as_ref().err() == Some(&LedgerError::TooManyTasks(LIMIT))));

    for (node, call_id) in nodes.iter().zip(&calls) {
        ok(node.reply(*call_id).await);
    }
    let (node, task_id) = ok(started.into_iter().next().unwrap_or(Err(LedgerError::NotFound)));
    ok(node.finish(&anna(), task_id).await);
    for wanted in [true, false] {
        let new = NewTask { max_running: LIMIT, ..new_task(calls[0], &anna()) };
        assert_eq!(nodes[0].ledger.start_task(&nodes[0].incarnation, new).await.is_ok(), wanted);
    }
}

/// Readers get the latest report, watchers are notified, and no event number is taken.
pub async fn progress_is_stored_and_published_without_an_event(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.detached(&anna()).await;
    let before = node.look(&anna()).await;
    let mut watch = node.ledger.feed().subscribe(&anna());
    for (percent, message) in [(0.0, "begun"), (33.3, "a third"), (100.0, "")] {
        let said = progress(task_id, percent, message);
        ok(node.ledger.note_progress(&node.incarnation, vec![said.clone()]).await);
        let task = &node.look(&anna()).await.running[0];
        assert_eq!((task.percent, task.message.as_deref()), (Some(percent), Some(message)));
        match tokio::time::timeout(Duration::from_secs(30), watch.next()).await {
            Ok(FeedSignal::Progress(told)) => assert_eq!(*told, said.1),
            other => panic!("progress was not told: {other:?}"),
        }
    }
    assert_eq!(node.look(&anna()).await.events, before.events);
}

/// Unknown and ended tasks, and those of other incarnations, do not disturb this incarnation's.
pub async fn progress_of_other_tasks_is_skipped(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let (mine, theirs, ended) =
        (node.detached(&anna()).await, other.detached(&anna()).await, node.detached(&anna()).await);
    ok(node.finish(&anna(), ended).await);
    let latest = [TaskId::generate(), theirs, ended, mine].map(|task_id| progress(task_id, 7.0, "mine"));
    ok(node.ledger.note_progress(&node.incarnation, latest.into()).await);
    let look = node.look(&anna()).await;
    let moved: Vec<_> = look.tasks.iter().filter(|task| task.percent.is_some()).map(|task| task.task_id).collect();
    assert_eq!(moved, [mine]);
}

/// The first request makes an event. Each has its audit row and the same answer.
pub async fn cancel_request_is_stored_once_and_audited_each_time(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.detached(&anna()).await;
    let before = node.look(&anna()).await;
    let first = ok(node.ledger.request_cancel(task_id, new_audit(&anna(), "task.cancel"), cancelled(&anna())).await);
    let CancelOutcome::Requested(record) = &first else { panic!("a running task was not asked: {first:?}") };
    assert!(record.task.cancel_requested_at.is_some());
    assert_eq!((&record.owner, &record.incarnation), (&anna(), &node.incarnation));
    let again = ok(node.ledger.request_cancel(task_id, new_audit(&anna(), "task.cancel"), cancelled(&anna())).await);
    assert_eq!(again, first);
    let look = node.look(&anna()).await;
    assert_eq!((look.head, look.audit.len()), (before.head + 1, before.audit.len() + 2));
    assert_eq!(look.events.last().map(|event| &event.body), Some(&EventBody::Task(record.task.clone())));
    assert_eq!(look.running.first(), Some(&record.task), "it goes on until its incarnation ends it");
}

/// The answer has the result.
pub async fn cancel_request_of_an_ended_task_is_audited_only(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.detached(&anna()).await;
    ok(node.finish(&anna(), task_id).await);
    let before = node.look(&anna()).await;
    let late = ok(node.ledger.request_cancel(task_id, new_audit(&anna(), "task.cancel"), cancelled(&anna())).await);
    let CancelOutcome::AlreadyEnded(record) = late else { panic!("an ended task was asked: {late:?}") };
    assert!(record.task.result.is_some(), "the answer has the result");
    assert_eq!(Task { result: None, ..record.task }, before.tasks[0]);
    let look = node.look(&anna()).await;
    assert_eq!((&look.events, &look.tasks, look.audit.len()), (&before.events, &before.tasks, before.audit.len() + 1));
}

/// Not even an audit row: the platform decides whether to write one.
pub async fn cancel_request_of_an_unknown_task_writes_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let outcome =
        node.ledger.request_cancel(TaskId::generate(), new_audit(&anna(), "task.cancel"), cancelled(&anna())).await;
    assert_eq!(outcome, Err(LedgerError::NotFound));
    assert_eq!(node.look(&anna()).await.audit, []);
}
