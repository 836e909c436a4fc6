//! A user of a test platform: calls, cancels, and the user's view of chat and tasks.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::Outcome;
use super::platform::Shared;
use super::transcript::Printed;
use super::watch::Report;
use crate::ids::{CallId, TaskId};
use crate::ledger::{AuditRow, Ledger, Owner, Question, QuestionState, Task, TaskState, Turn, Work};
use crate::platform::{Access, Answered, CallReply};
use crate::result::Result;
use crate::user::User;

/// A user of a test platform.
#[derive(Clone)]
pub struct TestUser {
    shared: Arc<Shared>,
    user: User,
    owner: Owner,
    printed: Printed,
    /// Answers to questions by their names.
    answers: Answers,
}

type Answers = Arc<Mutex<HashMap<String, Value>>>;

impl TestUser {
    pub(super) fn new(shared: Arc<Shared>, user: User, printed: Printed) -> Self {
        Self { shared, owner: Owner::from(&user), user, printed, answers: Answers::default() }
    }

    pub(super) fn platform(&self) -> crate::platform::Platform {
        self.shared.platform()
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The user's access to the platform, as the HTTP API has it.
    pub fn access(&self) -> Access {
        self.shared.platform().access(self.user.clone())
    }

    /// The ledger, this user and the extension whose documents a test means: the only one, or the first.
    pub(super) fn for_documents(&self) -> (Arc<dyn Ledger>, Owner, String) {
        let platform = self.shared.platform();
        let app_id = platform.registry().extensions().next().map_or("", |extension| extension.app_id()).to_owned();
        (self.shared.ledger(), self.owner.clone(), app_id)
    }

    /// Calls a function of the extension that has it, and waits for its reply.
    ///
    /// # Errors
    /// As [`Access::call`].
    pub async fn call(&self, function: &str, params: Value) -> Result<CallReply> {
        let platform = self.shared.platform();
        let mut having = platform.registry().extensions().filter(|e| e.function(function).is_some());
        let app_id = having.next().or_else(|| platform.registry().extensions().next()).map_or("", |e| e.app_id());
        self.access().call(app_id, function, params).await
    }

    /// Calls a function that starts one background task, and returns the task's id.
    ///
    /// # Panics
    /// When the call is refused or starts no task.
    pub async fn start(&self, function: &str, params: Value) -> TaskId {
        let reply = self.call(function, params).await.unwrap_or_else(|error| panic!("{error}"));
        let tasks = self.access().tasks_of_call(reply.call_id).await.unwrap_or_else(|error| panic!("{error}"));
        match tasks.last() {
            Some(task) => task.task_id,
            None => self.fail(&format!("`{function}` started no background task"), &self.transcript().await),
        }
    }

    /// Calls a function that starts one background task, and waits for the task's end.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn run(&self, function: &str, params: Value) -> Outcome {
        let task_id = self.start(function, params).await;
        self.outcome(task_id).await
    }

