//! `ctx.durable_task(..)`: starts a durable task.

use std::fmt;
use std::future::IntoFuture;
use std::panic::Location;
use std::pin::Pin;

use serde::Serialize;

use super::scope::{digest, task_id_outside};
use crate::context::Context;
use crate::context::background::{check_key, cut_name};
use crate::context::hazard::{Hazard, Place};
use crate::error::Error;
use crate::ids::TaskId;
use crate::result::{DataType, Result, storable_text};

/// A durable task with its input, before it starts: what `the_task::with(input)` returns, for
/// [`Context::durable_task`].
#[must_use = "give it to `ctx.durable_task(..)` and await that"]
pub struct PreparedTask {
    name: &'static str,
    module_path: &'static str,
    input: std::result::Result<String, String>,
    data: DataType,
}

impl PreparedTask {
    /// For the attribute.
    #[doc(hidden)]
    pub fn new<I: Serialize>(name: &'static str, module_path: &'static str, input: &I, data: DataType) -> Self {
        Self { name, module_path, input: storable_text(input), data }
    }
}

impl fmt::Debug for PreparedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedTask").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A durable task that the platform is asked to start.
pub(crate) struct DurableRequest {
    pub(crate) task_name: &'static str,
    /// `module_path!()` of the durable task.
    pub(crate) module_path: &'static str,
    pub(crate) input: String,
    pub(crate) data: DataType,
    /// As people see it; the function's name when empty.
    pub(crate) name: String,
    pub(crate) key: Option<String>,
    pub(crate) long_running: bool,
    pub(crate) queue: Option<String>,
    /// An id that is the same on every attempt of the task that starts this one.
    pub(crate) task_id: Option<TaskId>,
}

impl Context {
    /// Starts a durable task, which continues after a crash, a deploy, or the loss of its machine: a fn with
    /// `#[durable_task]` and its input. Its outcome becomes a bot turn in the user's chat, as that of
    /// [`Context::background_task`].
    ///
    /// Nothing runs until the returned builder is awaited, and the await returns only after the task is on
    /// disk. The input is stored as JSON with the task.
    ///
    /// Limits: 180 s of running time, or 1800 s with [`long_running`](DurableTask::long_running); time between
    /// attempts does not count. 1,000 open tasks a user; over 100 running ones it waits for a slot. An input of
    /// 1 MiB.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # #[derive(Serialize, Deserialize)] struct Job { package: String }
    /// /// Generates the images of a package.
    /// #[durable_task]
    /// async fn generate(ctx: TaskContext, job: Job) -> Result<ActionResult> {
    ///     // ..
    /// #   Ok(ActionResult::done(job.package))
    /// }
    ///
    /// # async fn start(ctx: Context, package: String) -> Result<ActionResult> {
    /// let key = format!("package {package}");
    /// ctx.durable_task(generate::with(Job { package })).key(key).long_running(true).await?;
    /// # Ok(ActionResult::done("Generating the images…")) }
    /// ```
    ///
    /// # Errors
    /// As [`Context::background_task`]; `INTERNAL` also for an input that is no JSON and for a task of another
    /// extension. In the body of a durable task outside of a step, a start needs a
    /// [`key`](DurableTask::key): without one it would start again on each attempt.
    #[track_caller]
    pub fn durable_task(&self, task: PreparedTask) -> DurableTask {
        let (parent, name, place) = (self.clone(), String::new(), Location::caller());
        DurableTask { parent, task, name, key: None, long_running: false, queue: None, place }
    }

    /// The id of a task that this context starts, if it must be the same on every attempt. `content` is
    /// all that is known of the task.
    ///
    /// # Errors
    /// `INTERNAL` in the body of a durable task outside of a step, without a key; `STEP_IN_STEP` in a step with
    /// another context than the step's.
    pub(in crate::context) fn started_task_id(
        &self,
        key: Option<&str>,
        content: &[&str],
        place: Place,
    ) -> Result<Option<TaskId>> {
        if self.durable_run().is_none() {
            return Ok(None);
        }
        self.check_outside_of_steps("A task")?;
        let parts: Vec<&[u8]> = content.iter().chain([&key.unwrap_or_default()]).map(|part| part.as_bytes()).collect();
        let content = digest(&parts);
        match (self.step_scope(), self.durable_run(), key) {
            (Some(scope), ..) => Ok(Some(scope.task_id(&content))),
            (None, Some(run), Some(_)) => {
                Ok(Some(task_id_outside(run.root_task, &content, run.count_started(content))))
            }
            (None, Some(_), None) => {
                self.note_hazard(Hazard::Start { place });
                Err(Error::internal(
                    "a durable task that starts another needs a `.key(..)` for it, or starts it in a step: otherwise \
                     it would start again on each attempt"
                        .to_owned(),
                ))
            }
            (None, None, _) => Ok(None),
        }
    }
}

/// A durable task to be started: await it. Made by [`Context::durable_task`].
#[must_use = "the task never starts unless this is awaited: add `.await?`"]
pub struct DurableTask {
    parent: Context,
    task: PreparedTask,
    name: String,
    key: Option<String>,
    long_running: bool,
    queue: Option<String>,
    place: Place,
}

/// Largest input, as JSON, in bytes.
const INPUT_LIMIT: usize = 1 << 20;

impl DurableTask {
    /// A name for the task list and the log; the function's name when not given. Cut at 100 bytes.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = cut_name(self.parent.origin().secrets.replace(&name.into()).into_owned());
        self
    }

    /// Lets at most one open task of this extension exist for this user under the key. See
    /// [`BackgroundTask::key`](crate::context::BackgroundTask::key). A task that waits keeps its key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Raises the cap from 180 s to 1800 s of running time.
    pub fn long_running(mut self, long_running: bool) -> Self {
        self.long_running = long_running;
        self
    }

    /// Starts the task in a queue that the program declares with [`App::queue`](crate::App::queue): it waits until the
    /// queue has a slot for it, and gives the slot up while it sleeps or waits for an answer. The await does not wait
    /// for the slot.
    ///
    /// # Errors
    /// The await fails with `INTERNAL` if there is no such queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    fn request(self) -> Result<(Context, DurableRequest)> {
        let Self { parent, task, name, key, long_running, queue, place } = self;
        parent.check_active()?;
        key.as_deref().map_or(Ok(()), check_key)?;
        let input = task.input.map_err(|why| {
            Error::internal(format!("the input of the durable task `{}` cannot be stored as JSON: {why}", task.name))
        })?;
        if input.len() > INPUT_LIMIT {
            let text = format!("the input of a durable task has at most {INPUT_LIMIT} bytes, not {}", input.len());
            return Err(Error::internal(text));
        }
        let task_id = parent.started_task_id(key.as_deref(), &["durable", task.name, &input, &name], place)?;
        let PreparedTask { name: task_name, module_path, data, .. } = task;
        let request = DurableRequest { task_name, module_path, input, data, name, key, long_running, queue, task_id };
        Ok((parent, request))
    }
}

impl IntoFuture for DurableTask {
    type Output = Result<TaskId>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<TaskId>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        match self.request() {
            Ok((parent, request)) => parent.services().host.clone().start_durable_task(parent, request),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

impl fmt::Debug for DurableTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableTask")
            .field("task", &self.task.name)
            .field("name", &self.name)
            .field("key", &self.key)
            .field("long_running", &self.long_running)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
