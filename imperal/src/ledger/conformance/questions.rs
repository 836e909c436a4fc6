//! Waits of durable tasks: parks, questions, answers.

use std::time::Duration;

use serde_json::Value;

use super::Backend;
use super::durable::{attempt, ids, new_durable, step};
use super::retention::{Line, prune};
use super::scene::{Node, all_of, anna, assert_gapless, ben, cancelled, end, new_audit, ok};
use crate::ids::{QuestionId, TaskId};
use crate::ledger::{
    AnswerOutcome, CloseQuestion, EventBody, LedgerError, NewAnswer, NewQuestion, PageLimit, Park, Question,
    QuestionState, Release, RetentionPolicy, StepKind, StoredAnswer, TaskState, WaitsFor,
};

const SCHEMA: &str = r#"{"type":"string","enum":["yes","no"],"description":"ü \"quoted\""}"#;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn question(ordinal: u16) -> NewQuestion {
    NewQuestion::new(ordinal, format!("q{ordinal}"), "Publish \u{0}these?", SCHEMA).fallback("\"no\"")
}

fn new_answer(value: &str) -> NewAnswer {
    NewAnswer::new(value, "user:anna", new_audit(&anna(), "task.answer"))
}

impl Node {
    async fn ask(&self, task_id: TaskId, number: u32, question: NewQuestion) -> Question {
        ok(self.ledger.ask_question(&self.incarnation, attempt(task_id, number), question).await)
    }

    async fn answer(&self, question_id: QuestionId, value: &str) -> AnswerOutcome {
        ok(self.ledger.answer_question(question_id, new_answer(value)).await)
    }

    async fn park(&self, task_id: TaskId, number: u32, park: Park) -> (TaskState, Option<WaitsFor>) {
        let task = ok(self.release(attempt(task_id, number), Release::Park(park)).await);
        (task.state, task.waits_for)
    }

    async fn close(&self, task_id: TaskId, question_id: QuestionId, why: CloseQuestion) -> Question {
        ok(self.ledger.close_question(&self.incarnation, attempt(task_id, 1), question_id, why).await)
    }

    /// The question, as users read it, and as it is found by its id.
    async fn read_question(&self, task_id: TaskId, question_id: QuestionId) -> Question {
        let found = ok(self.ledger.find_question(question_id).await);
        let Some((owner, question)) = found else { panic!("the question is gone") };
        assert_eq!(owner, anna());
        let listed = ok(self.ledger.questions(task_id).await);
        assert!(listed.contains(&question), "{question:?} is not in {listed:?}");
        let page = ok(self.ledger.questions_after(task_id, question.ordinal - 1, PageLimit::rows(1)).await);
        assert_eq!(page.rows, [Question { schema: Value::Null, ..question.clone() }]);
        question
    }

    /// The value of the question's step.
    async fn stored_answer(&self, task_id: TaskId, ordinal: u16) -> String {
        let value = ok(self.ledger.step_value(task_id, ordinal).await);
        value.unwrap_or_else(|| panic!("the step of the question is gone"))
    }
}

