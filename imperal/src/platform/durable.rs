//! Durable tasks on this node: their start, their steps, and hand-over.
//!
//! [`super::resume`] takes up tasks that another process left.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::Instrument;

use super::active::ActiveWork;
use super::ledger_errors::{unavailable, unreadable};
use super::task_run::TaskRun;
use super::tasks::ParentAnswer;
use super::{Node, Queue};
use crate::assistant;
use crate::codes;
use crate::context::{Context, DurableRequest, DurableRun, Leaving, Origin, StepMoment, TaskContext, WorkSpan};
use crate::error::Error;
use crate::failpoint;
use crate::function::{BoundTask, DurableDef};
use crate::ids::TaskId;
use crate::ledger::{Attempt, LedgerError, NewDurable, NewStep, Owner, StepKind, Work};
use crate::result::Result;
use crate::task::Returned;
use crate::trace;

/// How often a stopping node looks whether effects are in flight.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Node {
    /// Starts a durable task for the call or task that `starter` belongs to. Returns once its row is on disk, or earlier:
    /// see [`super::acceptance`].
    pub(super) async fn start_durable(self: Arc<Self>, starter: Context, task: DurableRequest) -> Result<TaskId> {
        self.check_starting(&starter).await?;
        let origin = starter.origin();
        self.check_data_model(origin, task.data)?;
        let def = self.durable_def(origin, &task)?;
        self.check_queue(origin, task.queue.as_deref())?;
        let parent_work = self.active.find_starter(&starter).ok_or_else(Error::cancelled)?;
        let bound = (def.bind)(&task.input).map_err(|why| {
            Error::internal(format!("the input of the durable task `{}` cannot be read back: {why}", def.name))
        })?;
        let (sender, answered) = oneshot::channel();
        let answer = ParentAnswer::new(sender, parent_work.acceptance);
        let task_id = task.task_id.unwrap_or_else(TaskId::generate);
        let attempt = Attempt::first(task_id);
        let parent = origin.work();
        let origin = Origin { task_id: Some(task_id), attempt: 1, ..origin.clone() };
        let span = task_span(&origin);
        trace::link(&span, starter.span());
        let run = DurableRun::first(attempt, task_id, self.settings.parked_from);
        let ctx = Context::durable(origin, starter.services().clone(), WorkSpan::of(&span), run);
        let work = ActiveWork { ctx, acceptance: None, ..parent_work };
        let node = self.clone();
        self.tracker.spawn(guarded_start(node, work, parent, (task, bound), answer).instrument(span));
        answered.await.unwrap_or_else(|_| Err(Error::platform(codes::UNAVAILABLE, "The task was cut off.")))
    }

    /// The durable task that a request names. It belongs to the extension that starts it.
    fn durable_def(&self, origin: &Origin, task: &DurableRequest) -> Result<&'static DurableDef> {
        let extension = self.registry.extension_of_task(origin.app_id);
        let def = extension.and_then(|extension| extension.durable_task(task.task_name));
        def.filter(|def| def.module_path == task.module_path).ok_or_else(|| {
            Error::internal(format!(
                "the durable task `{}` of `{}` is not one of the extension `{}`: start it from its own extension",
                task.task_name, task.module_path, origin.app_id
            ))
        })
    }

    /// Refuses a queue that this program does not declare.
    fn check_queue(&self, origin: &Origin, queue: Option<&str>) -> Result<()> {
        let declared = &self.settings.queues;
        let is_own = origin.app_id == assistant::APP_ID && queue == Some(assistant::QUEUE);
        match queue.filter(|name| !is_own && !declared.iter().any(|queue| queue.name() == *name)) {
            None => Ok(()),
            Some(name) => Err(Error::internal(Queue::unknown(name, declared))),
        }
    }

    /// Stores a step of an attempt, which was registered when this was asked for. The step's work is done, so this
    /// insists until the step is stored, or another attempt has the right to write, or the node ends.
    pub(super) async fn store_step_of(&self, work: ActiveWork, step: NewStep) -> Result<()> {
        let origin = work.ctx.origin();
        let Work::Task(attempt) = origin.work() else { return Err(Error::cancelled()) };
        let quota = self.step_quota.take(&Owner::from(&origin.user), step.value.len() as u64, self.max_stored());
        // The outcome of an effect is stored over the quota too: it has happened.
        if !matches!(step.kind, StepKind::Effect | StepKind::NotDone) {
            quota?;
        }
        let incarnation = work.lease.incarnation.clone();
        self.pause_before_step(origin, &work).await?;
        let stored = self.insist(&work, "a step", || self.ledger.store_step(&incarnation, attempt, step.clone())).await;
        match stored {
            // The ordinal is this attempt's own: an earlier write of the same step was stored.
            Ok(()) | Err(LedgerError::IdExists) => {}
            // The node has ended before the ledger answered.
            Err(error) if error.is_failure() && !work.lease.lost.is_cancelled() => return Err(unavailable(&error)),
            Err(error) => return Err(Error::cancelled().with_source(format!("the step was not stored: {error}"))),
        }
        self.pause_after_step(origin, &work).await
    }

    /// A place where tests stop a step whose work is done.
    pub(super) async fn pause_before_step(&self, origin: &Origin, work: &ActiveWork) -> Result<()> {
        failpoint::hit("before-step");
        match self.progress.pause_at_step(origin, StepMoment::Done) {
            // The lease is lost: another node counts this process as dead, and it writes nothing more.
            Some(pause) => work.lease.lost.run_until_cancelled(pause).await.ok_or_else(Error::cancelled),
            None => Ok(()),
        }
    }

    /// A place where tests stop a step that is stored.
    pub(super) async fn pause_after_step(&self, origin: &Origin, work: &ActiveWork) -> Result<()> {
        failpoint::hit("after-step");
        match self.progress.pause_at_step(origin, StepMoment::Stored) {
            Some(pause) => work.lease.lost.run_until_cancelled(pause).await.ok_or_else(Error::cancelled),
            None => Ok(()),
        }
    }

    /// The value of a stored step.
    pub(super) async fn read_step_value(&self, origin: &Origin, ordinal: u16) -> Result<Option<String>> {
        let Some(task_id) = origin.task_id else { return Ok(None) };
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let read = self.insist(&work, "the value of a step", || self.ledger.step_value(task_id, ordinal)).await;
        read.map_err(|error| unreadable(&error))
    }

    /// Waits until no effect of a task that runs here is in flight, but no longer than until then: one that is cut off
    /// is unknown.
    pub(super) async fn wait_for_effects(&self, until: tokio::time::Instant) {
        let has_effects = |ctx: &Context| ctx.durable_run().is_some_and(|run| run.has_effects());
        let waiting = async {
            while self.active.contexts().iter().any(has_effects) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let _ = tokio::time::timeout_at(until, waiting).await;
    }

    /// Asks all durable tasks that run here to leave as soon as nothing of theirs is in flight.
    pub(super) fn hand_over_durable(&self) {
        for ctx in self.active.contexts() {
            if let Some(run) = ctx.durable_run() {
                run.ask_hand_over();
            }
        }
    }
}

