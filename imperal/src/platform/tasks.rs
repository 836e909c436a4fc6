//! Background tasks: start, run, end.
//!
//! From the moment its row is written, a task runs in a tokio task of its own: a handler that is dropped
//! meanwhile leaves no row behind without work. A [`TaskRun`] is one run of a task whose row is in the ledger.
//! It does not know how the row came there or what the body is, so another kind of task can be run by it too.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use tracing::Instrument;

use super::Node;
use super::active::ActiveWork;
use super::ledger_errors::{unavailable, unreadable};
use super::messages::{self, WorkRef};
use crate::codes;
use crate::context::{Context, Origin, StopReason, TaskBody, TaskRequest, WorkSpan};
use crate::error::{Error, RunningTask};
use crate::failpoint;
use crate::ids::TaskId;
use crate::ledger::{Attempt, LedgerError, NewTask, Owner, Task, TaskState, Work};
use crate::panic_text::{log_excerpt, panic_text};
use crate::result::{DataType, Result};
use crate::task::{Ending, Label, Limits, supervise};
use crate::trace;

impl Node {
    /// Starts a task for the call or task `parent`. Returns once the task's row is on disk.
    pub(super) async fn start_background_task(self: Arc<Self>, starter: Context, task: TaskRequest) -> Result<TaskId> {
        self.check_accepting()?;
        let origin = starter.origin();
        self.check_data_model(origin, task.data)?;
        let Some(parent_work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let (started, start) = oneshot::channel();
        let task_id = TaskId::generate();
        let parent = origin.work();
        let origin = Origin { task_id: Some(task_id), attempt: 1, ..origin.clone() };
        let span = tracing::info_span!(
            parent: None, "task", app = origin.app_id, function = origin.function, call = %origin.call_id,
            task = %task_id, user = %origin.user.id
        );
        trace::named(&span, "task", origin.function);
        trace::link(&span, starter.span());
        let ctx = Context::new(origin, starter.services().clone(), WorkSpan::of(&span));
        let work = ActiveWork { ctx, ..parent_work };
        let node = self.clone();
        self.tracker.spawn(guarded_task(node, work, parent, task_id, task, started).instrument(span));
        start.await.unwrap_or_else(|_| Err(Error::platform(codes::UNAVAILABLE, "The task was cut off.")))
    }

    /// Refuses a task whose result has data of another type than the function's `data_model`: the manifest
    /// promises that type to every reader of the outcome.
    fn check_data_model(&self, origin: &Origin, data: DataType) -> Result<()> {
        let function = self.registry.extension(origin.app_id).and_then(|extension| extension.function(origin.function));
        match function.and_then(|function| function.data_model).map(|model| model()) {
            Some(model) if model != data && !data.is_unit() => Err(Error::internal(format!(
                "the task of `{}` returns `ActionResult<{}>`, but its `data_model` is `{}`: make both the same",
                origin.function, data.name, model.name
            ))),
            _ => Ok(()),
        }
    }

    /// The running task of the origin's extension and user under a key.
    pub(super) async fn find_running_task(&self, origin: &Origin, key: &str) -> Result<Option<RunningTask>> {
        let tasks = self.ledger.open_tasks(&Owner::from(&origin.user)).await.map_err(|error| unreadable(&error))?;
        let found = tasks.into_iter().find(|task| task.app_id == origin.app_id && task.key.as_deref() == Some(key));
        Ok(found.map(|task| self.with_progress(task)))
    }

    /// The task with its latest progress: the ledger's, or a later report that is not stored yet.
    fn with_progress(&self, task: Task) -> RunningTask {
        let unsent = self.progress.unsent(task.attempt());
        let (mut percent, mut stage) = (task.percent, task.message);
        if let Some(latest) = unsent {
            (percent, stage) = (latest.percent.or(percent), latest.message.or(stage));
        }
        RunningTask { percent, stage, ..RunningTask::new(task.task_id, &task.name) }
    }

    /// The error for a task that the ledger refused to start.
    async fn start_refusal(&self, error: LedgerError) -> Error {
        match error {
            LedgerError::AlreadyRunning(running) => {
                // Its progress makes the answer better. Without it the answer is still right.
                let found = self.ledger.find_task(running.task_id).await.ok().flatten();
                Error::running_already(found.map_or(running, |record| self.with_progress(record.task)))
            }
            LedgerError::TooManyTasks(limit) => Error::retryable(
                codes::RATE_LIMITED,
                format!("You have {limit} tasks running already. Wait for one to end, or cancel one."),
            ),
            error => unavailable(&error),
        }
    }
}

/// One run of a task whose row is in the ledger.
struct TaskRun<'a> {
    node: &'a Node,
    work: &'a ActiveWork,
    task_id: TaskId,
    name: String,
    limits: Limits,
    started_at: Instant,
}

