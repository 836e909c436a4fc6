//! Attempts of durable tasks: only the latest one writes, and only while its process holds the task.

use std::time::Duration;

use super::Backend;
use super::durable::{INPUT, NAME, attempt, new_durable, refused, request, step, without_slot};
use super::scene::{Node, anna, assert_gapless, ben, cancelled, end, new_audit, new_task, ok, progress};
use crate::ids::TaskId;
use crate::ledger::{
    Attempt, AttemptEnding, AttemptReport, CurrentStep, EventBody, FailedStep, LedgerError, NewTask, Park, Progress,
    Release, StepsSoFar, TaskAttempt, TaskState, WaitsFor, Work,
};

/// Tries every write of an attempt: each is refused with this, and nothing is left.
async fn assert_refused(node: &Node, of: Attempt, refusal: &LedgerError) {
    let call_id = node.read_task(of.task_id).await.call_id;
    let (before, steps) = (node.look(&anna()).await, node.steps(of.task_id).await);
    assert_eq!(node.end(of, TaskState::Succeeded).await.as_ref(), Err(refusal), "finish_task");
    assert_eq!(node.say(of, "late", None).await.as_ref(), Err(refusal), "inject");
    assert_eq!(node.say(of, "late", Some(step(9))).await.as_ref(), Err(refusal), "inject with a step");
    assert_eq!(node.store(of, step(9)).await.as_ref(), Err(refusal), "store_step");
    for release in [Release::HandOver, refused("v9")] {
        let released = node.release(of, release).await;
        // The attempt that released the task may repeat that.
        assert!(released.as_ref().err() == Some(refusal) || before.running.contains(&ok(released)), "release_task");
    }
    let child = NewTask { parent: Work::Task(of), ..new_task(call_id, &anna()) };
    assert_eq!(node.ledger.start_task(&node.incarnation, child).await.as_ref(), Err(refusal), "start_task");
    let (_, said) = progress(of.task_id, 99.0, "late");
    let noted = node.ledger.note_progress(&node.incarnation, vec![(of.number, said)]).await;
    assert!(noted.is_ok() || noted.as_ref() == Err(refusal), "note_progress: {noted:?}");
    assert_eq!(node.look(&anna()).await, before, "a refused write left something");
    assert_eq!(node.steps(of.task_id).await, steps);
}

/// On the same node, in the same incarnation: before the next attempt, during it and after the end.
pub async fn earlier_attempt_writes_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let [first, second, third] = [1, 2, 3].map(|number| attempt(task_id, number));
    assert_refused(&node, second, &LedgerError::NotHolder).await;
    ok(node.release(first, Release::HandOver).await);
    assert_refused(&node, first, &LedgerError::NotHolder).await;
    assert_refused(&node, second, &LedgerError::NotHolder).await;
    assert_eq!(node.claim_one().await.record.task.attempt(), second);
    for other in [first, third] {
        assert_refused(&node, other, &LedgerError::NotHolder).await;
    }
    assert_eq!(node.release(first, Release::HandOver).await, Err(LedgerError::NotHolder), "a later attempt has begun");
    ok(node.store(second, step(1)).await);
    ok(node.say(second, "said", Some(step(2))).await);
    ok(node.release(second, refused("v0")).await);
    assert_refused(&node, second, &LedgerError::NotHolder).await;
    node.claim_one().await;
    assert_refused(&node, second, &LedgerError::NotHolder).await;
    ok(node.end(third, TaskState::Succeeded).await);
    assert_refused(&node, third, &LedgerError::AlreadyEnded).await;
    assert_eq!(node.steps(task_id).await.len(), 2);
    assert_gapless(&node.events(&anna()).await);
}

/// The attempt is right and the incarnation is another one.
pub async fn attempt_of_another_incarnation_writes_nothing(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let task_id = node.durable(&anna()).await;
    assert_refused(&other, attempt(task_id, 1), &LedgerError::NotHolder).await;
    ok(node.release(attempt(task_id, 1), Release::HandOver).await);
    assert_refused(&other, attempt(task_id, 1), &LedgerError::NotHolder).await;
    other.claim_one().await;
    assert_refused(&node, attempt(task_id, 2), &LedgerError::NotHolder).await;
    ok(other.end(attempt(task_id, 2), TaskState::Succeeded).await);
}

