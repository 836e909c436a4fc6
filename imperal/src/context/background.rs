//! `ctx.background_task`: detaches work from the call.
//!
//! Owns the author's side: the closure, its output type, the builder. The platform writes, runs and supervises
//! the task.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;

use super::{Context, Place};
use crate::error::{Error, RunningTask};
use crate::ids::TaskId;
use crate::result::{ActionResult, DataType, Result, ResultData, WireResult};

/// Longest key of a task, in bytes.
const KEY_LIMIT: usize = 512;

/// The author's closure, which runs once it gets the task's context.
pub(crate) type TaskBody = Box<dyn FnOnce(Context) -> Pin<Box<dyn Future<Output = Result<WireResult>> + Send>> + Send>;

/// A task that the platform is asked to start.
pub(crate) struct TaskRequest {
    pub(crate) name: String,
    pub(crate) key: Option<String>,
    pub(crate) long_running: bool,
    /// Type of the data in the task's result.
    pub(crate) data: DataType,
    /// An id that is the same on every attempt of the durable task that starts this one.
    pub(crate) task_id: Option<TaskId>,
    pub(crate) body: TaskBody,
}

impl Context {
    /// Runs `work` detached from the call. When it is done, its answer becomes a bot turn in the user's chat, in
    /// any order with other turns but never before this call's own reply.
    ///
    /// `work` receives the task's own context, with all surfaces, and must return
    /// `Result<ActionResult<T>>`; anything else does not compile. Nothing runs until the returned
    /// builder is awaited, and the await returns only after the task is on disk. From then on the
    /// task ends in exactly one outcome turn, whatever is killed. In a function that is marked `starter` the first await
    /// returns at once, and the task is on disk before the caller has the reply.
    ///
    /// Limits: 180 s, or 1800 s with [`long_running`](BackgroundTask::long_running); then the work
    /// is dropped and the user gets an error turn `BACKEND_TIMEOUT`. 100 running tasks a user. A
    /// panic becomes an error turn.
    ///
    /// # Errors
    /// `RATE_LIMITED` over the user's limit, `UNAVAILABLE` when the ledger cannot write or the
    /// platform is stopping, [`Error::cancelled`](crate::Error::cancelled) when this context's own
    /// work is cancelled or over, `INTERNAL` when the task's result has data of another type than the
    /// function's `data_model`. Nothing was started then.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # async fn handler(ctx: Context) -> Result<ActionResult> {
    /// ctx.background_task(|ctx| async move {
    ///     ctx.progress(50, "Halfway").await?;
    ///     Ok(ActionResult::done("Finished."))
    /// })
    /// .name("halfway")
    /// .await?;
    /// Ok(ActionResult::done("Started."))
    /// # }
    /// ```
    #[track_caller]
    pub fn background_task<F, Fut, T>(&self, work: F) -> BackgroundTask
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<ActionResult<T>>> + Send + 'static,
        T: ResultData,
    {
        BackgroundTask {
            parent: self.clone(),
            place: Location::caller(),
            task: TaskRequest {
                name: String::new(),
                key: None,
                long_running: false,
                data: DataType::of::<T>(),
                task_id: None,
                body: Box::new(move |ctx| {
                    let work = work(ctx);
                    Box::pin(async move { work.await?.deliver() })
                }),
            },
        }
    }

    /// The user's running task of this extension with that [`key`](BackgroundTask::key), on whichever node it
    /// runs, with its latest progress; `None` when none runs. It may end at any moment: to start a task only
    /// when none runs, start it with the key and look at
    /// [`Error::already_running`](crate::Error::already_running).
    ///
    /// # Errors
    /// `UNAVAILABLE` when the ledger cannot be read, `INTERNAL` for a key of another length than 1 to 512
    /// bytes, [`Error::cancelled`](crate::Error::cancelled) when this context's own work is cancelled or over.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # async fn handler(ctx: Context, domain: String) -> Result<ActionResult> {
    /// let text = match ctx.running_task(format!("scan:{domain}")).await? {
    ///     Some(task) => format!("The scan is at {:.0} %.", task.percent.unwrap_or_default()),
    ///     None => "No scan runs.".to_owned(),
    /// };
    /// # Ok(ActionResult::done(text)) }
    /// ```
    pub async fn running_task(&self, key: impl AsRef<str>) -> Result<Option<RunningTask>> {
        self.check_active()?;
        let key = key.as_ref();
        check_key(key)?;
        self.services().host.running_task(self.origin(), key).await
    }
}