/// Runs a task. A panic in the platform's own code still ends the task with an outcome.
async fn guarded_task(
    node: Arc<Node>,
    work: ActiveWork,
    parent: Work,
    task_id: TaskId,
    task: TaskRequest,
    started: oneshot::Sender<Result<TaskId>>,
) {
    let (started_at, limits) = (Instant::now(), node.task_limits(task.long_running));
    let running = run_task(&node, &work, parent, task_id, task, started);
    let Err(payload) = AssertUnwindSafe(running).catch_unwind().await else { return };
    tracing::error!(panic = log_excerpt(&panic_text(payload)), "the platform panicked while it ran a task");
    work.ctx.signal().close(StopReason::Interrupted);
    let name = work.ctx.origin().function.to_owned();
    let run = TaskRun { node: &node, work: &work, task_id, name, limits, started_at };
    Box::pin(run.finish(Some(Ending::Interrupted))).await;
}

async fn run_task(
    node: &Node,
    work: &ActiveWork,
    parent: Work,
    task_id: TaskId,
    task: TaskRequest,
    started: oneshot::Sender<Result<TaskId>>,
) {
    // Start and end have boxes of their own: a parked task keeps the rest for up to half an hour.
    let Some((run, body)) = Box::pin(store_task(node, work, parent, task_id, task, started)).await else { return };
    let ctx = work.ctx.clone();
    let body = node.watchdog.watch(Label::Task(task_id, run.name.clone()), async move { body(ctx).await });
    // Pinned here: passed by value, the future would be stored three times in a parked task.
    let mut supervised = pin!(supervise(&work.ctx, body, run.limits, &node.killing));
    let ending = work.lease.lost.run_until_cancelled(supervised.as_mut()).await;
    failpoint::hit("work-done");
    Box::pin(run.finish(ending)).await;
}

/// Writes the task's row and answers the parent. `None` when the ledger refuses the task.
async fn store_task<'a>(
    node: &'a Node,
    work: &'a ActiveWork,
    parent: Work,
    task_id: TaskId,
    task: TaskRequest,
    started: oneshot::Sender<Result<TaskId>>,
) -> Option<(TaskRun<'a>, TaskBody)> {
    let origin = work.ctx.origin();
    let limits = node.task_limits(task.long_running);
    let name = if task.name.is_empty() { origin.function.to_owned() } else { task.name };
    let row = NewTask {
        task_id,
        call_id: origin.call_id,
        parent,
        owner: Owner::from(&origin.user),
        app_id: origin.app_id.to_owned(),
        function: origin.function.to_owned(),
        name: name.clone(),
        key: task.key,
        long_running: task.long_running,
        cap: limits.cap,
        max_running: node.settings.tasks_per_user,
        max_open: node.settings.open_tasks_per_user,
        durable: None,
    };
    failpoint::hit("before-task-row");
    let incarnation = &work.lease.incarnation;
    if let Err(error) = node.write_idempotent("task", || node.ledger.start_task(incarnation, row.clone())).await {
        let _ = started.send(Err(node.start_refusal(error).await));
        trace::ended(work.ctx.span(), "refused", true);
        return None;
    }
    failpoint::hit("after-task-row");
    node.meters.tasks_started.inc();
    let run = TaskRun { node, work, task_id, name, limits, started_at: Instant::now() };
    node.active.insert(work.clone());
    node.progress.open(Attempt::first(task_id), incarnation.clone());
    let _ = started.send(Ok(task_id));
    Some((run, task.body))
}

impl TaskRun<'_> {
    /// Writes the outcome, once the call has its reply. Writes nothing when the lease was lost (`None`).
    async fn finish(&self, ending: Option<Ending>) {
        let Self { node, work, task_id, .. } = *self;
        let took = self.started_at.elapsed();
        let origin = work.ctx.origin();
        let incarnation = &work.lease.incarnation;
        let unsent = node.progress.close(Attempt::first(task_id));
        node.active.remove(origin);
        let Some(ending) = ending else {
            tracing::warn!("the lease was lost: another node takes over the task");
            trace::ended(work.ctx.span(), "lost", true);
            return;
        };
        // The outcome never comes before the call's reply.
        if work.lease.lost.run_until_cancelled(work.replied.cancelled()).await.is_none() {
            return trace::ended(work.ctx.span(), "lost", true);
        }
        if let Some(latest) = unsent {
            // The last progress of the task. A failure does not delay the outcome.
            let _ = node.ledger.note_progress(incarnation, vec![(1, latest)]).await;
        }
        failpoint::hit("before-outcome");
        let end = messages::task_end(WorkRef::from(origin), &self.name, ending, &self.limits);
        tracing::debug!(state = end.state.as_str(), "task ended");
        // Counted before the write: a reader that sees the outcome finds it counted.
        node.meters.task(end.state, took);
        let write = || node.ledger.finish_task(incarnation, Attempt::first(task_id), end.clone());
        if !node.retry_until_durable("outcome", write).await {
            return trace::ended(work.ctx.span(), "lost", true);
        }
        let failed = !matches!(end.state, TaskState::Succeeded | TaskState::Cancelled);
        trace::ended(work.ctx.span(), end.state.as_str(), failed);
        failpoint::hit("after-outcome");
    }
}