/// Every write of durable tasks is refused with `Fenced`, and no task changes.
pub async fn ended_incarnation_writes_no_durable_task(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let task_id = node.durable(&anna()).await;
    ok(node.ledger.leave(&node.incarnation).await);
    assert_refused(&node, attempt(task_id, 1), &LedgerError::Fenced).await;
    let before = node.look(&anna()).await;
    assert_eq!(node.ledger.claim_tasks(&node.incarnation, request(1)).await, Err(LedgerError::Fenced));
    assert_eq!(node.ledger.mark_stuck(&node.incarnation, Duration::ZERO).await, Err(LedgerError::Fenced));
    assert_eq!(node.ledger.drain(&node.incarnation).await, Err(LedgerError::Fenced));
    assert_eq!(node.look(&anna()).await, before);
    other.claim_one().await;
    assert_refused(&node, attempt(task_id, 2), &LedgerError::Fenced).await;
    ok(other.end(attempt(task_id, 2), TaskState::Succeeded).await);
}

/// A background task has no steps and is not given back.
pub async fn background_task_is_not_durable(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.detached(&anna()).await;
    let before = node.look(&anna()).await;
    assert!(node.store(attempt(task_id, 1), step(1)).await.is_err());
    assert!(node.say(attempt(task_id, 1), "said", Some(step(1))).await.is_err());
    assert!(node.release(attempt(task_id, 1), Release::HandOver).await.is_err());
    assert_eq!(node.end(attempt(task_id, 2), TaskState::Succeeded).await, Err(LedgerError::NotHolder));
    assert_eq!((node.look(&anna()).await, node.steps(task_id).await), (before, vec![]));
    let unknown = attempt(TaskId::generate(), 1);
    assert_eq!(node.store(unknown, step(1)).await, Err(LedgerError::NotFound));
    assert_eq!(node.release(unknown, Release::HandOver).await, Err(LedgerError::NotFound));
    assert_eq!(ok(node.ledger.step_value(unknown.task_id, 1).await), None);
    assert_eq!(node.steps(unknown.task_id).await, []);
}

/// The task is queued for any process, with an event, and the feed hears that a task is ready.
pub async fn hand_over_leaves_the_task_for_any_process(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let task_id = node.durable(&anna()).await;
    ok(node.ledger.note_progress(&node.incarnation, vec![progress(task_id, 12.5, "kept")]).await);
    let before = node.look(&anna()).await;
    let task = ok(node.release(attempt(task_id, 1), Release::HandOver).await);
    let heard = tokio::time::timeout(Duration::from_secs(30), node.ledger.feed().ready_task_announced()).await;
    assert!(heard.is_ok(), "the feed did not hear of a ready task");
    assert_eq!((task.state, task.waits_for, task.attempt), (TaskState::Queued, Some(WaitsFor::Process), 1));
    assert!(task.ready_at.is_some() && task.deadline_at.is_none(), "{task:?}");
    assert_eq!((task.percent, task.message.as_deref()), (Some(12.5), Some("kept")));
    let look = node.look(&anna()).await;
    assert_eq!((look.head, &look.audit, &look.running), (before.head + 1, &before.audit, &vec![task.clone()]));
    assert_eq!(look.events.last().map(|event| &event.body), Some(&EventBody::Task(task.clone())));
    let record = ok(node.ledger.find_task(task_id).await);
    assert_eq!(record.map(|record| record.incarnation), Some(node.incarnation.clone()), "it says who ran it last");
    assert_eq!(other.claim_one().await.record.task.attempt, 2);
}

/// Its answer is the same, and it writes nothing.
pub async fn repeated_release_writes_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for (number, release) in [(1, Release::HandOver), (2, refused("v0"))] {
        let task_id =
            if number == 1 { node.durable(&anna()).await } else { node.claim_one().await.record.task.task_id };
        let first = ok(node.release(attempt(task_id, number), release.clone()).await);
        let before = node.look(&anna()).await;
        backend.pass(Duration::from_millis(2)).await;
        assert_eq!(node.release(attempt(task_id, number), release).await, Ok(first));
        assert_eq!(node.look(&anna()).await, before);
    }
}

