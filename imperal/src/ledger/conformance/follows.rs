//! Tasks that go on from ended ones, or run them again: what they inherit, and what is refused.

use std::time::Duration;

use super::Backend;
use super::durable::{INPUT, NAME, USER, attempt, new_durable, request, step};
use super::retention::{Line, prune};
use super::scene::{
    Node, all_of, anna, assert_gapless, assert_one_winner, ben, cancelled, end, new_audit, new_task, ok,
};
use crate::ids::TaskId;
use crate::ledger::{
    CancelOutcome, CannotFollow, EventBody, Follows, LedgerError, NewAnswer, NewDurable, NewQuestion, NewStep, NewTask,
    Owner, RetentionPolicy, StepKind, StoredAnswer, StoredStep, Task, TaskEnd, TaskState, WaitsFor,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn row(ordinal: u16, name: &str, kind: StepKind) -> NewStep {
    NewStep::new(ordinal, name, kind, "null").took(Duration::from_secs(2))
}

fn failed(open_effects: u32) -> TaskEnd {
    end(&anna(), TaskState::Failed, "failed").open_effects(open_effects)
}

fn cannot(why: CannotFollow) -> LedgerError {
    LedgerError::CannotFollow(why)
}

/// The rows as the task that goes on has them.
fn inherited(rows: &[StoredStep], ordinals: &[u16]) -> Vec<StoredStep> {
    let rows = rows.iter().filter(|row| ordinals.contains(&row.ordinal));
    rows.map(|row| StoredStep { attempt: Follows::INHERITED, ..row.clone() }).collect()
}

impl Node {
    /// A failed task with these rows.
    async fn failed_with(&self, rows: Vec<NewStep>, open_effects: u32) -> TaskId {
        let task_id = self.durable(&anna()).await;
        for row in rows {
            ok(self.store(attempt(task_id, 1), row).await);
        }
        ok(self.ledger.finish_task(&self.incarnation, attempt(task_id, 1), failed(open_effects)).await);
        task_id
    }

    /// A start of a task that follows another one, by a new call of its owner.
    async fn following(&self, owner: &Owner, follows: Follows) -> NewTask {
        let new = new_task(self.call(owner).await, owner);
        let durable = NewDurable::new(new.task_id, NAME, INPUT, USER).root_task(follows.task_id).follows(follows);
        new.durable(durable)
    }

    async fn try_follow(&self, owner: &Owner, follows: Follows) -> Result<Task, LedgerError> {
        let new = self.following(owner, follows).await;
        self.ledger.start_task(&self.incarnation, new).await
    }

    /// A task that follows another one, whose call has its reply.
    async fn follow(&self, follows: Follows) -> Task {
        let task = ok(self.try_follow(&anna(), follows).await);
        ok(self.reply(task.call_id).await);
        task
    }
}

/// In every read of the task, with the rows of the ended one as attempt 0. The ended task stays as it is.
pub async fn task_that_goes_on_inherits_rows(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let rows = vec![
        NewStep { log: Some("[1]".to_owned()), ..step(1) },
        NewStep { value: format!("\"{}\"", "x".repeat(5000)), ..step(2) },
        NewStep::new(3, "wait", StepKind::Sleep, "\"2026-01-01T00:00:00Z\""),
        row(4, "pay", StepKind::Intent),
        row(5, "pay", StepKind::Effect),
    ];
    let ended = node.failed_with(rows, 0).await;
    let turn = NewStep::new(3, "name:said", StepKind::Message, "\"id\"");
    let (rows, before) = (node.steps(ended).await, node.read_task(ended).await);
    let follows = Follows::going_on(ended, 5, 3);
    let new = node.following(&anna(), follows).await.audit(new_audit(&anna(), "task.continue"));
    let audits = node.look(&anna()).await.audit.len();
    let task = ok(node.ledger.start_task(&node.incarnation, new.clone()).await);
    assert_eq!((task.state, task.attempt, task.waits_for), (TaskState::Queued, 0, Some(WaitsFor::Process)));
    assert_eq!((task.follows, task.ready_at, task.deadline_at), (Some(follows), Some(task.created_at), None));
    assert_eq!(node.steps(task.task_id).await, inherited(&rows, &[1, 2, 3, 4, 5]));
    let value = ok(node.ledger.step_value(task.task_id, 2).await);
    assert_eq!(value.map(|value| value.len()), Some(5002));
    assert_eq!((node.steps(ended).await, node.read_task(ended).await), (rows, before), "it stays as it is");
    // Read in every way.
    assert_eq!(node.read_task(task.task_id).await, task);
    assert_eq!(ok(node.ledger.open_tasks(&anna()).await), std::slice::from_ref(&task));
    assert_eq!(ok(node.ledger.tasks_of_call(&anna(), task.call_id).await), std::slice::from_ref(&task));
    let look = node.look(&anna()).await;
    assert_eq!(look.events.last().map(|event| event.body.clone()), Some(EventBody::Task(task.clone())));
    assert_eq!(look.audit[audits..].iter().map(|row| &*row.body.action).collect::<Vec<_>>(), ["task.continue"]);
    assert_gapless(&look.events);
    // A repeated start writes nothing.
    assert_eq!(node.ledger.start_task(&node.incarnation, new).await, Err(LedgerError::IdExists));
    assert_eq!(node.look(&anna()).await, look);
    // It is taken once its call has the reply.
    assert_eq!(node.claim(10).await, []);
    ok(node.reply(task.call_id).await);
    let claimed = node.claim_one().await;
    assert_eq!((claimed.record.task.task_id, claimed.record.task.attempt), (task.task_id, 1));
    assert_eq!((claimed.root_task, claimed.input.as_str()), (ended, INPUT));
    assert_eq!((claimed.crashes, claimed.fruitless, claimed.ran), (0, 0, Duration::ZERO));
    assert_eq!(claimed.record.task.follows, Some(follows));
    // Its own rows come behind; a message of the ended task is one of its rows.
    let inherits = node.store(attempt(task.task_id, 1), turn).await;
    assert_eq!(inherits, Err(LedgerError::IdExists), "the ordinal is taken");
    ok(node.store(attempt(task.task_id, 1), step(6)).await);
    ok(node.end(attempt(task.task_id, 1), TaskState::Succeeded).await);
}

/// The first crash after it is the first: inherited steps are no progress of an attempt.
pub async fn inherited_rows_are_no_progress(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let ended = node.failed_with(vec![step(1)], 0).await;
    let task = node.follow(Follows::going_on(ended, 1, 1)).await;
    node.claim_one().await;
    let node = super::durable::crashed(backend, node, 1).await;
    let claimed = node.claim_one().await;
    assert_eq!(claimed.record.task.task_id, task.task_id);
    assert_eq!((claimed.crashes, claimed.fruitless), (1, 1));
}

/// An effect that may have happened may have happened for the new task too, and no end is silent about it.
pub async fn inherited_open_effects_are_counted(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let rows = vec![
        row(1, "mail", StepKind::Intent),
        row(2, "mail", StepKind::NotDone),
        step(3),
        row(4, "pay", StepKind::Intent),
        row(5, "mail", StepKind::Intent),
    ];
    let ended = node.failed_with(rows, 2).await;
    let task = node.follow(Follows::going_on(ended, 5, 1)).await;
    assert_eq!(task.open_effects, 2);
    assert_eq!(node.read_task(task.task_id).await.open_effects, 2);
    let events = node.events(&anna()).await;
    let told = events.iter().rev().find_map(|event| match &event.body {
        EventBody::Task(task) => Some(task.open_effects),
        EventBody::Turn(_) => None,
    });
    assert_eq!(told, Some(2));
    let (audit, end) = (new_audit(&anna(), "task.cancel"), cancelled(&anna()));
    let refused = node.ledger.request_cancel(task.task_id, audit.clone(), end.clone()).await;
    assert_eq!(refused.err(), Some(LedgerError::OpenEffects(2)));
    node.claim_one().await;
    ok(node.store(attempt(task.task_id, 1), row(6, "pay", StepKind::Effect)).await);
    assert_eq!(node.read_task(task.task_id).await.open_effects, 1);
    assert_eq!(node.end(attempt(task.task_id, 1), TaskState::Failed).await, Err(LedgerError::OpenEffects(1)));
    ok(node.ledger.finish_task(&node.incarnation, attempt(task.task_id, 1), failed(1)).await);
    let cancel = ok(node.ledger.request_cancel(task.task_id, audit, end).await);
    assert!(matches!(cancel, CancelOutcome::AlreadyEnded(_)));
}

/// Behind an earlier row nothing is kept except for effects: their rows are kept always.
pub async fn effects_behind_the_ordinal_are_inherited(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let rows = vec![
        step(1),
        step(2),
        NewStep::new(3, "name:said", StepKind::Message, "\"id\""),
        row(4, "pay", StepKind::Intent),
        row(5, "pay", StepKind::Effect),
        step(6),
        row(7, "mail", StepKind::Intent),
    ];
    let ended = node.failed_with(rows, 1).await;
    let rows = node.steps(ended).await;
    for (through, kept) in [(0, vec![4, 5, 7]), (1, vec![1, 4, 5, 7]), (4, vec![1, 2, 3, 4, 5, 7])] {
        let task = node.follow(Follows::going_on(ended, through, 0)).await;
        assert_eq!(node.steps(task.task_id).await, inherited(&rows, &kept), "behind row {through}");
        assert_eq!(task.open_effects, 1);
    }
}

/// A message in a step is inherited with the step: one in a step that runs again would be swallowed.
pub async fn messages_are_inherited_with_their_steps(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let message = |ordinal, key: &str| NewStep::new(ordinal, key, StepKind::Message, "\"id\"");
    let rows = vec![
        message(1, "step:5:a:ü1:0"),
        message(2, "named:5:a:ü1:5:a:ü2"),
        row(3, "a:ü1", StepKind::Step),
        message(4, "step:5:a:ü2:0"),
        message(5, "named:5:a:ü2:5:a:ü1"),
        message(6, "name:step:5:a:ü1:0"),
        row(7, "pay", StepKind::Intent),
        message(8, "step:3:pay:0"),
        row(9, "a:ü2", StepKind::Step),
        message(10, "step:6:failed:0"),
        message(11, "text:0a:0"),
        row(12, "pay", StepKind::Effect),
        row(13, "mail", StepKind::Intent),
        message(14, "step:4:mail:0"),
    ];
    let ended = node.failed_with(rows, 1).await;
    let rows = node.steps(ended).await;
    let behind = [
        (0, vec![7, 12, 13]),
        (2, vec![7, 12, 13]),
        (3, vec![1, 2, 3, 7, 12, 13]),
        (8, vec![1, 2, 3, 6, 7, 8, 12, 13]),
        (14, vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13]),
    ];
    for (through, kept) in behind {
        let task = node.follow(Follows::going_on(ended, through, 0)).await;
        assert_eq!(node.steps(task.task_id).await, inherited(&rows, &kept), "behind row {through}");
    }
}