/// However many there are, in the order of their ordinals; a list has the latest.
pub async fn questions_are_read_by_their_ordinals(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let ordinals: Vec<u16> = [2, 1].into_iter().chain(3..=260).collect();
    for ordinal in ordinals {
        node.ask(task_id, 1, question(ordinal)).await;
    }
    assert_eq!(ok(node.ledger.questions(task_id).await).len(), 256);
    let read = async |after: u16, limit: PageLimit| {
        let page = ok(node.ledger.questions_after(task_id, after, limit).await);
        (page.rows.iter().map(|one| one.ordinal).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(read(0, PageLimit::rows(3)).await, (vec![1, 2, 3], true));
    assert_eq!(read(0, PageLimit::rows(300)).await, ((1..=260).collect(), false));
    assert_eq!(read(258, PageLimit::rows(2)).await, (vec![259, 260], false));
    assert_eq!(read(100, PageLimit::rows(9).bytes(1)).await, (vec![101], true), "at least one");
    assert_eq!(read(260, PageLimit::rows(9)).await, (vec![], false));
    let other = node.durable(&ben()).await;
    assert_eq!(ok(node.ledger.questions_after(other, 0, PageLimit::rows(9)).await).rows, []);
}

/// A question has a step and an event; it comes back as it was asked.
pub async fn question_is_asked(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let before = node.look(&anna()).await;
    let (now, new) = (node.now().await, question(1).within(secs(3600)));
    let asked = node.ask(task_id, 1, new.clone()).await;
    assert_eq!((asked.state, asked.task_id, asked.ordinal), (QuestionState::Open, task_id, 1));
    assert_eq!((&asked.name, &asked.text, asked.schema.to_string()), (&new.name, &new.text, SCHEMA.to_owned()));
    assert_eq!(asked.fallback, Some("no".into()));
    assert!(asked.asked_at >= now);
    assert_eq!(Duration::try_from(asked.until.duration_since(asked.asked_at)).ok(), Some(secs(3600)));
    assert_eq!(node.read_question(task_id, asked.question_id).await, asked);
    let [step] = &node.steps(task_id).await[..] else { panic!("a question has one step") };
    assert_eq!((step.kind, &step.name, step.ordinal), (StepKind::Question, &new.name, 1));
    assert_eq!(step.value, Some(StoredAnswer::Open(asked.question_id).to_json()));
    let look = node.look(&anna()).await;
    assert_eq!((look.head, &look.audit, &look.turns), (before.head + 1, &before.audit, &before.turns));
    let task = node.read_task(task_id).await;
    assert_eq!((task.open_questions, task.state), (1, TaskState::Running));
    assert_eq!(look.events.last().map(|event| &event.body), Some(&EventBody::Task(task)));
    // A write that is repeated.
    let again = node.ledger.ask_question(&node.incarnation, attempt(task_id, 1), new).await;
    assert_eq!(again, Err(LedgerError::IdExists));
    let other = node.ledger.ask_question(&node.incarnation, attempt(task_id, 1), question(1)).await;
    assert_eq!(other, Err(LedgerError::IdExists), "the ordinal is taken");
    assert_eq!(node.look(&anna()).await, look);
}

/// By the attempt that runs, after the reply, and not more than the limit at once.
pub async fn question_needs_the_attempt_and_the_reply(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let ask = async |at, question| node.ledger.ask_question(&node.incarnation, at, question).await;
    let call_id = node.call(&anna()).await;
    let task_id = node.start_task(new_durable(call_id, &anna())).await.task_id;
    assert_eq!(ask(attempt(task_id, 1), question(1)).await, Err(LedgerError::CallNotReplied));
    ok(node.reply(call_id).await);
    assert_eq!(ask(attempt(task_id, 2), question(1)).await, Err(LedgerError::NotHolder));
    assert_eq!(ask(attempt(TaskId::generate(), 1), question(1)).await, Err(LedgerError::NotFound));
    ok(ask(attempt(task_id, 1), question(1).max_open(2)).await);
    let second = ok(ask(attempt(task_id, 1), question(2).max_open(2)).await);
    assert_eq!(ask(attempt(task_id, 1), question(3).max_open(2)).await, Err(LedgerError::TooManyQuestions(2)));
    node.close(task_id, second.question_id, CloseQuestion::Withdraw).await;
    ok(ask(attempt(task_id, 1), question(3).max_open(2)).await);
    assert_eq!(node.read_task(task_id).await.open_questions, 2);
    let gone = node.crash().await;
    assert_eq!(ask(attempt(task_id, 1), question(4)).await, Err(LedgerError::Fenced));
    let asked = gone.ledger.ask_question(&gone.incarnation, attempt(task_id, 1), question(4)).await;
    assert_eq!(asked, Err(LedgerError::NotHolder));
}

/// The first answer stays: in the question, its step, the audit trail and an event.
pub async fn first_answer_is_the_answer(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let asked = node.ask(task_id, 1, question(1)).await;
    let before = node.look(&anna()).await;
    let AnswerOutcome::Accepted(question, record) = node.answer(asked.question_id, "\"yes\"").await else {
        panic!("the question is open")
    };
    assert_eq!((question.state, &question.answer), (QuestionState::Answered, &Some("yes".into())));
    assert_eq!(question.answered_by.as_deref(), Some("user:anna"));
    assert!(question.answered_at.is_some_and(|at| at >= asked.asked_at));
    assert_eq!(node.read_question(task_id, asked.question_id).await, question);
    assert_eq!(node.stored_answer(task_id, 1).await, r#"{"answered":"yes"}"#);
    let task = node.read_task(task_id).await;
    assert_eq!((task.state, task.open_questions), (TaskState::Running, 0), "a running task keeps running");
    assert_eq!((&record.owner, &record.task), (&anna(), &task));
    let look = node.look(&anna()).await;
    assert_eq!(look.events.last().map(|event| &event.body), Some(&EventBody::Task(task)));
    assert_eq!((look.head, look.audit.len()), (before.head + 1, before.audit.len() + 1));
    for value in ["\"yes\"", "\"no\""] {
        assert_eq!(node.answer(asked.question_id, value).await, AnswerOutcome::Closed(question.clone()));
    }
    assert_eq!(node.look(&anna()).await, look, "a second answer writes nothing");
    let unknown = node.ledger.answer_question(QuestionId::generate(), new_answer("1")).await;
    assert_eq!(unknown, Err(LedgerError::NotFound));
}

/// Many nodes answer at once: one is accepted, and all see its answer.
pub async fn racing_answers_have_one_winner(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let asked = node.ask(task_id, 1, question(1)).await;
    assert_eq!(node.park(task_id, 1, Park::new(asked.until, vec![1])).await.0, TaskState::Waiting);
    let mut racing = Vec::new();
    for n in 0..8 {
        let other = Node::start(backend, &format!("other{n}")).await;
        racing.push(tokio::spawn(async move { other.answer(asked.question_id, &n.to_string()).await }));
    }
    let outcomes = all_of(racing).await;
    let accepted: Vec<_> = outcomes.iter().filter(|outcome| matches!(outcome, AnswerOutcome::Accepted(..))).collect();
    assert_eq!(accepted.len(), 1, "{outcomes:?}");
    let stored = node.read_question(task_id, asked.question_id).await;
    for outcome in &outcomes {
        let (AnswerOutcome::Accepted(question, _) | AnswerOutcome::Closed(question)) = outcome;
        assert_eq!(question.answer, stored.answer);
    }
    let audit = node.look(&anna()).await.audit;
    assert_eq!(audit.iter().filter(|row| row.body.action == "task.answer").count(), 1);
    assert_eq!(ids(&node.claim(10).await), [task_id], "it is ready once");
    assert_gapless(&node.events(&anna()).await);
}

/// A parked task waits for its time; an answer makes it ready before.
pub async fn parked_task_wakes_at_its_time_or_answer(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let (sleeps, asks) = (node.durable(&anna()).await, node.durable(&anna()).await);
    let asked = node.ask(asks, 1, question(1).within(secs(1000))).await;
    let before = node.look(&anna()).await;
    let wake_at = node.now().await + secs(100);
    assert_eq!(node.park(sleeps, 1, Park::new(wake_at, vec![])).await, (TaskState::Waiting, Some(WaitsFor::Time)));
    assert_eq!(node.park(asks, 1, Park::new(asked.until, vec![1])).await, (TaskState::Waiting, Some(WaitsFor::Answer)));
    let look = node.look(&anna()).await;
    assert_eq!((look.head, &look.audit), (before.head + 2, &before.audit));
    let task = node.read_task(sleeps).await;
    assert_eq!((task.ready_at, task.deadline_at), (Some(wake_at), None), "a waiting task has no deadline");
    assert_eq!(node.claim(10).await, []);
    // The write of the park, repeated.
    assert_eq!(node.park(sleeps, 1, Park::new(wake_at, vec![])).await.0, TaskState::Waiting);
    assert_eq!(node.look(&anna()).await, look);
    let AnswerOutcome::Accepted(_, record) = node.answer(asked.question_id, "1").await else { panic!("it is open") };
    assert_eq!((record.task.state, record.task.waits_for), (TaskState::Queued, Some(WaitsFor::Process)));
    assert!(record.task.ready_at.is_some());
    let claimed = node.claim_one().await;
    assert_eq!((claimed.record.task.task_id, claimed.record.task.attempt), (asks, 2));
    assert!(claimed.claimed_at >= asked.asked_at);
    backend.age_tasks(secs(99)).await;
    assert_eq!(node.claim(10).await, []);
    backend.age_tasks(secs(2)).await;
    assert_eq!(ids(&node.claim(10).await), [sleeps]);
    assert_eq!(node.read_task(sleeps).await.state, TaskState::Running);
    assert_gapless(&node.events(&anna()).await);
}

/// An answer between the body's look and the park is not lost.
pub async fn park_after_the_answer_is_ready_at_once(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let (first, second) = (node.ask(task_id, 1, question(1)).await, node.ask(task_id, 1, question(2)).await);
    node.answer(second.question_id, "1").await;
    let park = Park::new(first.until, vec![1, 2]);
    assert_eq!(node.park(task_id, 1, park).await, (TaskState::Queued, Some(WaitsFor::Process)));
    assert_eq!(node.claim_one().await.record.task.attempt, 2);
    let closed = ok(node
        .ledger
        .close_question(&node.incarnation, attempt(task_id, 2), first.question_id, CloseQuestion::Withdraw)
        .await);
    assert_eq!(closed.state, QuestionState::Withdrawn);
    let park = Park::new(first.until, vec![1]);
    assert_eq!(node.park(task_id, 2, park).await.0, TaskState::Queued, "nobody can answer it");
}

/// The next attempt ends it: a cancel does not wait for days.
pub async fn park_after_a_cancel_is_ready_at_once(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let asked = node.ask(task_id, 1, question(1)).await;
    let audit = new_audit(&anna(), "task.cancel");
    ok(node.ledger.request_cancel(task_id, audit, cancelled(&anna())).await);
    let park = Park::new(asked.until, vec![1]);
    assert_eq!(node.park(task_id, 1, park).await, (TaskState::Queued, Some(WaitsFor::Process)));
    assert!(node.claim_one().await.record.task.cancel_requested_at.is_some());
}

/// Answers and parks at the same time: the task always becomes ready.
pub async fn park_and_answer_lose_no_wake_up(backend: &impl Backend) {
    let (node, other) = (Node::start(backend, "a").await, Node::start(backend, "b").await);
    for _ in 0..16 {
        let task_id = node.durable(&anna()).await;
        let asked = node.ask(task_id, 1, question(1)).await;
        let answering = other.clone();
        let answering = tokio::spawn(async move { answering.answer(asked.question_id, "1").await });
        node.park(task_id, 1, Park::new(asked.until, vec![1])).await;
        assert!(matches!(all_of(vec![answering]).await[0], AnswerOutcome::Accepted(..)));
        assert_eq!(ids(&node.claim(10).await), [task_id]);
        ok(node.end(attempt(task_id, 2), TaskState::Succeeded).await);
    }
    assert_gapless(&node.events(&anna()).await);
}

/// By the ledger's clock, also if the task has not noticed yet. Then the task closes it, once and for all.
pub async fn late_answer_is_refused(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let asked = node.ask(task_id, 1, question(1).within(secs(100))).await;
    backend.age_tasks(secs(101)).await;
    let before = node.look(&anna()).await;
    let AnswerOutcome::Closed(late) = node.answer(asked.question_id, "1").await else { panic!("its time is over") };
    assert_eq!((late.state, &late.answer), (QuestionState::Expired, &None));
    assert_eq!(node.look(&anna()).await, before);
    let expired = node.close(task_id, asked.question_id, CloseQuestion::Expire).await;
    assert_eq!(expired.state, QuestionState::Expired);
    assert_eq!(node.stored_answer(task_id, 1).await, StoredAnswer::Expired.to_json());
    assert_eq!(node.read_task(task_id).await.open_questions, 0);
    assert_eq!(node.look(&anna()).await.head, before.head + 1);
    assert_eq!(node.close(task_id, asked.question_id, CloseQuestion::Withdraw).await, expired, "it is closed");
    assert_eq!(node.look(&anna()).await.head, before.head + 1);
}

/// An answer that came first stays; another task's question is not found.
pub async fn task_closes_its_own_question(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let (task_id, other) = (node.durable(&anna()).await, node.durable(&ben()).await);
    let asked = node.ask(task_id, 1, question(1)).await;
    let close = async |at, why| node.ledger.close_question(&node.incarnation, at, asked.question_id, why).await;
    let before = node.look(&anna()).await;
    assert_eq!(close(attempt(other, 1), CloseQuestion::Withdraw).await, Err(LedgerError::NotFound));
    assert_eq!(close(attempt(task_id, 2), CloseQuestion::Withdraw).await, Err(LedgerError::NotHolder));
    assert_eq!(node.look(&anna()).await, before);
    node.answer(asked.question_id, "{\"n\":1.50}").await;
    let closed = ok(close(attempt(task_id, 1), CloseQuestion::Expire).await);
    assert_eq!(closed.state, QuestionState::Answered);
    assert_eq!(closed.answer.map(|answer| answer.to_string()).as_deref(), Some("{\"n\":1.5}"));
    let withdrawn = node.ask(task_id, 1, question(2)).await;
    let withdrawn = node.close(task_id, withdrawn.question_id, CloseQuestion::Withdraw).await;
    assert_eq!(withdrawn.state, QuestionState::Withdrawn);
    assert_eq!(node.stored_answer(task_id, 2).await, StoredAnswer::Withdrawn.to_json());
    let AnswerOutcome::Closed(question) = node.answer(withdrawn.question_id, "1").await else { panic!("withdrawn") };
    assert_eq!(question, withdrawn);
}

/// Finished, cancelled while it waits, and reclaimed.
pub async fn end_withdraws_open_questions(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    for how in ["finished", "cancelled", "reclaimed"] {
        let task_id = node.durable(&anna()).await;
        let answered = node.ask(task_id, 1, question(1)).await;
        let open = node.ask(task_id, 1, question(2)).await;
        node.answer(answered.question_id, "1").await;
        if how == "finished" {
            ok(node.end(attempt(task_id, 1), TaskState::Succeeded).await);
        } else {
            assert_eq!(node.park(task_id, 1, Park::new(open.until, vec![2])).await.0, TaskState::Waiting);
            if how == "cancelled" {
                let audit = new_audit(&anna(), "task.cancel");
                ok(node.ledger.request_cancel(task_id, audit, cancelled(&anna())).await);
            } else {
                let end = end(&anna(), TaskState::Reclaimed, "stuck");
                ok(node.ledger.reclaim_task(&node.incarnation, task_id, end).await);
            }
        }
        assert_eq!(node.read_task(task_id).await.open_questions, 0, "{how}");
        let states: Vec<_> = ok(node.ledger.questions(task_id).await).iter().map(|question| question.state).collect();
        assert_eq!(states, [QuestionState::Answered, QuestionState::Withdrawn], "{how}");
        let before = node.look(&anna()).await;
        assert!(matches!(node.answer(open.question_id, "1").await, AnswerOutcome::Closed(_)), "{how}");
        assert_eq!(node.look(&anna()).await, before);
        assert_eq!(node.claim(10).await, [], "{how}");
    }
    assert_gapless(&node.events(&anna()).await);
}

/// A parked attempt is no crash and not without progress, so a task may wait for ever so often.
pub async fn park_clears_the_counts_of_bad_attempts(backend: &impl Backend) {
    let mut node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    node = node.crash().await;
    assert_eq!(node.claim_one().await.crashes, 1);
    let wake_at = node.now().await;
    node.park(task_id, 2, Park::new(wake_at, vec![])).await;
    let claimed = node.claim_one().await;
    assert_eq!((claimed.crashes, claimed.fruitless, claimed.record.task.attempt), (0, 0, 3));
}

/// Of its attempts, not of its waits.
pub async fn waits_are_no_running_time(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    backend.age_tasks(secs(5)).await;
    ok(node.store(attempt(task_id, 1), step(1)).await);
    let wake_at = node.now().await + secs(500);
    node.park(task_id, 1, Park::new(wake_at, vec![])).await;
    backend.age_tasks(secs(501)).await;
    let claimed = node.claim_one().await;
    assert!((5..60).contains(&claimed.ran.as_secs()), "{:?}", claimed.ran);
}

/// Questions go with their task, their answers with the values of its steps.
pub async fn questions_end_with_their_task(backend: &impl Backend) {
    let node = Node::start(backend, "n").await;
    let task_id = node.durable(&anna()).await;
    let asked = node.ask(task_id, 1, question(1)).await;
    node.answer(asked.question_id, "\"secret\"").await;
    ok(node.end(attempt(task_id, 1), TaskState::Succeeded).await);
    backend.age_tasks(secs(1)).await;
    prune(&*node.ledger, &RetentionPolicy::FOREVER).await;
    let question = node.read_question(task_id, asked.question_id).await;
    assert_eq!((question.state, question.answer), (QuestionState::Answered, None), "a value that is not kept");
    let line = Line::draw(backend, &node).await;
    prune(&*node.ledger, &line.all().await).await;
    assert_eq!(ok(node.ledger.find_question(asked.question_id).await), None);
    assert_eq!(ok(node.ledger.questions(task_id).await), []);
}
