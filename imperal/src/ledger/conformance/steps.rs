//! Steps of durable tasks: stored once, read in order, kept while the task is open.

use std::time::{Duration, Instant};

use super::Backend;
use super::durable::{attempt, step};
use super::scene::{Node, anna, assert_gapless, bot, new_audit, ok, turn};
use crate::ledger::{
    Fence, LedgerError, MessageSource, NewStep, PageLimit, Release, RetentionPolicy, Role, StepKind, StoredStep,
    TaskState, Work,
};

/// With their names, kinds, times, logs and values, of every attempt.
pub async fn steps_are_kept_in_order(backend: &impl Backend) {
    let begun = Instant::now();
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let before = (node.look(&anna()).await, node.now().await);
    let stored = [
        NewStep::new(1, "image/1", StepKind::Step, r#"{"text":"ü \"quoted\" \u0000"}"#)
            .took(Duration::from_millis(1500))
            .log(r#"[{"error":"503"}]"#),
        NewStep::new(2, "say/ü", StepKind::Message, "null"),
        NewStep::new(3, "c", StepKind::Step, ""),
    ];
    for step in &stored[..2] {
        ok(node.store(attempt(task_id, 1), step.clone()).await);
    }
    assert_eq!(node.look(&anna()).await, before.0, "a step has no event and no audit row");
    ok(node.release(attempt(task_id, 1), Release::HandOver).await);
    node.claim_one().await;
    ok(node.store(attempt(task_id, 2), stored[2].clone()).await);
    let steps = node.steps(task_id).await;
    assert_eq!(steps.len(), 3);
    for (new, kept) in stored.iter().zip(&steps) {
        assert_eq!((new.ordinal, &new.name, new.kind), (kept.ordinal, &kept.name, kept.kind));
        assert_eq!((Some(&new.value), &new.log), (kept.value.as_ref(), &kept.log));
        assert_eq!(kept.bytes, new.value.len() as u64);
        assert_eq!(kept.attempt, if new.ordinal == 3 { 2 } else { 1 });
        assert_eq!(Duration::try_from(kept.done_at.duration_since(kept.began_at)).ok(), Some(new.took));
        let after = Duration::try_from(kept.done_at.duration_since(before.1)).unwrap_or(Duration::MAX);
        assert!(after <= begun.elapsed(), "the ledger stamps the end");
        assert_eq!(ok(node.ledger.step_value(task_id, new.ordinal).await).as_ref(), Some(&new.value));
    }
    assert_eq!(ok(node.ledger.step_value(task_id, 4).await), None);
}

/// So that an attempt of a task without any reads none.
pub async fn claim_says_whether_there_are_steps(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.released(&anna()).await;
    assert!(!node.claim_one().await.has_steps);
    ok(node.store(attempt(task_id, 2), step(1)).await);
    ok(node.release(attempt(task_id, 2), Release::HandOver).await);
    assert!(node.claim_one().await.has_steps);
}

/// By rows and by bytes, after an ordinal, with the highest ordinal.
pub async fn steps_come_in_pages(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let (task_id, other) = (node.durable(&anna()).await, node.durable(&anna()).await);
    ok(node.store(attempt(other, 1), step(7)).await);
    for ordinal in [1, 2, 3, u16::MAX] {
        ok(node.store(attempt(task_id, 1), step(ordinal)).await);
    }
    let read = async |after, limit| {
        let page = ok(node.ledger.steps(task_id, after, limit).await);
        (page.rows.iter().map(|step| step.ordinal).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(read(0, PageLimit::rows(2)).await, (vec![1, 2], true));
    assert_eq!(read(2, PageLimit::rows(2)).await, (vec![3, u16::MAX], false));
    assert_eq!(read(1, PageLimit::rows(10).bytes(1)).await, (vec![2], true));
    assert_eq!(read(0, PageLimit::rows(0)).await, (vec![], false));
    assert_eq!(read(u16::MAX, PageLimit::rows(2)).await, (vec![], false));
}

/// A list has their size, and does not count them as its bytes.
pub async fn large_values_are_read_one_by_one(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let values = [4096, 4097, 1 << 20].map(|bytes| format!("\"{}\"", "x".repeat(bytes - 2)));
    for (ordinal, value) in (1..).zip(&values) {
        ok(node.store(attempt(task_id, 1), NewStep { value: value.clone(), ..step(ordinal) }).await);
    }
    let page = ok(node.ledger.steps(task_id, 0, PageLimit::rows(10).bytes(9000)).await);
    assert_eq!((page.rows.len(), page.more), (3, false));
    for (ordinal, (value, kept)) in (1..).zip(values.iter().zip(&page.rows)) {
        assert_eq!(kept.bytes, value.len() as u64);
        assert_eq!(kept.value.as_ref(), (kept.bytes <= StoredStep::INLINE).then_some(value));
        assert_eq!(ok(node.ledger.step_value(task_id, ordinal).await).as_ref(), Some(value));
    }
}

/// A repeated write, and a write of another step under the same ordinal.
pub async fn step_is_stored_once(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    ok(node.store(attempt(task_id, 1), step(1)).await);
    let kept = node.steps(task_id).await;
    let racers = (0..6).map(|n| {
        let node = node.clone();
        let step = if n % 2 == 0 { step(1) } else { NewStep { name: "other".to_owned(), ..step(1) } };
        tokio::spawn(async move { node.store(attempt(task_id, 1), step).await })
    });
    for outcome in super::scene::all_of(racers.collect()).await {
        assert_eq!(outcome, Err(LedgerError::IdExists));
    }
    ok(node.release(attempt(task_id, 1), Release::HandOver).await);
    node.claim_one().await;
    assert_eq!(node.store(attempt(task_id, 2), step(1)).await, Err(LedgerError::IdExists));
    assert_eq!(node.steps(task_id).await, kept);
}

/// Both are stored, or neither.
pub async fn message_and_its_step_are_stored_together(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let before = node.look(&anna()).await;
    let said = NewStep::new(1, "say/1", StepKind::Message, "{}");
    let turn = ok(node.say(attempt(task_id, 1), "said", Some(said)).await);
    let look = node.look(&anna()).await;
    assert_eq!((turn.seq, look.head, look.audit.len()), (before.head + 1, before.head + 1, before.audit.len() + 1));
    let steps = node.steps(task_id).await;
    assert_eq!((steps.len(), steps[0].kind, &*steps[0].name), (1, StepKind::Message, "say/1"));
    // The step is stored already: no second turn.
    assert_eq!(node.say(attempt(task_id, 1), "again", Some(step(1))).await, Err(LedgerError::IdExists));
    // The turn is stored already: no step.
    let fence = Fence { incarnation: node.incarnation.clone(), work: Work::Task(attempt(task_id, 1)) };
    let inject = async |body, step| {
        let source = MessageSource::Step(fence.clone(), step);
        node.ledger.inject(anna(), body, new_audit(&anna(), "chat.inject"), source).await
    };
    assert_eq!(inject(turn.body.clone(), step(2)).await, Err(LedgerError::IdExists));
    let deep = crate::ledger::TurnBody { params: Some(deep()), ..self::turn(Role::Bot, "deep") };
    assert!(matches!(inject(deep, step(2)).await, Err(LedgerError::TooDeep(_))));
    assert_eq!((node.look(&anna()).await, node.steps(task_id).await), (look, steps));
    ok(inject(bot("next"), step(2)).await);
    assert_eq!(node.steps(task_id).await.len(), 2);
    assert_gapless(&node.events(&anna()).await);
}

fn deep() -> serde_json::Value {
    (0..200).fold(serde_json::Value::Null, |inner, _| serde_json::json!([inner]))
}

/// Those of a succeeded task with the next pass, those of any other after 7 days, those of an open task never.
/// The rest of a step stays.
pub async fn values_of_ended_tasks_are_removed(backend: &impl Backend) {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let node = Node::start(backend, "n").await;
    let states = [TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled];
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let task_id = node.durable(&anna()).await;
        ok(node.store(attempt(task_id, 1), step(1)).await);
        ok(node.store(attempt(task_id, 1), NewStep { value: "x".repeat(5000), ..step(2) }).await);
        tasks.push(task_id);
    }
    for (task_id, state) in tasks.iter().zip(states) {
        ok(node.end(attempt(*task_id, 1), state).await);
    }
    let look = node.look(&anna()).await;
    let assert_kept = async |kept: [bool; 4]| {
        for (task_id, kept) in tasks.iter().zip(kept) {
            let steps = node.steps(*task_id).await;
            assert_eq!((steps.len(), &*steps[0].name, steps[0].attempt), (2, "step 1", 1));
            let bytes: Vec<u64> = steps.iter().map(|step| step.bytes).collect();
            assert_eq!(bytes, if kept { [7, 5000] } else { [0, 0] });
            assert_eq!(steps[0].value.is_some(), kept);
            for ordinal in [1, 2] {
                assert_eq!(ok(node.ledger.step_value(*task_id, ordinal).await).is_some(), kept);
            }
        }
    };
    assert_kept([true; 4]).await;
    backend.age_tasks(Duration::from_secs(1)).await;
    super::retention::prune(&*node.ledger, &RetentionPolicy::FOREVER).await;
    assert_kept([false, true, true, true]).await;
    backend.age_tasks(6 * DAY).await;
    super::retention::prune(&*node.ledger, &RetentionPolicy::FOREVER).await;
    assert_kept([false, true, true, true]).await;
    backend.age_tasks(DAY).await;
    super::retention::prune(&*node.ledger, &RetentionPolicy::FOREVER).await;
    assert_kept([false, false, false, true]).await;
    assert_eq!(node.look(&anna()).await.events, look.events);
    ok(node.store(attempt(tasks[3], 1), step(3)).await);
}
