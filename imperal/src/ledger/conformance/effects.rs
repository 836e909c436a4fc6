//! Effects of durable tasks: open ones are counted, and no end is silent about one.

use super::Backend;
use super::durable::{attempt, crashed, refused};
use super::scene::{Node, all_of, anna, end, new_audit, ok, progress};
use crate::ids::TaskId;
use crate::ledger::{CancelOutcome, EventBody, LedgerError, NewStep, Release, StepKind, TaskEnd, TaskState, Turn};

fn row(ordinal: u16, name: &str, kind: StepKind) -> NewStep {
    NewStep::new(ordinal, name, kind, "null")
}

fn ending(state: TaskState, open_effects: u32) -> TaskEnd {
    end(&anna(), state, "the end").open_effects(open_effects)
}

impl Node {
    async fn open_effects(&self, task_id: TaskId) -> u32 {
        self.read_task(task_id).await.open_effects
    }

    async fn finish_with(&self, task_id: TaskId, open_effects: u32) -> Result<Turn, LedgerError> {
        let end = ending(TaskState::Failed, open_effects);
        self.ledger.finish_task(&self.incarnation, attempt(task_id, 1), end).await
    }
}

/// From an intent to the row that says what became of it, over attempts and in every read of the task. The rows make
/// no events.
pub async fn effects_are_counted(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let head = node.look(&anna()).await.head;
    let rows = [
        ("pay", StepKind::Intent, 1),
        ("mail", StepKind::Intent, 2),
        ("a step", StepKind::Step, 2),
        ("pay", StepKind::Effect, 1),
        ("mail", StepKind::NotDone, 0),
        ("mail", StepKind::Intent, 1),
    ];
    for (ordinal, (name, kind, open)) in (1..).zip(rows) {
        ok(node.store(attempt(task_id, 1), row(ordinal, name, kind)).await);
        assert_eq!(node.open_effects(task_id).await, open, "after row {ordinal}");
    }
    assert_eq!(node.look(&anna()).await.head, head, "no events");
    assert_eq!(ok(node.ledger.open_tasks(&anna()).await)[0].open_effects, 1);
    let released = ok(node.release(attempt(task_id, 1), Release::HandOver).await);
    assert_eq!(released.open_effects, 1);
    assert_eq!(node.claim_one().await.record.task.open_effects, 1);
    let events = node.events(&anna()).await;
    let EventBody::Task(task) = &events[events.len() - 1].body else { panic!("the claim has an event") };
    assert_eq!(task.open_effects, 1);
    ok(node.store(attempt(task_id, 2), row(7, "mail", StepKind::Effect)).await);
    assert_eq!(node.open_effects(task_id).await, 0);
    let kinds: Vec<StepKind> = node.steps(task_id).await.into_iter().map(|step| step.kind).collect();
    assert_eq!(kinds, rows.map(|(_, kind, _)| kind).into_iter().chain([StepKind::Effect]).collect::<Vec<_>>());
}

/// A repeated write and a write without the right to it change nothing.
pub async fn row_of_an_effect_counts_once(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let intent = row(1, "pay", StepKind::Intent);
    ok(node.store(attempt(task_id, 1), intent.clone()).await);
    assert_eq!(node.store(attempt(task_id, 1), intent).await, Err(LedgerError::IdExists));
    assert_eq!(node.store(attempt(task_id, 2), row(2, "mail", StepKind::Intent)).await, Err(LedgerError::NotHolder));
    assert_eq!(node.open_effects(task_id).await, 1);
    ok(node.store(attempt(task_id, 1), row(2, "pay", StepKind::Effect)).await);
    let again = node.store(attempt(task_id, 1), row(2, "pay", StepKind::Effect)).await;
    assert_eq!((again, node.open_effects(task_id).await), (Err(LedgerError::IdExists), 0));
    let before = node.open_effects(node.durable(&anna()).await).await;
    assert_eq!(before, 0, "of its task alone");
}

/// For metrics: an effect of a running task may be under way, and that of an ended task waits for nobody.
pub async fn backlog_counts_unknown_effects_of_unheld_tasks(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let unknown = async || ok(node.ledger.backlog().await).unknown_effects;
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let task_id = node.durable(&anna()).await;
        for (ordinal, name) in [(1, "pay"), (2, "mail")] {
            ok(node.store(attempt(task_id, 1), row(ordinal, name, StepKind::Intent)).await);
        }
        tasks.push(task_id);
    }
    assert_eq!(unknown().await, 0, "they may be under way");
    ok(node.release(attempt(tasks[0], 1), Release::HandOver).await);
    assert_eq!(unknown().await, 2);
    ok(node.release(attempt(tasks[1], 1), refused("v1")).await);
    assert_eq!(unknown().await, 4);
    let (audit, end) = (new_audit(&anna(), "task.cancel"), ending(TaskState::Cancelled, 2));
    ok(node.ledger.request_cancel(tasks[1], audit, end).await);
    assert_eq!(unknown().await, 2);
    node.claim_one().await;
    assert_eq!(unknown().await, 0);
}

