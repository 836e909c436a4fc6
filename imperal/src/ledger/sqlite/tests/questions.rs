//! Questions and parked tasks in the file: lost rows, long lists, and tasks without a wake-up.

use super::*;
use crate::ids::{QuestionId, TaskId};
use crate::ledger::{
    AnswerOutcome, Attempt, AttemptReport, AuditOutcome, Clock, CloseQuestion, ManualClock, NewAnswer, NewAudit,
    NewDurable, NewQuestion, NewTask, Park, Question, QuestionState, Release, StoredAnswer, TaskState,
};

struct Scene {
    folder: Folder,
    clock: std::sync::Arc<ManualClock>,
    ledger: SqliteLedger,
    incarnation: Incarnation,
}

impl Scene {
    async fn new() -> Self {
        let folder = Folder::new();
        let clock = std::sync::Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let ledger = SqliteLedger::open_with_clock(folder.file(), clock.clone()).unwrap();
        let incarnation = ledger.join("n", LEASE).await.unwrap();
        Self { folder, clock, ledger, incarnation }
    }

    async fn start(&self) -> Attempt {
        let call_id = CallId::generate();
        let call = NewCall { call_id, owner: anna(), turn: turn("?"), max_stored: None };
        self.ledger.accept_call(&self.incarnation, call).await.unwrap();
        let new = NewTask::new(call_id, anna(), "app", "work");
        let durable = NewDurable::new(new.task_id, "work", "{}", "{}");
        let attempt = self.ledger.start_task(&self.incarnation, new.durable(durable)).await.unwrap().attempt();
        self.ledger.reply(&self.incarnation, call_id, turn("reply")).await.unwrap();
        attempt
    }

    async fn ask(&self, attempt: Attempt, ordinal: u16) -> Question {
        let question = NewQuestion::new(ordinal, format!("q{ordinal}"), "Publish?", "true");
        self.ledger.ask_question(&self.incarnation, attempt, question).await.unwrap()
    }

    async fn answer(&self, question_id: QuestionId) -> Result<AnswerOutcome, LedgerError> {
        let audit = NewAudit::new(&anna(), "user", "task.answer", AuditOutcome::Done);
        self.ledger.answer_question(question_id, NewAnswer::new("1", "user:anna", audit)).await
    }

    async fn close(&self, attempt: Attempt, question_id: QuestionId) -> Result<Question, LedgerError> {
        self.ledger.close_question(&self.incarnation, attempt, question_id, CloseQuestion::Expire).await
    }

    async fn park(&self, attempt: Attempt, park: Park) -> TaskState {
        let task = self
            .ledger
            .release_task(&self.incarnation, attempt, Release::Park(park), AttemptReport::default())
            .await
            .unwrap();
        task.state
    }

    async fn value(&self, task_id: TaskId, ordinal: u16) -> String {
        self.ledger.step_value(task_id, ordinal).await.unwrap().unwrap()
    }

    fn sql(&self, sql: &str) {
        assert!(Connection::open(self.folder.file()).unwrap().execute(sql, ()).unwrap() > 0, "{sql}");
    }
}

/// Its step still names it, so its task closes it and goes on.
#[tokio::test]
async fn question_without_its_row_is_closed_by_its_step() {
    for damage in
        ["DELETE FROM question", "UPDATE question SET question_id = 'lost'", "UPDATE question SET ordinal = -3"]
    {
        let scene = Scene::new().await;
        let attempt = scene.start().await;
        let asked = scene.ask(attempt, 1).await;
        scene.sql(damage);
        let closed = scene.close(attempt, asked.question_id).await.unwrap();
        assert_eq!((closed.state, closed.question_id), (QuestionState::Expired, asked.question_id), "{damage}");
        assert_eq!(scene.value(attempt.task_id, 1).await, StoredAnswer::Expired.to_json(), "{damage}");
        let task = scene.ledger.find_task(attempt.task_id).await.unwrap().unwrap().task;
        assert_eq!(task.open_questions, 0, "{damage}");
        assert_eq!(scene.close(attempt, QuestionId::generate()).await, Err(LedgerError::NotFound));
    }
}

/// Nobody can answer it: a task that waited for it again and again would never end.
#[tokio::test]
async fn park_withdraws_a_question_without_its_row() {
    for damage in ["DELETE FROM question", "UPDATE question SET state = 'lost'", "UPDATE question SET task_no = 999"] {
        let scene = Scene::new().await;
        let attempt = scene.start().await;
        let asked = scene.ask(attempt, 1).await;
        scene.sql(damage);
        assert_eq!(scene.park(attempt, Park::new(asked.until, vec![1])).await, TaskState::Queued, "{damage}");
        assert_eq!(scene.value(attempt.task_id, 1).await, StoredAnswer::Withdrawn.to_json(), "{damage}");
    }
}

/// A row that names another step does not change that step.
#[tokio::test]
async fn answer_reaches_the_step_that_names_the_question() {
    let scene = Scene::new().await;
    let attempt = scene.start().await;
    let (first, second) = (scene.ask(attempt, 1).await, scene.ask(attempt, 2).await);
    scene.sql("UPDATE question SET ordinal = 2 WHERE ordinal = 1");
    assert!(matches!(scene.answer(first.question_id).await.unwrap(), AnswerOutcome::Accepted(..)));
    assert_eq!(scene.value(attempt.task_id, 1).await, r#"{"answered":1}"#);
    assert_eq!(scene.value(attempt.task_id, 2).await, StoredAnswer::Open(second.question_id).to_json());
    scene.sql("DELETE FROM step");
    let AnswerOutcome::Closed(lost) = scene.answer(second.question_id).await.unwrap() else { panic!("accepted") };
    assert_eq!(lost.state, QuestionState::Withdrawn, "the task would never see the answer");
}

#[tokio::test]
async fn latest_256_questions_are_listed() {
    let scene = Scene::new().await;
    let attempt = scene.start().await;
    for ordinal in (1..=260).rev() {
        scene.ask(attempt, ordinal).await;
    }
    let listed = scene.ledger.questions(attempt.task_id).await.unwrap();
    let ordinals: Vec<u16> = listed.iter().map(|question| question.ordinal).collect();
    assert_eq!(ordinals, (1..=256).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn parked_task_that_nobody_wakes_becomes_stuck() {
    let scene = Scene::new().await;
    let (due, later) = (scene.start().await, scene.start().await);
    let wake_at = |secs| scene.clock.now() + Duration::from_secs(secs);
    assert_eq!(scene.park(due, Park::new(wake_at(10), vec![])).await, TaskState::Waiting);
    assert_eq!(scene.park(later, Park::new(wake_at(1000), vec![])).await, TaskState::Waiting);
    let untaken_for = Duration::from_secs(20);
    scene.clock.advance(Duration::from_secs(29));
    assert_eq!(scene.ledger.mark_stuck(&scene.incarnation, untaken_for).await, Ok(0));
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.ledger.mark_stuck(&scene.incarnation, untaken_for).await, Ok(1));
    let state = async |attempt: Attempt| scene.ledger.find_task(attempt.task_id).await.unwrap().unwrap().task.state;
    assert_eq!((state(due).await, state(later).await), (TaskState::Stuck, TaskState::Waiting));
}

/// A number that is free again is not taken with the questions of a lost task.
#[tokio::test]
async fn new_task_has_no_questions() {
    let scene = Scene::new().await;
    let attempt = scene.start().await;
    scene.ask(attempt, 1).await;
    scene.sql("DELETE FROM task");
    let next = scene.start().await;
    assert_eq!(scene.ledger.questions(next.task_id).await, Ok(vec![]));
}