/// On another node than its call's, for its owner, as long as it runs.
pub async fn resumed_task_starts_another(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    let task_id = node.released(&anna()).await;
    let resumed = other.claim_one().await.record.task;
    let child = |owner, parent| NewTask { parent, ..new_durable(resumed.call_id, &owner) };
    let start = async |new| other.ledger.start_task(&other.incarnation, new).await;
    let by_call = start(new_durable(resumed.call_id, &anna())).await;
    assert_eq!(by_call, Err(LedgerError::NotHolder), "the call is another node's");
    let parent = Work::Task(attempt(task_id, 2));
    assert_eq!(start(child(ben(), parent)).await, Err(LedgerError::NotFound));
    let unknown = Work::Task(attempt(TaskId::generate(), 1));
    assert_eq!(start(child(anna(), unknown)).await, Err(LedgerError::NotFound));
    let started = ok(start(child(anna(), parent)).await);
    assert_eq!((started.call_id, started.attempt), (resumed.call_id, 1));
    let of_call = ok(other.ledger.tasks_of_call(&anna(), resumed.call_id).await);
    assert_eq!(of_call.iter().map(|task| task.task_id).collect::<Vec<_>>(), [task_id, started.task_id]);
    ok(other.end(resumed.attempt(), TaskState::Succeeded).await);
    assert_eq!(start(child(anna(), parent)).await, Err(LedgerError::AlreadyEnded));
    ok(other.ledger.finish_task(&other.incarnation, started.attempt(), end(&anna(), TaskState::Failed, "no")).await);
}

/// Each part alone, then the task's next attempt has them too.
pub async fn absent_parts_of_progress_stay(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let steps = StepsSoFar {
        done: 3,
        kept: 1,
        current: vec![CurrentStep {
            name: "render".to_owned(),
            since: "2026-01-01T00:00:00Z".parse().unwrap_or_default(),
            attempt: Some(2),
            of_attempts: Some(5),
            error: Some("no \"answer\"".to_owned()),
            next_at: None,
        }],
        waited_ms: 59_000,
        failed: Some(FailedStep { number: 4, name: "mail".to_owned(), tries: 5 }),
    };
    let nothing = Progress { percent: None, message: None, ..progress(task_id, 0.0, "").1 };
    let parts = [
        Progress { percent: Some(12.5), ..nothing.clone() },
        Progress { message: Some("a third".to_owned()), ..nothing.clone() },
        Progress { steps: Some(steps.clone()), ..nothing.clone() },
        nothing,
    ];
    for part in parts {
        ok(node.ledger.note_progress(&node.incarnation, vec![(1, part)]).await);
    }
    let task = node.read_task(task_id).await;
    assert_eq!((task.percent, task.message.as_deref(), &task.steps), (Some(12.5), Some("a third"), &Some(steps)));
    ok(node.release(attempt(task_id, 1), Release::HandOver).await);
    let claimed = node.claim_one().await.record.task;
    assert_eq!((claimed.percent, claimed.message, claimed.steps), (task.percent, task.message, task.steps));
}

/// The task's attempts: number, node, program, how each ended.
async fn told(node: &Node, task_id: TaskId) -> Vec<(u32, String, String, Option<AttemptEnding>)> {
    let attempts = ok(node.ledger.attempts(task_id).await);
    attempts.into_iter().map(|one| (one.number, one.node, one.program, one.ended_by)).collect()
}

/// Ends attempts 2 to 6 in each way that leaves a task open. Returns the node that can claim it next.
async fn end_attempts(backend: &impl Backend, task_id: TaskId) -> Node {
    let mut node = Node::start(backend, "b").await;
    for (number, end) in (2..).zip(["refused", "parked", "crashed", "drained", "left"]) {
        node.claim_one().await;
        let of = attempt(task_id, number);
        // So that no crash makes the task wait.
        ok(node.store(of, step(u16::try_from(number).unwrap_or_default())).await);
        match end {
            "refused" => drop(ok(node.release(of, refused("v0")).await)),
            "parked" => drop(ok(node.release(of, Release::Park(Park::new(node.now().await, Vec::new()))).await)),
            "crashed" => node = node.crash().await,
            "drained" => {
                ok(node.ledger.drain(&node.incarnation).await);
                node = node.crash().await;
            }
            _ => {
                ok(node.ledger.leave(&node.incarnation).await);
                node = Node::start(backend, "b").await;
            }
        }
    }
    node
}

