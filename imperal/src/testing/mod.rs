//! A platform in memory, for testing an extension's functions.
//!
//! Everything is real but the disk: dispatch, supervision, caps, cancels, delivery. Under
//! `#[tokio::test(start_paused = true)]` time passes as fast as the work lets it, so that a task of
//! half an hour is a test of milliseconds.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::context::{States, User};
use crate::function::Registry;
use crate::ids::TaskId;
use crate::ledger::{Clock, Ledger, MemoryLedger, Pulse, Task, TaskState, Turn};
use crate::platform::{Access, CallReply, Platform, Settings};
use crate::result::Result;

/// A platform in memory that serves the functions of this test binary.
///
/// ```
/// # use imperal::prelude::*;
/// # imperal::extension! { app_id: "greeter", name: "Greeter", description: "Greets whoever asks, politely and at once.", icon: "../tests/icon.svg", capabilities: ["greeter:read"] }
/// #[derive(Deserialize, JsonSchema)]
/// struct Who {
///     name: String,
/// }
/// #[derive(Serialize, JsonSchema)]
/// struct Greeting {
///     text: String,
/// }
///
/// /// Greet somebody by their name.
/// #[chat_function(action_type = "read")]
/// async fn greet(_ctx: Context, who: Who) -> Result<ActionResult<Greeting>> {
///     let text = format!("Hello, {}.", who.name);
///     Ok(ActionResult::success(Greeting { text: text.clone() }, text))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let platform = imperal::testing::TestPlatform::start().await;
/// let reply = platform.user("anna").call("greet", serde_json::json!({"name": "Anna"})).await?;
/// assert_eq!(reply.turn.body.text, "Hello, Anna.");
/// # Ok::<(), imperal::Error>(()) }).unwrap();
/// ```
pub struct TestPlatform {
    platform: Platform,
    ledger: Arc<dyn Ledger>,
}

/// What a test platform is started with.
#[derive(Default)]
pub struct TestSetup {
    states: States,
    settings: Settings,
    ledger: Option<Arc<dyn Ledger>>,
}

impl TestSetup {
    /// Registers a value for `ctx.state::<T>()`.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(value);
        self
    }

    /// Changes settings.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Keeps everything in this ledger instead of one in memory.
    #[must_use]
    pub fn ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// An empty ledger on this clock: turns, tasks and leases take their times from it.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.ledger = Some(Arc::new(MemoryLedger::with_clock(clock)));
        self
    }

    /// Goes on with the ledger of another platform, as after a crash of that one.
    #[must_use]
    pub fn on_ledger_of(mut self, other: &TestPlatform) -> Self {
        self.ledger = Some(other.ledger.clone());
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When the functions of this binary cannot be served; the message says why.
    pub async fn start(self) -> TestPlatform {
        let registry = Registry::collect().unwrap_or_else(|error| panic!("{error}"));
        let ledger = self.ledger.unwrap_or_else(|| Arc::new(MemoryLedger::default()));
        let platform = Platform::start(registry, ledger.clone(), self.states, self.settings)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        TestPlatform { platform, ledger }
    }
}

impl TestPlatform {
    /// A platform with default settings and no state.
    ///
    /// # Panics
    /// As [`TestSetup::start`].
    pub async fn start() -> Self {
        Self::setup().start().await
    }

    /// For state, settings, or another platform's ledger.
    pub fn setup() -> TestSetup {
        TestSetup::default()
    }

    /// The platform itself.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// A user of the default tenant.
    pub fn user(&self, id: &str) -> TestUser {
        TestUser { access: self.platform.access(User::new(id, "default")), platform: self.platform.clone() }
    }
}

impl fmt::Debug for TestPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestPlatform").finish_non_exhaustive()
    }
}

impl fmt::Debug for TestSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSetup").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A user of a test platform.
#[derive(Debug, Clone)]
pub struct TestUser {
    access: Access,
    platform: Platform,
}

impl TestUser {
    /// What the user can do and see.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Runs a function of whichever extension has it.
    ///
    /// # Errors
    /// As [`Access::call`].
    pub async fn call(&self, function: &str, params: Value) -> Result<CallReply> {
        let mut having = self.platform.registry().extensions().filter(|e| e.function(function).is_some());
        let app_id = having.next().or_else(|| self.platform.registry().extensions().next()).map_or("", |e| e.app_id());
        self.access.call(app_id, function, params).await
    }

    /// Runs a function that starts one background task, and returns that task's id.
    ///
    /// # Panics
    /// When the call is refused or starts none.
    pub async fn start(&self, function: &str, params: Value) -> TaskId {
        let reply = self.call(function, params).await.unwrap_or_else(|error| panic!("{error}"));
        let tasks = self.access.recent_tasks(500).await.unwrap_or_else(|error| panic!("{error}"));
        let task = tasks.iter().find(|task| task.call_id == reply.call_id);
        task.unwrap_or_else(|| panic!("`{function}` started no background task")).task_id
    }

    /// Asks a task to stop; [`end_of`](Self::end_of) waits until it has.
    ///
    /// # Panics
    /// When the task is not the user's.
    pub async fn cancel(&self, task_id: TaskId) -> Task {
        self.access.cancel(task_id).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits until a task has ended, its outcome in the chat.
    ///
    /// # Panics
    /// When the task is not the user's.
    pub async fn end_of(&self, task_id: TaskId) -> Task {
        let mut subscription = self.access.subscribe();
        loop {
            let task = self.access.task(task_id).await.unwrap_or_else(|error| panic!("{error}"));
            if task.state != TaskState::Running {
                return task;
            }
            while !matches!(subscription.next().await, Pulse::Events) {}
        }
    }

    /// The user's chat.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn turns(&self) -> Vec<Turn> {
        self.access.turns(0, 500).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The outcome turns of a task.
    pub async fn outcomes(&self, task_id: TaskId) -> Vec<Turn> {
        let turns = self.turns().await;
        turns.into_iter().filter(|turn| turn.body.task_id == Some(task_id) && turn.body.result.is_some()).collect()
    }
}