/// One that was answered stays answered. Others are asked again, and so are those about effects: the answer belongs to
/// an intent of the ended task.
pub async fn answered_questions_are_inherited(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let about_effect = crate::rows::effect_question("pay", 1, 0, task_id);
    for (ordinal, name) in [(1, "answered"), (2, "open"), (3, "withdrawn"), (4, &*about_effect)] {
        let new = NewQuestion::new(ordinal, name, "?", "{}");
        let question = ok(node.ledger.ask_question(&node.incarnation, attempt(task_id, 1), new).await);
        match ordinal {
            1 | 4 => {
                let answer = NewAnswer::new("\"yes\"", "user:anna", new_audit(&anna(), "task.answer"));
                ok(node.ledger.answer_question(question.question_id, answer).await);
            }
            3 => {
                let why = crate::ledger::CloseQuestion::Withdraw;
                let id = question.question_id;
                ok(node.ledger.close_question(&node.incarnation, attempt(task_id, 1), id, why).await);
            }
            _ => {}
        }
    }
    ok(node.ledger.finish_task(&node.incarnation, attempt(task_id, 1), failed(0)).await);
    let rows = node.steps(task_id).await;
    let task = node.follow(Follows::going_on(task_id, 4, 0)).await;
    let kept = node.steps(task.task_id).await;
    assert_eq!(kept, inherited(&rows, &[1]));
    assert_eq!(kept[0].value.as_deref(), Some(&*StoredAnswer::answered("\"yes\"")));
    assert_eq!(task.open_questions, 0);
    assert_eq!(ok(node.ledger.questions(task.task_id).await), []);
}