/// A held task, one that no process holds, and the end of a cancel: refused with the number, and nothing is written.
pub async fn end_speaks_of_open_effects(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let task_id = node.durable(&anna()).await;
        ok(node.store(attempt(task_id, 1), row(1, "pay", StepKind::Intent)).await);
        tasks.push(task_id);
    }
    let [held, stuck, waits] = tasks[..] else { return };
    ok(node.release(attempt(stuck, 1), refused("v1")).await);
    ok(node.release(attempt(waits, 1), Release::HandOver).await);
    let before = node.look(&anna()).await;
    for open in [0, 2] {
        let refusal = LedgerError::OpenEffects(1);
        assert_eq!(node.finish_with(held, open).await, Err(refusal.clone()));
        let end = ending(TaskState::Reclaimed, open);
        assert_eq!(node.ledger.reclaim_task(&node.incarnation, stuck, end).await, Err(refusal.clone()));
        let (audit, end) = (new_audit(&anna(), "task.cancel"), ending(TaskState::Cancelled, open));
        assert_eq!(node.ledger.request_cancel(waits, audit, end).await, Err(refusal));
    }
    assert_eq!(node.look(&anna()).await, before);
    ok(node.finish_with(held, 1).await);
    ok(node.ledger.reclaim_task(&node.incarnation, stuck, ending(TaskState::Reclaimed, 1)).await);
    let (audit, end) = (new_audit(&anna(), "task.cancel"), ending(TaskState::Cancelled, 1));
    let outcome = ok(node.ledger.request_cancel(waits, audit, end).await);
    assert!(matches!(outcome, CancelOutcome::Ended(record) if record.task.open_effects == 1));
    for task_id in tasks {
        let task = node.read_task(task_id).await;
        assert_eq!((task.state.is_open(), task.open_effects), (false, 1), "the count stays");
        // It has ended, whatever a repeated end speaks of.
        assert_eq!(node.finish_with(task_id, 0).await.err().map(|error| error.kind()), Some("already_ended"));
    }
    // The end of a task without open effects speaks of none; a cancel of a held task has no end.
    let known = node.durable(&anna()).await;
    ok(node.store(attempt(known, 1), row(1, "pay", StepKind::Intent)).await);
    let (audit, unused) = (new_audit(&anna(), "task.cancel"), ending(TaskState::Cancelled, 0));
    let requested = ok(node.ledger.request_cancel(known, audit, unused).await);
    assert!(matches!(requested, CancelOutcome::Requested(_)));
    ok(node.store(attempt(known, 1), row(2, "pay", StepKind::Effect)).await);
    assert_eq!(node.finish_with(known, 1).await, Err(LedgerError::OpenEffects(0)));
    ok(node.finish_with(known, 0).await);
}

/// An intent is none: an attempt that begins the same effect each time and crashes gets no further.
pub async fn done_effects_are_progress(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    ok(node.store(attempt(task_id, 1), row(1, "pay", StepKind::Intent)).await);
    let node = crashed(backend, node, 1).await;
    let claimed = node.claim_one().await;
    assert_eq!((claimed.crashes, claimed.fruitless), (1, 1), "the intent is no progress");
    ok(node.store(attempt(task_id, 2), row(2, "pay", StepKind::NotDone)).await);
    ok(node.store(attempt(task_id, 2), row(3, "pay", StepKind::Intent)).await);
    ok(node.store(attempt(task_id, 2), row(4, "pay", StepKind::Effect)).await);
    let node = crashed(backend, node, 1).await;
    let claimed = node.claim_one().await;
    assert_eq!((claimed.crashes, claimed.fruitless), (0, 0), "attempt 2 did the effect");
}

/// Many tasks at once, with progress of all and the cancel of some.
pub async fn racing_effects_are_counted(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        tasks.push(node.durable(&anna()).await);
    }
    let work = tasks.iter().map(|&task_id| {
        let node = node.clone();
        tokio::spawn(async move {
            for n in 0..10_u16 {
                let name = format!("effect {n}");
                ok(node.store(attempt(task_id, 1), row(2 * n + 1, &name, StepKind::Intent)).await);
                if n < 9 {
                    ok(node.store(attempt(task_id, 1), row(2 * n + 2, &name, StepKind::Effect)).await);
                }
            }
        })
    });
    let progresses = (0..10).map(|round| {
        let (node, mut latest) = (node.clone(), tasks.clone());
        latest.rotate_left(round % 8);
        tokio::spawn(async move {
            let latest = latest.into_iter().map(|task_id| progress(task_id, 10.0, "on its way")).collect();
            ok(node.ledger.note_progress(&node.incarnation, latest).await);
        })
    });
    let cancels = tasks.iter().take(4).map(|&task_id| {
        let node = node.clone();
        tokio::spawn(async move {
            let (audit, end) = (new_audit(&anna(), "task.cancel"), ending(TaskState::Cancelled, 0));
            ok(node.ledger.request_cancel(task_id, audit, end).await);
        })
    });
    all_of(work.chain(progresses).chain(cancels).collect()).await;
    for task_id in tasks {
        assert_eq!(node.open_effects(task_id).await, 1);
        ok(node.finish_with(task_id, 1).await);
    }
}