/// With its node, its program, and its times: an attempt that was cut off ended when its node was last known to be
/// alive. The one that runs comes last, and so does the one in which the task ended.
pub async fn each_end_of_an_attempt_is_remembered(backend: &impl Backend) {
    let node = Node::start(backend, "a").await;
    let call_id = node.call(&anna()).await;
    let new = new_durable(call_id, &anna());
    let durable = new.durable.clone().map(|durable| durable.program("v0"));
    let task_id = node.start_task(NewTask { durable, ..new }).await.task_id;
    ok(node.reply(call_id).await);
    assert_eq!(told(&node, task_id).await, [(1, "a".to_owned(), "v0".to_owned(), None)]);
    let stored = ok(node.ledger.find_durable(task_id).await);
    let stored = stored.map(|stored| (stored.task_name, stored.input, stored.program, stored.root_task));
    assert_eq!(stored, Some((NAME.to_owned(), INPUT.to_owned(), "v0".to_owned(), task_id)));
    let first = attempt(task_id, 1);
    ok(node.release(first, Release::HandOver).await);
    let handed_over = ok(node.ledger.attempts(task_id).await);
    ok(node.release(first, Release::HandOver).await);
    assert_eq!(ok(node.ledger.attempts(task_id).await), handed_over, "a repeated release writes nothing");

    let node = end_attempts(backend, task_id).await;
    assert_eq!(ok(node.ledger.attempts(task_id).await).len(), 6, "no process runs it");
    let claimed = node.claim_one().await;
    let all = told(&node, task_id).await;
    let ends: Vec<_> = all.iter().map(|(number, .., end)| (*number, *end)).collect();
    let wanted = [
        (1, Some(AttemptEnding::HandedOver)),
        (2, Some(AttemptEnding::Refused)),
        (3, Some(AttemptEnding::Parked)),
        (4, Some(AttemptEnding::Crashed)),
        (5, Some(AttemptEnding::Drained)),
        (6, Some(AttemptEnding::Left)),
        (7, None),
    ];
    assert_eq!(ends, wanted);
    let who: Vec<_> = all.iter().map(|(_, node, program, _)| (&**node, &**program)).collect();
    assert_eq!(who, [("a", "v0"), ("b", "v1"), ("b", "v1"), ("b", "v1"), ("b", "v1"), ("b", "v1"), ("b", "v1")]);
    let attempts = ok(node.ledger.attempts(task_id).await);
    let mut last = node.read_task(task_id).await.created_at;
    for one in &attempts {
        let ended_at = one.ended_at.unwrap_or(one.began_at);
        assert!(last <= one.began_at && one.began_at <= ended_at, "{attempts:?}");
        last = ended_at;
    }
    assert_eq!(attempts.last().map(|one| one.began_at), Some(claimed.claimed_at));

    ok(node.end(attempt(task_id, 7), TaskState::Succeeded).await);
    let ended = node.read_task(task_id).await.finished_at;
    let last = ok(node.ledger.attempts(task_id).await).pop();
    let last = last.map(|one| (one.began_at, one.ended_at, one.ended_by));
    assert_eq!(last, Some((claimed.claimed_at, ended, Some(AttemptEnding::Outcome))));
}