/// The task to follow is unknown, another owner's, a background task, open, or has no such row. Nothing is written.
pub async fn start_that_cannot_follow_writes_nothing(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let ended = node.failed_with(vec![step(1), step(3)], 0).await;
    let background = node.detached(&anna()).await;
    ok(node.finish(&anna(), background).await);
    let open = node.released(&anna()).await;
    let cases = [
        (anna(), Follows::going_on(TaskId::generate(), 0, 0), LedgerError::NotFound),
        (anna(), Follows::running_again(TaskId::generate()), LedgerError::NotFound),
        (ben(), Follows::going_on(ended, 1, 1), LedgerError::NotFound),
        (ben(), Follows::running_again(ended), LedgerError::NotFound),
        (anna(), Follows::going_on(background, 0, 0), LedgerError::NotFound),
        (anna(), Follows::going_on(open, 0, 0), cannot(CannotFollow::NotEnded)),
        (anna(), Follows::running_again(open), cannot(CannotFollow::NotEnded)),
        (anna(), Follows::going_on(ended, 2, 1), cannot(CannotFollow::NoSuchRow)),
        (anna(), Follows::going_on(ended, 4, 2), cannot(CannotFollow::NoSuchRow)),
    ];
    for (owner, follows, refusal) in cases {
        let new = node.following(&owner, follows).await.audit(new_audit(&owner, "task.continue"));
        let before = node.look(&owner).await;
        let task_id = new.task_id;
        assert_eq!(node.ledger.start_task(&node.incarnation, new).await, Err(refusal), "{follows:?}");
        assert_eq!(node.look(&owner).await, before);
        assert_eq!(node.steps(task_id).await, []);
    }
    // An unknown task to follow is refused before the limits, its rows after them.
    let full = |new: NewTask| NewTask { max_open: 0, ..new };
    let new = full(node.following(&ben(), Follows::going_on(ended, 1, 1)).await);
    assert_eq!(node.ledger.start_task(&node.incarnation, new).await, Err(LedgerError::NotFound));
    let new = full(node.following(&anna(), Follows::going_on(ended, 2, 1)).await);
    assert_eq!(node.ledger.start_task(&node.incarnation, new).await, Err(LedgerError::TooManyTasks(0)));
}

