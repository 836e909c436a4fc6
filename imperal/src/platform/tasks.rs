//! The start of background tasks, and the parts that the starts of all tasks share.
//!
//! From the moment its row is written, a task runs in a tokio task of its own: a handler that is dropped
//! meanwhile leaves no row behind without work.

use std::mem;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::lazy;
use tokio::sync::oneshot;
use tracing::Instrument;

use super::Node;
use super::acceptance::{Acceptance, StartWith, WaitingStart};
use super::active::ActiveWork;
use super::durable_write::{Written, write_backoff};
use super::ledger_errors::{unavailable, unreadable};
use super::task_run::TaskRun;
use crate::codes;
use crate::context::{Context, Origin, StopReason, TaskBody, TaskRequest, WorkSpan};
use crate::error::{Error, RunningTask};
use crate::failpoint;
use crate::ids::TaskId;
use crate::ledger::{LedgerError, NewTask, Owner, Task, TaskRecord, TaskState, Work};
use crate::result::{DataType, Result};
use crate::task::{Ending, Returned};
use crate::trace;

/// The answer to the one that starts a task.
pub(super) struct ParentAnswer {
    started: Option<oneshot::Sender<Result<TaskId>>>,
    /// In a deferred call, which may not be in the ledger yet.
    acceptance: Option<Arc<Acceptance>>,
}

impl ParentAnswer {
    pub(super) fn new(started: oneshot::Sender<Result<TaskId>>, acceptance: Option<Arc<Acceptance>>) -> Self {
        Self { started: Some(started), acceptance }
    }

    /// The first answer counts.
    pub(super) fn tell(&mut self, answer: Result<TaskId>) {
        if let Some(started) = self.started.take() {
            let _ = started.send(answer);
        }
    }
}

/// The start of a background task. A parked task does not keep it.
struct TaskStart {
    parent: Work,
    answer: ParentAnswer,
    task: TaskRequest,
}

/// A task that was written with its call.
struct WithCall {
    written: Written<Task>,
    /// It came too late to run.
    is_late: bool,
    /// Dropped once it runs, or does not.
    begins: oneshot::Sender<()>,
}

impl Node {
    /// Starts a task for the call or task `parent`. Returns once the task's row is on disk, or earlier: see
    /// [`super::acceptance`].
    pub(super) async fn start_background_task(self: Arc<Self>, starter: Context, task: TaskRequest) -> Result<TaskId> {
        self.check_starting(&starter).await?;
        let origin = starter.origin();
        self.check_data_model(origin, task.data)?;
        let parent_work = self.active.find_starter(&starter).ok_or_else(Error::cancelled)?;
        let (sender, answered) = oneshot::channel();
        let answer = ParentAnswer::new(sender, parent_work.acceptance);
        let task_id = task.task_id.unwrap_or_else(TaskId::generate);
        let parent = origin.work();
        let origin = Origin { task_id: Some(task_id), attempt: 1, ..origin.clone() };
        let span = tracing::info_span!(
            parent: None, "task", app = origin.app_id, function = origin.function, call = %origin.call_id,
            task = %task_id, user = %origin.user.id
        );
        trace::named(&span, "task", origin.function);
        trace::link(&span, starter.span());
        let ctx = Context::new(origin, starter.services().clone(), WorkSpan::of(&span));
        // The row of a task that runs is in the ledger, and so is its call.
        let work = ActiveWork { ctx, acceptance: None, ..parent_work };
        let start = Box::new(TaskStart { parent, answer, task });
        self.tracker.spawn(guarded_task(self.clone(), work, start).instrument(span));
        answered.await.unwrap_or_else(|_| Err(Error::platform(codes::UNAVAILABLE, "The task was cut off.")))
    }

    /// Refuses a task whose result has data of another type than the function's `data_model`: the manifest
    /// promises that type to every reader of the outcome.
    pub(super) fn check_data_model(&self, origin: &Origin, data: DataType) -> Result<()> {
        let function = self.registry.extension(origin.app_id).and_then(|extension| extension.function(origin.function));
        match function.and_then(|function| function.data_model).map(|model| model()) {
            Some(model) if model != data && !data.is_unit() => Err(Error::internal(format!(
                "the task of `{}` returns `ActionResult<{}>`, but its `data_model` is `{}`: make both the same",
                origin.function, data.name, model.name
            ))),
            _ => Ok(()),
        }
    }

    /// The row of a new task, without key and cap of its own.
    pub(super) fn new_task(&self, run: &TaskRun<'_>, parent: Work) -> NewTask {
        let origin = run.work.ctx.origin();
        let mut row = NewTask::new(origin.call_id, Owner::from(&origin.user), origin.app_id, origin.function)
            .name(&*run.name)
            .parent(parent)
            .max_running(self.settings.tasks_per_user)
            .max_open(self.settings.open_tasks_per_user);
        (row.task_id, row.cap) = (run.attempt.task_id, run.limits.cap);
        row
    }

    /// Refuses a start on a node that stops. A durable task that starts another is handed over instead: its next
    /// attempt starts it.
    pub(super) async fn check_starting(&self, starter: &Context) -> Result<()> {
        if self.stopping.is_cancelled() {
            starter.wait_for_hand_over().await;
        }
        self.check_accepting()
    }