impl Node {
    /// Notes that work of this process has started a task that a claim takes, and looks for it. If its call has no reply
    /// yet, the reply announces it.
    pub(super) fn note_queued(&self) {
        self.has_queued.store(true, Ordering::Release);
        self.ledger.feed().announce_ready_task();
    }
}

/// The error of a task that its user stopped because of an unknown effect. A new task can go on from it.
fn stopped(task_id: TaskId) -> Error {
    let text = format!("Task {task_id} was stopped. You can go on from it: it asks again.");
    Error::platform(codes::EFFECT_UNKNOWN, text)
}

/// The span of an attempt of a durable task.
pub(super) fn task_span(origin: &Origin) -> tracing::Span {
    let span = tracing::info_span!(
        parent: None, "task", app = origin.app_id, function = origin.function, call = %origin.call_id,
        task = origin.task_id.map(tracing::field::display), user = %origin.user.id
    );
    trace::named(&span, "task", origin.function);
    span
}

/// Starts a task and runs its first attempt.
async fn guarded_start(
    node: Arc<Node>,
    work: ActiveWork,
    parent: Work,
    (task, bound): (DurableRequest, BoundTask),
    answer: ParentAnswer,
) {
    let Some(run) = TaskRun::first(&node, &work, task.name.clone(), task.long_running) else { return };
    run.guarded(async {
        let in_queue = task.queue.is_some();
        if Box::pin(store_durable(&run, parent, task, answer)).await {
            run.run(Box::pin(durable_body(&work.ctx, bound))).await;
        } else if in_queue {
            node.note_queued();
        }
    })
    .await;
}

/// Writes the row of a new task and answers the parent. Returns whether the task runs here.
async fn store_durable(run: &TaskRun<'_>, parent: Work, task: DurableRequest, mut parent_answer: ParentAnswer) -> bool {
    let TaskRun { node, work, .. } = *run;
    let task_id = run.attempt.task_id;
    let user = serde_json::to_string(&work.ctx.origin().user).unwrap_or_default();
    let mut durable = NewDurable::new(task_id, task.task_name, task.input, user).program(&node.settings.program);
    durable.queue = task.queue;
    let mut row = node.new_task(run, parent).durable(durable);
    (row.key, row.long_running) = (task.key, task.long_running);
    failpoint::hit("before-task-row");
    let (answer, runs_here) = node.store_start(run, row, task.task_id.is_some(), &mut parent_answer).await;
    failpoint::hit("after-task-row");
    if runs_here {
        // A stop that came before the registration did not reach this run.
        if let (true, Some(durable)) = (node.stopping.is_cancelled(), work.ctx.durable_run()) {
            durable.ask_hand_over();
        }
    } else {
        trace::ended(work.ctx.span(), if answer.is_ok() { "queued" } else { "refused" }, answer.is_err());
    }
    parent_answer.tell(answer);
    runs_here
}

/// The body of an attempt, which ends early when the attempt has to leave.
///
/// The body is polled first, and then, in the same poll, whether it may leave: so nothing that it begins in that
/// poll is cut off. A body that only waits does not use up its cap.
pub(crate) fn durable_body(ctx: &Context, bound: BoundTask) -> impl Future<Output = Returned> + Send + 'static {
    let ctx = ctx.clone();
    async move {
        let Some(run) = ctx.durable_run().cloned() else {
            return Returned::Left(Leaving::Misfit("the context has no attempt".to_owned()));
        };
        let mut body = bound(TaskContext::new(ctx.clone(), run.clone()));
        let mut leaving = pin!(run.leaving());
        poll_fn(|cx| {
            ctx.signal().put_off_by(run.body_runs());
            if let Poll::Ready(answer) = body.as_mut().poll(cx) {
                return Poll::Ready(Returned::Answer(answer.map(Box::new)));
            }
            let leaves = leaving.as_mut().poll(cx);
            if leaves.is_pending() {
                run.body_waits();
            }
            leaves.map(|leaving| match leaving {
                // The end names the effect.
                Leaving::Stopped(_) => Returned::Answer(Err(stopped(run.attempt.task_id))),
                leaving => Returned::Left(leaving),
            })
        })
        .await
    }
}
