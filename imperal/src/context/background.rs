//! `ctx.background_task`: detaches work from the call.
//!
//! Owns the author's side: the closure, its pinned output type, the builder. Writing the task
//! down, running and supervising it are the platform's.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use super::Context;
use crate::error::Error;
use crate::function::{DataType, ResultData};
use crate::ids::TaskId;
use crate::result::{ActionResult, Result, WireResult};

/// Longest key of a task, in bytes.
const KEY_LIMIT: usize = 512;

/// Work waiting for its context.
pub(crate) type Work = Box<dyn FnOnce(Context) -> Pin<Box<dyn Future<Output = Result<WireResult>> + Send>> + Send>;

/// What the platform is asked to run.
pub(crate) struct NewBackground {
    pub(crate) name: String,
    pub(crate) key: Option<String>,
    pub(crate) long_running: bool,
    /// Type of the data in the task's result.
    pub(crate) data: DataType,
    pub(crate) work: Work,
}

/// The platform's side: completes when the task is on disk.
pub(crate) trait SpawnTask: Send + Sync {
    fn spawn(
        self: std::sync::Arc<Self>,
        parent: Context,
        task: NewBackground,
    ) -> Pin<Box<dyn Future<Output = Result<TaskId>> + Send>>;
}

impl Context {
    /// Runs `work` detached from the call; its answer becomes a bot turn in the user's chat when
    /// it is done, in any order with other turns but never before this call's own reply.
    ///
    /// `work` receives the task's own context, with all surfaces, and must return
    /// `Result<ActionResult<T>>`; anything else does not compile. Nothing runs until the returned
    /// builder is awaited, and the await returns only after the task is on disk: from then on it
    /// ends in exactly one outcome turn, whatever is killed.
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
    pub fn background_task<F, Fut, T>(&self, work: F) -> BackgroundTask
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<ActionResult<T>>> + Send + 'static,
        T: ResultData,
    {
        BackgroundTask {
            parent: self.clone(),
            task: NewBackground {
                name: String::new(),
                key: None,
                long_running: false,
                data: DataType::of::<T>(),
                work: Box::new(move |ctx| {
                    let work = work(ctx);
                    Box::pin(async move { work.await?.deliver() })
                }),
            },
        }
    }
}

/// A background task to be started: await it. Made by [`Context::background_task`].
#[must_use = "the task never starts unless this is awaited: add `.await?`"]
pub struct BackgroundTask {
    parent: Context,
    task: NewBackground,
}

impl BackgroundTask {
    /// A name for the task list and the log; the function's name when not given. Cut at 100 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.task.name = name.into();
        let end = self.task.name.floor_char_boundary(100);
        self.task.name.truncate(end);
        self
    }

    /// Lets no other task of this extension run for this user under the same key: a refund's
    /// number, a domain, a file.
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

    fn into_future(self) -> Self::IntoFuture {
        if let Err(stopped) = self.parent.enter() {
            return Box::pin(std::future::ready(Err(stopped)));
        }
        if let Some(key) = self.task.key.as_ref().filter(|key| key.is_empty() || key.len() > KEY_LIMIT) {
            let fault = format!("a task's key has 1 to {KEY_LIMIT} bytes, not {}", key.len());
            return Box::pin(std::future::ready(Err(Error::internal(fault))));
        }
        let tasks = self.parent.ports().tasks.clone();
        tasks.spawn(self.parent, self.task)
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