    /// Writes the row of a new task. Returns the answer for its parent, and whether the task runs here: then it is
    /// registered. `derived` says that an earlier attempt of the parent may have started it. A parent that hears
    /// of the task early has its answer before.
    ///
    /// When the answer of the write was lost, the ledger is asked what is stored. Meanwhile another loop of this
    /// node may have claimed a task that waited for a slot; the register decides which of the two runs it.
    pub(super) async fn store_start(
        &self,
        run: &TaskRun<'_>,
        row: NewTask,
        derived: bool,
        parent: &mut ParentAnswer,
    ) -> (Result<TaskId>, bool) {
        let (incarnation, task_id) = (&run.work.lease.incarnation, row.task_id);
        let asked = tokio::time::Instant::now();
        run.work.tasks.note_start();
        let (mut is_late, mut _begins) = (false, None);
        let written = match self.start_with_call(&row, parent).await {
            Ok(Some(with_call)) => {
                (is_late, _begins) = (with_call.is_late, Some(with_call.begins));
                Ok(with_call.written)
            }
            Ok(None) => self.write_idempotent("task", || self.ledger.start_task(incarnation, row.clone())).await,
            Err(over) => return (Err(over), false),
        };
        let stored = match written {
            Ok(Written::Now(task)) => Some(task),
            Ok(Written::Earlier) | Err(LedgerError::Indeterminate(_)) => {
                let found = self.find_stored(run, task_id).await;
                found.filter(|record| record.incarnation == **incarnation).map(|record| record.task)
            }
            Err(LedgerError::IdExists) if derived => return (Ok(task_id), false),
            Err(error) => return (Err(self.start_refusal(error).await), false),
        };
        match stored {
            Some(task) if is_late && task.state == TaskState::Running && task.attempt() == run.attempt => {
                if run.begin() {
                    run.work.ctx.signal().close(StopReason::Interrupted);
                    Box::pin(run.finish(Some(Ending::Interrupted))).await;
                }
                (Err(Error::cancelled()), false)
            }
            Some(task) if task.state == TaskState::Running && task.attempt() == run.attempt => {
                if let Some(durable) = run.work.ctx.durable_run() {
                    durable.set_ledger_time(task.created_at, asked, tokio::time::Instant::now());
                }
                self.meters.tasks_started.inc();
                (Ok(task_id), run.begin())
            }
            Some(_) => (Ok(task_id), false),
            None => {
                let why = LedgerError::Indeterminate("the start of the task was not confirmed".to_owned());
                (Err(self.start_refusal(why).await), false)
            }
        }
    }

    /// Starts the task in the transaction that writes its call, if that is still to come. `None` if the task has to be
    /// written alone.
    ///
    /// # Errors
    /// When the call is over without having been written, or its handler runs again.
    async fn start_with_call(&self, row: &NewTask, parent: &mut ParentAnswer) -> Result<Option<WithCall>> {
        let Some(acceptance) = parent.acceptance.clone() else { return Ok(None) };
        let written = |task: Option<Box<Task>>| task.map_or(Written::Earlier, |task| Written::Now(*task));
        if let Some(WaitingStart { answer, begins }) = acceptance.start(row) {
            if acceptance.tells_early() {
                parent.tell(Ok(row.task_id));
            }
            match answer.await {
                Ok(StartWith::Stored(task)) => {
                    return Ok(Some(WithCall { written: written(task), is_late: false, begins }));
                }
                Ok(StartWith::TooLate(task)) => {
                    return Ok(Some(WithCall { written: written(task), is_late: true, begins }));
                }
                Ok(StartWith::CallAlone) | Err(_) => {}
            }
        }
        if acceptance.decided().await { Ok(None) } else { Err(Error::cancelled()) }
    }

    /// The task's row, once the ledger answers. `None` if there is no row, and when the lease was lost.
    async fn find_stored(&self, run: &TaskRun<'_>, task_id: TaskId) -> Option<TaskRecord> {
        let mut backoff = write_backoff();
        loop {
            match self.ledger.find_task(task_id).await {
                Ok(found) => return found,
                Err(error) => tracing::warn!(%error, "whether a task is stored cannot be read yet"),
            }
            tokio::select! {
                () = run.work.lease.lost.cancelled() => return None,
                () = self.ended.cancelled() => return None,
                () = tokio::time::sleep(backoff.next_wait()) => {}
            }
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
    pub(super) async fn start_refusal(&self, error: LedgerError) -> Error {
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

/// Starts a task and runs it. A parked task keeps this future for up to half an hour.
#[expect(clippy::manual_async_fn, reason = "an async fn holds its arguments twice")]
fn guarded_task(node: Arc<Node>, work: ActiveWork, mut start: Box<TaskStart>) -> impl Future<Output = ()> + Send {
    async move {
        let name = mem::take(&mut start.task.name);
        let Some(run) = TaskRun::first(&node, &work, name, start.task.long_running) else { return };
        // The start has a box of its own, which is gone once the task runs.
        let running = async {
            let Some(body) = Box::pin(store_task(&run, start)).await else { return };
            let ctx = work.ctx.clone();
            // The closure begins in the tokio task that is supervised, and needs no box besides that of its future.
            let body = lazy(move |_| body(ctx)).flatten();
            run.run(body.map(|answer| Returned::Answer(answer.map(Box::new)))).await;
        };
        run.guarded(running).await;
    }
}

/// Writes the task's row and answers the parent. `None` when the ledger refuses the task.
async fn store_task(run: &TaskRun<'_>, start: Box<TaskStart>) -> Option<TaskBody> {
    let TaskRun { node, work, .. } = *run;
    let TaskStart { parent, mut answer, task } = *start;
    let mut row = node.new_task(run, parent);
    (row.key, row.long_running) = (task.key, task.long_running);
    failpoint::hit("before-task-row");
    let (stored, runs_here) = node.store_start(run, row, task.task_id.is_some(), &mut answer).await;
    failpoint::hit("after-task-row");
    if !runs_here {
        trace::ended(work.ctx.span(), "refused", stored.is_err());
    }
    answer.tell(stored);
    runs_here.then_some(task.body)
}