/// What the holder says at a release and at the end, as it was said. An attempt of which nothing was said has none, and
/// the notes of a refused or repeated write are not kept.
pub async fn notes_are_kept_with_their_attempt(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let notes = |n: u32| Some(format!("{{\"n\":{n},\"text\":\"\\u0000 \\\\ ü\"}}"));
    let release = async |number, report: AttemptReport| {
        node.ledger.release_task(&node.incarnation, attempt(task_id, number), Release::HandOver, report).await
    };
    let said = |n| AttemptReport::default().notes(notes(n));
    assert_eq!(release(2, said(9)).await, Err(LedgerError::NotHolder));
    ok(release(1, said(1)).await);
    ok(release(1, said(9)).await);
    node.claim_one().await;
    ok(release(2, AttemptReport::default()).await);
    node.claim_one().await;
    let ends = |number, end| node.ledger.finish_task(&node.incarnation, attempt(task_id, number), end);
    let end = |n| end(&anna(), TaskState::Failed, "no").notes(notes(n));
    assert_eq!(ends(2, end(9)).await, Err(LedgerError::NotHolder));
    let kept = async || -> Vec<Option<String>> {
        ok(node.ledger.attempts(task_id).await).into_iter().map(|one| one.notes).collect()
    };
    assert_eq!(kept().await, [notes(1), None, None]);
    ok(ends(3, end(3)).await);
    assert_eq!(ends(3, end(9)).await, Err(LedgerError::AlreadyEnded));
    assert_eq!(kept().await, [notes(1), None, notes(3)]);
    // A later task begins without notes.
    let other = node.durable(&anna()).await;
    ok(node.end(attempt(other, 1), TaskState::Succeeded).await);
    let last = ok(node.ledger.attempts(other).await).pop();
    assert_eq!(last.map(|one| one.notes), Some(None));
}

/// Not when another process noticed it: that may be days later. An attempt that its node cut off ended when it left.
pub async fn cut_off_attempt_ended_with_the_last_sign_of_life(backend: &impl Backend) {
    let pause = async || backend.pass(Duration::from_millis(20)).await;
    let mut node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    for (number, by) in (1..).zip([AttemptEnding::Crashed, AttemptEnding::Drained, AttemptEnding::Left]) {
        // So that no crash makes the task wait.
        ok(node.store(attempt(task_id, number), step(u16::try_from(number).unwrap_or_default())).await);
        if by == AttemptEnding::Drained {
            ok(node.ledger.drain(&node.incarnation).await);
        }
        pause().await;
        let before = node.now().await;
        if by == AttemptEnding::Left {
            ok(node.ledger.leave(&node.incarnation).await);
        } else {
            node.news().await;
        }
        let after = node.now().await;
        pause().await;
        node = node.crash().await;
        let ended = ok(node.ledger.attempts(task_id).await).pop();
        let Some((at, how)) = ended.and_then(|one| one.ended_at.zip(one.ended_by)) else { panic!("it has ended") };
        assert_eq!(how, by);
        assert!(before <= at && at <= after, "{by}: {at} is not in {before} to {after}");
        node.claim_one().await;
    }
}

/// A task that never ran, one that was cancelled between two attempts, and a background task.
pub async fn task_that_ended_without_a_process_has_no_last_attempt(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let call_id = node.call(&anna()).await;
    let queued = node.start_task(without_slot(call_id, &anna())).await.task_id;
    ok(node.reply(call_id).await);
    assert_eq!(told(&node, queued).await, []);
    let released = node.released(&anna()).await;
    for (task_id, attempts) in [(queued, 0), (released, 1)] {
        ok(node.ledger.request_cancel(task_id, new_audit(&anna(), "task.cancel"), cancelled(&anna())).await);
        assert_eq!(told(&node, task_id).await.len(), attempts);
    }
    let background = node.detached(&anna()).await;
    assert_eq!(told(&node, background).await, []);
    assert_eq!(ok(node.ledger.find_durable(background).await), None);
}

/// 16 and 240. A task that is handed over for ever costs no more.
pub async fn first_and_latest_attempts_are_kept(backend: &impl Backend) {
    const ENDED: u32 = 270;
    let node = Node::start(backend, "n").await;
    let task_id = node.released(&anna()).await;
    for number in 2..=ENDED {
        node.claim_one().await;
        ok(node.release(attempt(task_id, number), Release::HandOver).await);
    }
    let kept = async |node: &Node| -> Vec<u32> {
        ok(node.ledger.attempts(task_id).await).iter().map(|one| one.number).collect()
    };
    let wanted: Vec<u32> = (1..=TaskAttempt::FIRST_KEPT).chain(31..=ENDED).collect();
    assert_eq!(kept(&node).await, wanted);
    // So does one whose processes crash.
    node.claim_one().await;
    let node = node.crash().await;
    let wanted: Vec<u32> = (1..=TaskAttempt::FIRST_KEPT).chain(32..=ENDED + 1).collect();
    assert_eq!(kept(&node).await, wanted);
}