/// The name of a task, cut at 100 bytes.
pub(super) fn cut_name(mut name: String) -> String {
    name.truncate(name.floor_char_boundary(100));
    name
}

/// # Errors
/// `INTERNAL` for a key of another length than 1 to 512 bytes.
pub(super) fn check_key(key: &str) -> Result<()> {
    if (1..=KEY_LIMIT).contains(&key.len()) {
        return Ok(());
    }
    Err(Error::internal(format!("a task's key has 1 to {KEY_LIMIT} bytes, not {}", key.len())))
}

/// A background task to be started: await it. Made by [`Context::background_task`].
#[must_use = "the task never starts unless this is awaited: add `.await?`"]
pub struct BackgroundTask {
    parent: Context,
    place: Place,
    task: TaskRequest,
}

impl BackgroundTask {
    /// A name for the task list and the log; the function's name when not given. Cut at 100 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        // Before it is cut: the beginning of a value would not be found.
        self.task.name = cut_name(self.parent.origin().secrets.replace(&name.into()).into_owned());
        self
    }

    /// Lets at most one task of this extension run for this user under the key: a refund's number, a domain, a
    /// file.
    ///
    /// While one runs, the await of a second fails with `ALREADY_RUNNING`, on whichever node, and
    /// `?` gives the user an answer that names the running task.
    /// [`Error::already_running`](crate::Error::already_running) is for an answer of your own. The
    /// key is free again when the task has ended, however it ends. It has 1 to 512 bytes and is
    /// shown with the task; another length is `INTERNAL`, and nothing is started.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # async fn handler(ctx: Context, domain: String) -> Result<ActionResult> {
    /// let key = format!("scan:{domain}");
    /// let started = ctx.background_task(|_| async { Ok(ActionResult::done("Scanned.")) }).key(key).await;
    /// if let Some(task) = started.as_ref().err().and_then(Error::already_running) {
    ///     return Ok(ActionResult::done(format!("{domain} is being scanned already: task {}.", task.task_id)));
    /// }
    /// started?;
    /// Ok(ActionResult::done("Scanning."))
    /// # }
    /// ```
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.task.key = Some(key.into());
        self
    }

    /// Raises the cap from 180 s to 1800 s.
    pub fn long_running(mut self, long_running: bool) -> Self {
        self.task.long_running = long_running;
        self
    }
}

impl IntoFuture for BackgroundTask {
    type Output = Result<TaskId>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<TaskId>> + Send>>;

    fn into_future(mut self) -> Self::IntoFuture {
        if let Err(stopped) = self.parent.check_active() {
            return Box::pin(std::future::ready(Err(stopped)));
        }
        if let Some(Err(fault)) = self.task.key.as_deref().map(check_key) {
            return Box::pin(std::future::ready(Err(fault)));
        }
        let content = ["background", self.task.name.as_str()];
        match self.parent.started_task_id(self.task.key.as_deref(), &content, self.place) {
            Ok(task_id) => self.task.task_id = task_id,
            Err(fault) => return Box::pin(std::future::ready(Err(fault))),
        }
        let host = self.parent.services().host.clone();
        host.start_task(self.parent, self.task)
    }
}

impl fmt::Debug for BackgroundTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundTask")
            .field("name", &self.task.name)
            .field("key", &self.task.key)
            .field("long_running", &self.task.long_running)
            .finish_non_exhaustive()
    }
}