    /// Sends a message to the assistant, and returns the task that answers it.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn say(&self, text: &str) -> TaskId {
        let said = self.access().say(text, None).await.unwrap_or_else(|error| panic!("{error}"));
        match said.task_id {
            Some(task_id) => task_id,
            None => self.fail(&format!("{text:?} started no task"), &self.transcript().await),
        }
    }

    /// Sends a message to the assistant, and waits for the answer. Approvals with a prepared answer
    /// ([`answers`](Self::answers)) are given meanwhile: their name is `approve`, the round and the place of the call, as
    /// in `approve 0.0`.
    ///
    /// # Panics
    /// As [`say`](Self::say).
    pub async fn talk(&self, text: &str) -> Outcome {
        let task_id = self.say(text).await;
        self.outcome(task_id).await
    }

    /// Calls a function that starts one background task, cancels the task at the first progress report
    /// for which `at` is true, and returns its end.
    ///
    /// The work waits inside that `progress` until the cancel is in the ledger. Reports from blocking
    /// code do not wait: the work notices the cancel at its next report.
    ///
    /// # Panics
    /// As [`start`](Self::start), and when `at` was true for no report.
    pub async fn run_and_cancel_when(
        &self,
        function: &str,
        params: Value,
        mut at: impl FnMut(&Report) -> bool + Send + 'static,
    ) -> Outcome {
        self.run_and_cancel(function, params, Box::new(move |_, progress| at(progress))).await
    }

    async fn run_and_cancel(&self, function: &str, params: Value, at: super::watch::Point) -> Outcome {
        self.shared.watch().cancel_at(&self.owner, at);
        let outcome = self.run(function, params).await;
        if !self.shared.watch().has_come(&self.owner) {
            let reports = self.progress_of(outcome.task.task_id);
            let percents: Vec<_> = reports.iter().map(|report| report.percent).collect();
            let message = format!("the task ended before the report at which to cancel it; it reported {percents:?}");
            self.fail(&message, &outcome.transcript);
        }
        outcome
    }

    /// Cancels a function's background task at each of its progress reports: one run to count the
    /// reports, then one run per report. `check` gets each cancelled end.
    ///
    /// All runs have the same parameters. A function that remembers earlier runs, such as one with
    /// checkpoints, needs [`cancel_at_each_progress_with`](Self::cancel_at_each_progress_with).
    ///
    /// # Panics
    /// As [`start`](Self::start); when the task reports nothing; and when a run does not end
    /// `cancelled`.
    pub async fn cancel_at_each_progress(&self, function: &str, params: Value, check: impl AsyncFnMut(&Outcome)) {
        self.cancel_at_each_progress_with(function, async |_| params.clone(), check).await;
    }

    /// As [`cancel_at_each_progress`](Self::cancel_at_each_progress), but `prepare` runs before each run
    /// and returns its parameters. It gets the number of the run, 0 for the one that counts the reports.
    ///
    /// Let it give each run an id of its own, or remove what the run before has stored.
    ///
    /// # Panics
    /// As [`cancel_at_each_progress`](Self::cancel_at_each_progress).
    pub async fn cancel_at_each_progress_with(
        &self,
        function: &str,
        mut prepare: impl AsyncFnMut(usize) -> Value,
        mut check: impl AsyncFnMut(&Outcome),
    ) {
        let whole = self.run(function, prepare(0).await).await;
        let reports = self.progress_of(whole.task.task_id).len();
        if reports == 0 {
            self.fail(&format!("`{function}` reports no progress"), &whole.transcript);
        }
        for wanted in 0..reports {
            let at = Box::new(move |number, _: &Report| number == wanted);
            let outcome = self.run_and_cancel(function, prepare(wanted + 1).await, at).await;
            outcome.assert_state(TaskState::Cancelled);
            check(&outcome).await;
        }
    }

    /// Kills the process at each moment of a function's durable task at which a step may be lost or repeated: once
    /// when its work is done and not stored, and once when it is stored. One run counts the moments, then each
    /// has a run of its own, in which the process crashes there and the next one continues the task. `check` gets
    /// each end.
    ///
    /// `prepare` runs before each run and returns its parameters. It gets the number of the run, 0 for the one
    /// that counts. Let it give each run an id of its own.
    ///
    /// # Panics
    /// As [`start`](Self::start), when no step is stored, and when a run ends in another state than the first.
    pub async fn crash_at_each_step(
        &self,
        function: &str,
        mut prepare: impl AsyncFnMut(usize) -> Value,
        mut check: impl AsyncFnMut(&Outcome),
    ) {
        let watch = self.shared.watch();
        watch.hold_at_step(&self.owner, None);
        let whole = self.run(function, prepare(0).await).await;
        let moments = watch.step_moments(&self.owner);
        if moments == 0 {
            self.fail(&format!("`{function}` stores no step"), &whole.transcript);
        }
        for moment in 0..moments {
            let reached = watch.hold_at_step(&self.owner, Some(moment));
            let task_id = self.start(function, prepare(moment + 1).await).await;
            reached.notified().await;
            self.shared.crash().await;
            let outcome = self.outcome(task_id).await;
            watch.step_moments(&self.owner);
            outcome.assert_state(whole.task.state);
            check(&outcome).await;
        }
    }

    /// Goes on from an ended durable task, and returns the new task's id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn continue_task(&self, task_id: TaskId) -> TaskId {
        let followed = self.access().continue_task(task_id, None, None).await;
        followed.unwrap_or_else(|error| panic!("{error}")).task.task_id
    }

    /// Goes on from an ended durable task with the step of this number, and returns the new task's id. Stored steps and
    /// done effects are numbered from 1.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn continue_from(&self, task_id: TaskId, from_step: u32) -> TaskId {
        let followed = self.access().continue_task(task_id, Some(from_step), None).await;
        followed.unwrap_or_else(|error| panic!("{error}")).task.task_id
    }

    /// Runs an ended durable task again from the start, and returns the new task's id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn run_again(&self, task_id: TaskId) -> TaskId {
        let followed = self.access().run_again(task_id, None).await;
        followed.unwrap_or_else(|error| panic!("{error}")).task.task_id
    }

    /// Requests a cancel of a task; [`outcome`](Self::outcome) waits for its end.
    ///
    /// # Panics
    /// When the task is not the user's.
    pub async fn cancel(&self, task_id: TaskId) -> Task {
        self.access().cancel(task_id).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Answers each question of this name as soon as a test waits for the end of its task, and each question about
    /// an unknown effect of this name (with an [`EffectAnswer`](crate::context::EffectAnswer)).
    pub fn answers(&self, name: impl Into<String>, answer: impl Into<Value>) -> &Self {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), answer.into());
        self
    }

    /// Gives the prepared answers to a task's open questions. Returns whether there was one.
    async fn give_answers(&self, task_id: TaskId) -> bool {
        let mut given = false;
        for question in self.questions(task_id).await {
            let name = question.effect().unwrap_or(&question.name);
            let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
            if let (QuestionState::Open, Some(answer)) = (question.state, answer) {
                let answered = self.access().answer(task_id, Some(question.question_id), answer).await;
                let answered = answered.unwrap_or_else(|error| panic!("the answer to `{name}` is refused: {error}"));
                given |= matches!(answered, Answered::Accepted(_));
            }
        }
        given
    }

    /// Waits until a task asks its user, and returns the first open question.
    ///
    /// # Panics
    /// When the task is not the user's, or ends without a question.
    pub async fn question(&self, task_id: TaskId) -> Question {
        let mut subscription = self.access().subscribe();
        loop {
            let task = self.access().task(task_id).await.unwrap_or_else(|error| panic!("{error}"));
            if task.open_questions > 0 {
                let open = self.questions(task_id).await.into_iter().find(|q| q.state == QuestionState::Open);
                if let Some(question) = open {
                    return question;
                }
            } else if !task.state.is_open() {
                self.fail(&format!("{} ended without a question", task.name), &self.transcript().await);
            }
            while !subscription.next().await.has_events() {}
        }
    }

    /// Waits until a task asks its user, and answers the first open question.
    ///
    /// # Panics
    /// As [`question`](Self::question), and when the answer is refused.
    pub async fn answer(&self, task_id: TaskId, answer: impl Into<Value>) -> Question {
        let question = self.question(task_id).await;
        match self.access().answer(task_id, Some(question.question_id), answer.into()).await {
            Ok(Answered::Accepted(question)) => question,
            Ok(Answered::Closed(question)) => panic!("the question is closed: {question:?}"),
            Err(error) => panic!("the answer to `{}` is refused: {error}", question.name),
        }
    }

    /// Waits until no process holds a task: it is parked, or has ended.
    ///
    /// # Panics
    /// When the task is not the user's.
    pub async fn parked(&self, task_id: TaskId) -> Task {
        let mut subscription = self.access().subscribe();
        loop {
            let task = self.access().task(task_id).await.unwrap_or_else(|error| panic!("{error}"));
            if !task.state.is_open() || task.state == TaskState::Waiting {
                return task;
            }
            while !subscription.next().await.has_events() {}
        }
    }

    /// The questions of a task, in the order in which they were asked.
    ///
    /// # Panics
    /// When the task is not the user's.
    pub async fn questions(&self, task_id: TaskId) -> Vec<Question> {
        self.access().questions(task_id).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits until a task has ended and its outcome is in the chat. Questions with a prepared answer
    /// ([`answers`](Self::answers)) are answered meanwhile.
    ///
    /// # Panics
    /// When the task is not the user's.
    pub async fn end_of(&self, task_id: TaskId) -> Task {
        let mut subscription = self.access().subscribe();
        loop {
            let task = self.access().task(task_id).await.unwrap_or_else(|error| panic!("{error}"));
            if !task.state.is_open() {
                return task;
            }
            if task.open_questions > 0 && self.give_answers(task_id).await {
                continue;
            }
            while !subscription.next().await.has_events() {}
        }
    }

    /// Waits until a task has ended, and returns its end with assertions for it.
    ///
    /// # Panics
    /// When the task is not the user's, or has not exactly one outcome turn.
    pub async fn outcome(&self, task_id: TaskId) -> Outcome {
        let task = self.end_of(task_id).await;
        let transcript = self.transcript().await;
        let mut turns = self.outcomes(task_id).await;
        match (turns.pop(), turns.is_empty()) {
            (Some(turn), true) => {
                let drafts = self.shared.watch().drafts_of_task(task_id);
                Outcome { task, turn, transcript, drafts, printed: self.printed.clone() }
            }
            _ => self.fail(&format!("{} has not exactly one outcome turn", task.name), &transcript),
        }
    }

    /// The user's chat.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn turns(&self) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::new();
        loop {
            let after = turns.last().map_or(0, |turn| turn.seq);
            let page = self.access().turns(after, 500).await.unwrap_or_else(|error| panic!("{error}"));
            let more = page.more;
            turns.extend(page);
            if !more {
                return turns;
            }
        }
    }

    /// The texts of the user's chat, in order.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn texts(&self) -> Vec<String> {
        self.turns().await.into_iter().map(|turn| turn.body.text).collect()
    }

    /// The outcome turns of a task.
    pub async fn outcomes(&self, task_id: TaskId) -> Vec<Turn> {
        let turns = self.turns().await;
        turns.into_iter().filter(|turn| turn.body.task_id == Some(task_id) && turn.body.result.is_some()).collect()
    }

    /// Every progress report of a task, in order. The kit does not coalesce reports.
    pub fn progress_of(&self, task_id: TaskId) -> Vec<Report> {
        self.shared.watch().reports(task_id)
    }

    /// The texts that a call's handler wrote with `ctx.draft`, in the order in which they began. Those of a task:
    /// [`Outcome::drafts`].
    pub fn drafts_of_call(&self, call_id: CallId) -> Vec<String> {
        self.shared.watch().drafts(|work| work == Work::Call(call_id))
    }

    /// The user's audit rows, up to 500.
    ///
    /// # Panics
    /// When they cannot be read.
    pub async fn audit(&self) -> Vec<AuditRow> {
        self.access().audit(0, 500).await.unwrap_or_else(|error| panic!("{error}")).rows
    }

    /// The user's chat and tasks as text.
    pub async fn transcript(&self) -> String {
        self.shared.transcript(&self.owner).await
    }

    /// A turn of the chat has exactly this text.
    ///
    /// # Panics
    /// When no turn has it.
    pub async fn assert_chat_has(&self, text: &str) {
        if !self.texts().await.iter().any(|turn| turn == text) {
            self.fail(&format!("no turn says {text:?}"), &self.transcript().await);
        }
    }

    #[track_caller]
    fn fail(&self, message: &str, transcript: &str) -> ! {
        self.printed.set();
        panic!("{message}\n\n{transcript}")
    }
}

impl fmt::Debug for TestUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestUser").field("owner", &self.owner).finish_non_exhaustive()
    }
}
