//! A user of a test platform: calls, cancels, looks.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::Outcome;
use super::platform::Shared;
use crate::ids::TaskId;
use crate::ledger::{AuditRow, FeedSignal, Owner, Progress, Task, TaskState, Turn};
use crate::platform::{Access, CallReply};
use crate::result::Result;
use crate::user::User;

/// A user of a test platform.
#[derive(Clone)]
pub struct TestUser {
    shared: Arc<Shared>,
    user: User,
    owner: Owner,
}

impl TestUser {
    pub(super) fn new(shared: Arc<Shared>, user: User) -> Self {
        Self { shared, owner: Owner::from(&user), user }
    }

    /// What the user can do and see.
    pub fn access(&self) -> Access {
        self.shared.platform().access(self.user.clone())
    }

    /// Runs a function of whichever extension has it, to its reply.
    ///
    /// # Errors
    /// As [`Access::call`].
    pub async fn call(&self, function: &str, params: Value) -> Result<CallReply> {
        let platform = self.shared.platform();
        let mut having = platform.registry().extensions().filter(|e| e.function(function).is_some());
        let app_id = having.next().or_else(|| platform.registry().extensions().next()).map_or("", |e| e.app_id());
        self.access().call(app_id, function, params).await
    }

    /// Runs a function that starts one background task, and returns that task's id.
    ///
    /// # Panics
    /// When the call is refused or starts none.
    pub async fn start(&self, function: &str, params: Value) -> TaskId {
        let reply = self.call(function, params).await.unwrap_or_else(|error| panic!("{error}"));
        let tasks = self.access().tasks_of_call(reply.call_id).await.unwrap_or_else(|error| panic!("{error}"));
        match tasks.last() {
            Some(task) => task.task_id,
            None => panic!("`{function}` started no background task\n\n{}", self.transcript().await),
        }
    }

    /// Runs a function that starts one background task, to that task's end.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn run(&self, function: &str, params: Value) -> Outcome {
        let task_id = self.start(function, params).await;
        self.outcome(task_id).await
    }

    /// Runs a function that starts one background task, and cancels it at the first report of
    /// progress for which `at` is true: exactly there, the work standing still in its `progress`
    /// until the cancel is in the ledger. Returns its end.
    ///
    /// Reports from blocking code do not stand still: the cancel comes at the next one.
    ///
    /// # Panics
    /// As [`start`](Self::start), and when no report was such.
    pub async fn run_and_cancel_when(
        &self,
        function: &str,
        params: Value,
        mut at: impl FnMut(&Progress) -> bool + Send + 'static,
    ) -> Outcome {
        self.run_and_cancel(function, params, Box::new(move |_, progress| at(progress))).await
    }

    async fn run_and_cancel(&self, function: &str, params: Value, at: super::watch::Point) -> Outcome {
        self.shared.watch().cancel_at(&self.owner, at);
        let outcome = self.run(function, params).await;
        assert!(
            self.shared.watch().has_come(&self.owner),
            "the task ended without a report at which it was to be cancelled; it reported {:?}\n\n{}",
            self.progress_of(outcome.task.task_id).iter().map(|said| said.percent).collect::<Vec<_>>(),
            outcome.transcript
        );
        outcome
    }

    /// Runs a function that starts one background task as often as that reports progress, cancelling
    /// it each time one report later, and hands each end to `check`: for what must hold wherever the
    /// user cancels. It is run whole first, to know its reports.
    ///
    /// # Panics
    /// As [`start`](Self::start); when it reports nothing; and when one ends otherwise than
    /// `cancelled`.
    pub async fn cancel_at_each_progress(&self, function: &str, params: Value, mut check: impl AsyncFnMut(&Outcome)) {
        let whole = self.run(function, params.clone()).await;
        let reports = self.progress_of(whole.task.task_id).len();
        assert!(reports > 0, "`{function}` reports no progress\n\n{}", whole.transcript);
        for wanted in 0..reports {
            let at = Box::new(move |number, _: &Progress| number == wanted);
            let outcome = self.run_and_cancel(function, params.clone(), at).await;
            outcome.assert_state(TaskState::Cancelled);
            check(&outcome).await;
        }
    }

    /// Asks a task to stop; [`outcome`](Self::outcome) waits until it has.
    ///
    /// # Panics
    /// When the task is not the user's.
    pub async fn cancel(&self, task_id: TaskId) -> Task {
        self.access().cancel(task_id).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits until a task has ended, its outcome in the chat.
    ///
    /// # Panics
    /// When the task is not the user's.
    pub async fn end_of(&self, task_id: TaskId) -> Task {
        let mut subscription = self.access().subscribe();
        loop {
            let task = self.access().task(task_id).await.unwrap_or_else(|error| panic!("{error}"));
            if task.state != TaskState::Running {
                return task;
            }
            while !matches!(subscription.next().await, FeedSignal::Events) {}
        }
    }

    /// Waits until a task has ended, and gives its end with the assertions for it.
    ///
    /// # Panics
    /// When the task is not the user's, or has not exactly one outcome turn.
    pub async fn outcome(&self, task_id: TaskId) -> Outcome {
        let task = self.end_of(task_id).await;
        let transcript = self.transcript().await;
        let mut turns = self.outcomes(task_id).await;
        match (turns.pop(), turns.is_empty()) {
            (Some(turn), true) => Outcome { task, turn, transcript },
            _ => panic!("{} has not exactly one outcome turn\n\n{transcript}", task.name),
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

    /// Every report of progress of a task, in order; none is coalesced here.
    pub fn progress_of(&self, task_id: TaskId) -> Vec<Progress> {
        self.shared.watch().reports(task_id)
    }

    /// The user's audit rows, up to 500 of them.
    ///
    /// # Panics
    /// When they cannot be read.
    pub async fn audit(&self) -> Vec<AuditRow> {
        self.access().audit(0, 500).await.unwrap_or_else(|error| panic!("{error}")).rows
    }

    /// The user's chat and tasks as text for people.
    pub async fn transcript(&self) -> String {
        self.shared.transcript(&self.owner).await
    }

    /// Somebody has said this in the chat, word for word.
    ///
    /// # Panics
    /// When nobody has.
    pub async fn assert_chat_has(&self, text: &str) {
        let said = self.texts().await.iter().any(|said| said == text);
        assert!(said, "nobody says {text:?}\n\n{}", self.transcript().await);
    }
}

impl fmt::Debug for TestUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestUser").field("owner", &self.owner).finish_non_exhaustive()
    }
}