/// The values of a failed task are kept for 7 days. It can be run again after them.
pub async fn start_that_follows_needs_the_values(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let ended = node.failed_with(vec![step(1), row(2, "pay", StepKind::Intent), row(3, "pay", StepKind::Effect)], 0);
    let ended = ended.await;
    let early = node.follow(Follows::going_on(ended, 1, 2)).await;
    backend.age_tasks(7 * DAY).await;
    prune(&*node.ledger, &RetentionPolicy::FOREVER).await;
    for through in [0, 1, 3] {
        let refused = node.try_follow(&anna(), Follows::going_on(ended, through, 0)).await;
        assert_eq!(refused, Err(cannot(CannotFollow::ValuesGone)), "behind row {through}");
    }
    let again = node.follow(Follows::running_again(ended)).await;
    assert_eq!((node.steps(again.task_id).await, again.open_effects), (Vec::new(), 0));
    // The copies are the new task's own.
    let kept = node.steps(early.task_id).await;
    assert_eq!(kept.iter().map(|row| row.value.is_some()).collect::<Vec<_>>(), [true; 3]);
}

/// Retention removes the ended task with its rows; the new one has all that it needs.
pub async fn removed_task_is_not_missed(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let ended = node.failed_with(vec![step(1), row(2, "pay", StepKind::Intent)], 1).await;
    let rows = node.steps(ended).await;
    let line = Line::draw(backend, &node).await;
    let task = node.follow(Follows::going_on(ended, 2, 1)).await;
    backend.age_tasks(8 * DAY).await;
    let keep = line.all().await;
    prune(&*node.ledger, &keep).await;
    prune(&*node.ledger, &keep).await;
    assert_eq!(ok(node.ledger.find_task(ended).await), None, "it is removed");
    assert_eq!(node.steps(ended).await, []);
    let shown = node.steps(task.task_id).await;
    let names = |rows: &[StoredStep]| rows.iter().map(|row| (row.name.clone(), row.value.clone())).collect::<Vec<_>>();
    assert_eq!(names(&shown), names(&rows));
    let claimed = node.claim_one().await;
    assert_eq!((claimed.record.task.follows, claimed.root_task), (task.follows, ended));
    ok(node.store(attempt(task.task_id, 1), row(3, "pay", StepKind::Effect)).await);
    ok(node.end(attempt(task.task_id, 1), TaskState::Succeeded).await);
}

