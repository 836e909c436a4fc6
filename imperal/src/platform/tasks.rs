//! `ctx.background_task`, the platform's side.
//!
//! From the moment the row is asked for, everything runs in a task of its own: a handler that is
//! dropped meanwhile cannot leave a row behind that nobody works on.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tracing::Instrument;

use super::active::ActiveWork;
use super::messages::{self, WorkRef};
use super::{Node, unavailable};
use crate::codes;
use crate::context::{Context, NewBackground, Origin, SpawnTask, Work};
use crate::error::Error;
use crate::failpoint;
use crate::function::DataType;
use crate::ids::TaskId;
use crate::ledger::{LedgerError, NewTask, Owner, TaskState};
use crate::panic_text::{log_excerpt, panic_text};
use crate::result::Result;
use crate::task::{Ending, Label, Limits, supervise};
use crate::trace::{self, WorkSpan};

impl SpawnTask for Node {
    fn spawn(
        self: Arc<Self>,
        parent: Context,
        task: NewBackground,
    ) -> Pin<Box<dyn Future<Output = Result<TaskId>> + Send>> {
        Box::pin(async move {
            self.accepting()?;
            let origin = parent.origin();
            self.check_data_model(origin, task.data)?;
            let Some(parent_active) = self.active.of(origin) else { return Err(Error::cancelled()) };
            let (started, start) = tokio::sync::oneshot::channel();
            let origin = Origin { task_id: Some(TaskId::generate()), ..origin.clone() };
            let span = tracing::info_span!(
                parent: None, "task", app = origin.app_id, function = origin.function, call = %origin.call_id,
                task = origin.task_id.map(tracing::field::display), user = %origin.user.id
            );
            trace::named(&span, "task", origin.function);
            trace::link(&span, parent.span());
            let ctx = Context::new(origin, parent.ports().clone(), WorkSpan::of(&span));
            let active = ActiveWork { ctx, ..parent_active };
            let node = self.clone();
            self.tracker.spawn(guarded_task(node, active, task, started).instrument(span));
            start.await.unwrap_or_else(|_| Err(Error::platform(codes::UNAVAILABLE, "The task was cut off.")))
        })
    }
}

impl Node {
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
}

/// A task whose row is in the ledger.
struct Begun {
    task_id: TaskId,
    name: String,
    limits: Limits,
    work: Work,
    at: Instant,
}

/// Runs a task. A panic in the platform's own code leaves no task without its outcome.
async fn guarded_task(
    node: Arc<Node>,
    active: ActiveWork,
    task: NewBackground,
    started: tokio::sync::oneshot::Sender<Result<TaskId>>,
) {
    let (begun, limits) = (Instant::now(), node.task_limits(task.long_running));
    let running = run_task(&node, &active, task, started);
    let Err(payload) = AssertUnwindSafe(running).catch_unwind().await else { return };
    tracing::error!(panic = log_excerpt(&panic_text(payload)), "the platform panicked while it ran a task");
    let origin = active.ctx.origin();
    active.ctx.signal().close();
    if let Some(task_id) = origin.task_id {
        let interrupted = Some(Ending::Interrupted);
        Box::pin(end(&node, &active, task_id, origin.function, limits, interrupted, begun.elapsed())).await;
    }
}

async fn run_task(
    node: &Node,
    active: &ActiveWork,
    task: NewBackground,
    started: tokio::sync::oneshot::Sender<Result<TaskId>>,
) {
    // Beginning and end have boxes of their own: what is parked for half an hour is the rest.
    let Some(Begun { task_id, name, limits, work, at }) = Box::pin(begin(node, active, task, started)).await else {
        return;
    };
    let ctx = active.ctx.clone();
    let work = node.watchdog.watch(Label::Task(task_id, name.clone()), async move { work(ctx).await });
    // Pinned here: handed over by value, it would be kept three times over in what is parked.
    let mut supervised = pin!(supervise(&active.ctx, work, limits, &node.killing));
    let ending = active.lease.lost.run_until_cancelled(supervised.as_mut()).await;
    failpoint::hit("work-done");
    Box::pin(end(node, active, task_id, &name, limits, ending, at.elapsed())).await;
}

/// Writes the task down and says so to whoever starts it; `None` when it is refused.
async fn begin(
    node: &Node,
    active: &ActiveWork,
    task: NewBackground,
    started: tokio::sync::oneshot::Sender<Result<TaskId>>,
) -> Option<Begun> {
    let origin = active.ctx.origin();
    let task_id = origin.task_id?;
    let limits = node.task_limits(task.long_running);
    let name = if task.name.is_empty() { origin.function.to_owned() } else { task.name };
    let row = NewTask {
        task_id,
        call_id: origin.call_id,
        owner: Owner::from(&origin.user),
        app_id: origin.app_id.to_owned(),
        function: origin.function.to_owned(),
        name: name.clone(),
        key: task.key,
        long_running: task.long_running,
        cap: limits.cap,
        max_running: node.settings.tasks_per_user,
    };
    failpoint::hit("before-task-row");
    if let Err(error) =
        node.write_idempotent("task", || node.ledger.start_task(&active.lease.incarnation, row.clone())).await
    {
        let _ = started.send(Err(refusal(error)));
        trace::ended(active.ctx.span(), "refused", true);
        return None;
    }
    failpoint::hit("after-task-row");
    node.meters.tasks_started.inc();
    let at = Instant::now();
    node.active.open(active.clone());
    node.progress.open(task_id, active.lease.incarnation.clone());
    let _ = started.send(Ok(task_id));
    Some(Begun { task_id, name, limits, work: task.work, at })
}

/// Writes down how it ended, once its call has its reply; nothing when the lease was lost.
async fn end(
    node: &Node,
    active: &ActiveWork,
    task_id: TaskId,
    name: &str,
    limits: Limits,
    ending: Option<Ending>,
    took: Duration,
) {
    let origin = active.ctx.origin();
    let unstored = node.progress.close(task_id);
    node.active.close(origin);
    let Some(ending) = ending else {
        tracing::warn!("the task was taken over: its lease was lost");
        trace::ended(active.ctx.span(), "lost", true);
        return;
    };
    // Never before the call's own reply.
    if active.lease.lost.run_until_cancelled(active.replied.cancelled()).await.is_none() {
        return trace::ended(active.ctx.span(), "lost", true);
    }
    if let Some(latest) = unstored {
        // Where it stood when it ended; no reason to hold up the outcome.
        let _ = node.ledger.note_progress(&active.lease.incarnation, vec![latest]).await;
    }
    failpoint::hit("before-outcome");
    let end = messages::task_end(WorkRef::from(origin), name, ending, &limits);
    tracing::debug!(state = end.state.as_str(), "task ended");
    // Whoever sees the outcome finds it counted.
    node.meters.task(end.state, took);
    if !node
        .retry_until_durable("outcome", || node.ledger.finish_task(&active.lease.incarnation, task_id, end.clone()))
        .await
    {
        return trace::ended(active.ctx.span(), "lost", true);
    }
    let failed = !matches!(end.state, TaskState::Succeeded | TaskState::Cancelled);
    trace::ended(active.ctx.span(), end.state.as_str(), failed);
    failpoint::hit("after-outcome");
}

fn refusal(error: LedgerError) -> Error {
    match error {
        LedgerError::AlreadyRunning(running) => Error::running_already(running),
        LedgerError::TooManyTasks(limit) => Error::retryable(
            codes::RATE_LIMITED,
            format!("You have {limit} tasks running already. Wait for one to end, or cancel one."),
        ),
        error => unavailable(&error),
    }
}