/// The platform derives one id for both: two windows at once.
pub async fn racing_starts_that_follow_have_one_winner(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let ended = node.failed_with((1..=20).map(step).collect(), 0).await;
    let task_id = TaskId::generate();
    let mut starts = Vec::new();
    for _ in 0..8 {
        let mut new = node.following(&anna(), Follows::going_on(ended, 20, 20)).await;
        new.task_id = task_id;
        let node = node.clone();
        starts.push(tokio::spawn(async move { node.ledger.start_task(&node.incarnation, new).await }));
    }
    assert_one_winner(&all_of(starts).await, &LedgerError::IdExists);
    assert_eq!(node.steps(task_id).await.len(), 20);
}

/// As every start of its owner, of its queue and of its name.
pub async fn task_that_follows_keeps_the_limits(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let ended = node.failed_with(vec![step(1)], 0).await;
    let follows = Follows::going_on(ended, 1, 1);
    let without_slot = NewTask { max_running: 0, ..node.following(&anna(), follows).await };
    let waits = node.start_task(without_slot).await;
    assert_eq!((waits.state, waits.waits_for), (TaskState::Queued, Some(WaitsFor::Slot)));
    assert_eq!(node.steps(waits.task_id).await.len(), 1);
    let mut in_queue = node.following(&anna(), follows).await;
    in_queue.durable = in_queue.durable.map(|durable| durable.queue("render"));
    let waits = node.start_task(in_queue).await;
    assert_eq!((waits.waits_for, waits.queue.as_deref()), (Some(WaitsFor::Slot), Some("render")));
    let keyed = |new: NewTask| new.key("order 7");
    let holds = node.start_task(keyed(new_durable(node.call(&anna()).await, &anna()))).await;
    let refused = node.ledger.start_task(&node.incarnation, keyed(node.following(&anna(), follows).await)).await;
    assert!(matches!(refused, Err(LedgerError::AlreadyRunning(running)) if running.task_id == holds.task_id));
    let mut names = request(10);
    names.max_running = 1;
    assert_eq!(node.claim_with(names).await, [], "the owner has a running task");
}
