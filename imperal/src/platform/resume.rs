//! Takes up durable tasks that other processes left: after a crash, a deploy, or a wait.
//!
//! A loop claims tasks that are ready, at each hint and at least every second. It never claims more than it may
//! run at once, and at most one suspect: a task whose attempts crashed their processes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::active::{ActiveWork, Lease};
use super::durable::{durable_body, task_span};
use super::durable_write::write_backoff;
use super::messages::{self, WorkRef};
use super::meters::Durable;
use super::task_run::TaskRun;
use super::{Node, Queue};
use crate::assistant;
use crate::context::{Context, DurableRun, Leaving, Origin, Services, StoredSteps, WorkSpan};
use crate::failpoint;
use crate::function::{BoundTask, DurableDef};
use crate::ids::TaskId;
use crate::ledger::{
    AttemptEnding, ClaimRequest, ClaimedTask, DurableName, DurableProgram, Incarnation, LedgerError, PageLimit,
    QueueLimit, Work,
};
use crate::panic_text::panic_text;
use crate::secrets::SecretsInUse;
use crate::task::Ending;
use crate::user::User;

/// Resumed tasks that run on one node at once.
pub(super) const RESUMED_AT_ONCE: usize = 256;
/// Tasks of one claim. Calls of users wait for the writer meanwhile: a larger batch is little faster.
const BATCH: usize = 16;
/// The steps of a task that are read at once. Many tasks may be read at the same time.
const STEPS_PAGE: PageLimit = PageLimit::rows(2_000).bytes(256 << 10);
/// How often tasks that are ready are looked at again.
const EVERY: Duration = Duration::from_secs(1);
/// A suspect is taken up only once the node has run for this long, so that it does not keep a process from
/// starting.
const SUSPECT_AFTER: Duration = Duration::from_secs(2);
/// Crashes in a row that end a task.
const MOST_CRASHES: u32 = 5;
/// Attempts in a row without progress that end a task, whatever ended them.
const MOST_FRUITLESS: u32 = 20;
/// How long a task may be ready before it counts as stuck, if no running program can take it.
const UNTAKEN: Duration = Duration::from_secs(30);

impl Node {
    /// Claims tasks that are ready until the platform stops.
    pub(super) async fn resume_loop(self: Arc<Self>, services: Arc<Services>) {
        let names = self.durable_names();
        let began = tokio::time::Instant::now();
        let mut registered = None;
        let mut wait = Duration::ZERO;
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.ledger.feed().ready_task_announced() => {}
                () = self.ended.cancelled() => return,
            }
            wait = self.settings.look_every;
            // A process of one command takes up its own tasks of queues: no other process would.
            let takes_up = self.settings.takes_up_tasks || self.has_queued.load(Ordering::Acquire);
            if names.is_empty() || !takes_up {
                // Nothing to claim. The loop stays, so that `/readyz` finds it at work.
                continue;
            }
            failpoint::hit("claim");
            self.register_names(&names, &mut registered).await;
            while self.claim_batch(&names, &services, began.elapsed() >= SUSPECT_AFTER).await {}
            wait = self.next_look(&names).await;
        }
    }

    /// How long the next look can wait: until the next task is ready, or as the settings say.
    async fn next_look(&self, names: &[DurableName]) -> Duration {
        let every = self.settings.look_every;
        match self.ledger.next_ready_in(names).await {
            // It was not taken: it waits for a slot or a permit.
            Ok(Some(Duration::ZERO)) => EVERY,
            Ok(Some(next)) => next.min(every),
            Ok(None) | Err(_) => every,
        }
    }

    /// Tells the ledger once in each incarnation which durable tasks this program has, so that no node takes a task that
    /// waits for this one for stuck. If it fails, the next round does it.
    async fn register_names(&self, names: &[DurableName], registered: &mut Option<Arc<Incarnation>>) {
        let incarnation = self.lease().incarnation.clone();
        if registered.as_ref() == Some(&incarnation) {
            return;
        }
        let program = DurableProgram::new(&self.settings.program, names.to_vec());
        match self.ledger.register_program(&incarnation, program).await {
            Ok(()) => *registered = Some(incarnation),
            Err(error) => tracing::debug!(%error, "the names of durable tasks are not registered yet"),
        }
    }

    /// The declared queues of each extension.
    pub(super) fn queue_limits(&self) -> Vec<QueueLimit> {
        let of = |app_id: &'static str| self.settings.queues.iter().map(move |queue| queue.limit(app_id));
        let mut limits: Vec<_> = self.registry.extensions().flat_map(|extension| of(extension.app_id())).collect();
        if let Some(builtin) = self.registry.builtin() {
            let queue = Queue::new(assistant::QUEUE).at_most(assistant::LOOPS_AT_ONCE).per_user(1);
            limits.push(queue.limit(builtin.app_id()));
        }
        limits
    }

    fn durable_names(&self) -> Vec<DurableName> {
        let extensions = self.registry.extensions().chain(self.registry.builtin());
        extensions
            .flat_map(|extension| {
                extension.durable_tasks().iter().map(|task| DurableName::new(extension.app_id(), task.name))
            })
            .collect()
    }

    /// Claims one batch and runs it. Returns whether there may be more.
    async fn claim_batch(self: &Arc<Self>, names: &[DurableName], services: &Arc<Services>, suspects: bool) -> bool {
        let limit = self.resumes.available_permits().min(BATCH);
        if limit == 0 || self.stopping.is_cancelled() || self.may_have_lapsed() {
            return false;
        }
        let lease = self.lease();
        let request = ClaimRequest::new(names.to_vec(), &self.settings.program, u32::try_from(limit).unwrap_or(1))
            .suspect(suspects && self.suspects.available_permits() > 0)
            .max_running(self.settings.tasks_per_user)
            .queues(self.queue_limits())
            .only_own(!self.settings.takes_up_tasks);
        let asked_at = tokio::time::Instant::now();
        let claimed = match self.ledger.claim_tasks(&lease.incarnation, request).await {
            Ok(claimed) => claimed,
            Err(LedgerError::Fenced) => return false,
            Err(error) => {
                if !self.ended.is_cancelled() {
                    tracing::warn!(%error, "looking for durable tasks failed");
                }
                return false;
            }
        };
        let is_full = claimed.len() >= limit;
        let answered_at = tokio::time::Instant::now();
        for task in claimed {
            failpoint::hit("claimed");
            if let Some(queue) = &task.record.task.queue
                && task.record.task.app_id != assistant::APP_ID
                && !self.settings.queues.iter().any(|declared| declared.name() == queue)
            {
                tracing::warn!(queue, "this program does not declare the task's queue: its tasks run one at a time");
            }
            if task.crashes > 1 {
                self.meters.durable(Durable::Suspect);
            } else if task.record.task.attempt > 1 {
                self.meters.durable(Durable::Resumed);
            }
            let suspect = if task.crashes > 1 { self.suspects.clone().try_acquire_owned().ok() } else { None };
            let (node, services, lease) = (self.clone(), services.clone(), lease.clone());
            self.tracker.spawn(async move {
                // A claim whose first answer was lost may have returned more than its limit.
                let Ok(permit) = node.resumes.clone().acquire_owned().await else { return };
                Box::pin(node.resume(services, lease, (task, asked_at, answered_at), (permit, suspect))).await;
            });
        }
        is_full
    }

    /// Runs a task, claimed at some time, to its end, its hand-over or its refusal.
    async fn resume(
        self: Arc<Self>,
        services: Arc<Services>,
        lease: Lease,
        (claimed, asked_at, answered_at): (ClaimedTask, tokio::time::Instant, tokio::time::Instant),
        _permits: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
    ) {
        let task = &claimed.record.task;
        let steps = if claimed.has_steps {
            self.read_steps(task.task_id, &lease.lost).await
        } else {
            Some(StoredSteps::default())
        };
        let Some(steps) = steps else { return };
        let Some(slept) = self.slept_unseen(task.task_id, &steps, &lease.lost).await else { return };
        let ran = claimed.ran.saturating_sub(slept);
        let run = DurableRun::resumed(task.attempt(), claimed.root_task, steps, self.settings.parked_from);
        run.set_ledger_time(claimed.claimed_at, asked_at, answered_at);
        run.note_slept_before(slept);
        let (origin, bound) = self.bind(&claimed);
        let span = task_span(&origin);
        let ctx = Context::durable(origin, services, WorkSpan::of(&span), run.clone());
        let work = ActiveWork { lease, ctx, acceptance: None, tasks: Arc::default() };
        // A claim requires the reply.
        work.tasks.note_reply();
        let limits = self.task_limits(task.long_running);
        let cap_left = limits.cap.saturating_sub(ran).max(Duration::from_secs(1));
        let attempt = task.attempt();
        let (name, started_at) = (task.name.clone().into(), Instant::now());
        let run = TaskRun { node: &self, work: &work, attempt, name, limits, cap_left, started_at };
        if !run.begin() {
            // The start of this attempt, whose answer was lost, runs it.
            return;
        }
        let running = self.continue_task(&run, (&claimed, answered_at), bound);
        Box::pin(run.guarded(running.instrument(span))).await;
    }

    async fn continue_task(
        &self,
        run: &TaskRun<'_>,
        (claimed, answered_at): (&ClaimedTask, tokio::time::Instant),
        bound: Result<BoundTask, String>,
    ) {
        let task = &claimed.record.task;
        if task.cancel_requested_at.is_some() {
            return run.finish(Some(Ending::Cancelled)).await;
        }
        if claimed.crashes >= MOST_CRASHES || claimed.fruitless >= MOST_FRUITLESS {
            tracing::error!(
                crashes = claimed.crashes,
                attempts = claimed.fruitless,
                "the task is ended: it does not get on"
            );
            self.progress.close(run.attempt);
            self.progress.drafts.close(Work::Task(run.attempt));
            self.active.remove(run.work.ctx.origin());
            let end = messages::crashed(WorkRef::from(run.work.ctx.origin()), &task.name, claimed.crashes);
            return run.end(end).await;
        }
        match bound {
            Ok(bound) => {
                let kept = run.work.ctx.durable_run().map_or(0, |run| run.so_far().kept);
                tracing::info!(attempt = task.attempt, kept, "the task goes on");
                if let Some(durable) = run.work.ctx.durable_run() {
                    self.progress.report_steps(run.attempt, durable.so_far());
                }
                if self.stopping.is_cancelled() {
                    return run.finish(Some(Ending::Left(Leaving::HandedOver))).await;
                }
                let (meters, body) = (self.meters.clone(), durable_body(&run.work.ctx, bound));
                let ready_for = claimed.ready_at.map(|at| claimed.claimed_at.duration_since(at));
                let ready_for = ready_for.map(|time| Duration::try_from(time).unwrap_or_default());
                // The first attempt after a wait in a queue is a start: how long it waited is the queue's.
                let is_start = task.attempt == 1;
                let body = Box::pin(async move {
                    if is_start {
                        meters.tasks_started.inc();
                    } else if let Some(ready_for) = ready_for {
                        meters.resumed(ready_for + answered_at.elapsed());
                    }
                    body.await
                });
                Box::pin(run.run(body)).await;
            }
            Err(why) => run.finish(Some(Ending::Left(Leaving::Misfit(why)))).await,
        }
    }

    /// Where a claimed task's surfaces belong, and its body, if this program can read the input.
    fn bind(&self, claimed: &ClaimedTask) -> (Origin, Result<BoundTask, String>) {
        let task = &claimed.record.task;
        let extension = self.registry.extension_of_task(&task.app_id);
        let def = extension.and_then(|extension| extension.durable_task(&claimed.task_name));
        let function = extension.and_then(|extension| extension.function(&task.function)).map(|function| function.name);
        let user = serde_json::from_str::<User>(&claimed.user);
        let owner = &claimed.record.owner;
        let bound = match (def, &user) {
            (Some(def), Ok(_)) => {
                bind_safely(def, &claimed.input).map_err(|why| format!("its input does not fit: {why}"))
            }
            (None, _) => Err("this program does not have it".to_owned()),
            (_, Err(error)) => Err(format!("its user cannot be read: {error}")),
        };
        let origin = Origin {
            app_id: extension.map_or("", |extension| extension.app_id()),
            // The function may be gone from this version.
            function: function.or(def.map(|def| def.name)).unwrap_or_default(),
            user: user.unwrap_or_else(|_| User::new(&*owner.user_id, &*owner.tenant_id)),
            call_id: task.call_id,
            task_id: Some(task.task_id),
            attempt: task.attempt,
            secrets: SecretsInUse::default(),
        };
        (origin, bound)
    }

    /// The stored steps of a task. `None` when the lease was lost or the node ended meanwhile.
    async fn read_steps(&self, task_id: TaskId, lost: &CancellationToken) -> Option<StoredSteps> {
        let (mut backoff, mut steps) = (write_backoff(), StoredSteps::default());
        loop {
            match self.read_steps_into(task_id, &mut steps).await {
                Ok(()) => return Some(steps),
                Err(error) => self.wait_to_read(&error, backoff.next_wait(), lost).await?,
            }
        }
    }

    /// How long attempts that were cut off slept in their processes, which the ledger does not know. `None` as in
    /// [`Self::read_steps`].
    async fn slept_unseen(&self, task_id: TaskId, steps: &StoredSteps, lost: &CancellationToken) -> Option<Duration> {
        if !steps.has_slept() {
            return Some(Duration::ZERO);
        }
        let mut backoff = write_backoff();
        let attempts = loop {
            match self.ledger.attempts(task_id).await {
                Ok(attempts) => break attempts,
                Err(error) => self.wait_to_read(&error, backoff.next_wait(), lost).await?,
            }
        };
        let cut_off = |ending| matches!(ending, AttemptEnding::Crashed | AttemptEnding::Drained | AttemptEnding::Left);
        let cut_off = attempts.iter().filter(|one| one.ended_by.is_some_and(cut_off)).map(|one| one.number);
        let cut_off: HashSet<u32> = cut_off.collect();
        Some(steps.slept(|attempt| cut_off.contains(&attempt)))
    }

    /// Waits before a repeated read. `None` when the lease was lost or the node ended meanwhile.
    async fn wait_to_read(&self, error: &LedgerError, wait: Duration, lost: &CancellationToken) -> Option<()> {
        tracing::warn!(%error, "the steps of a task cannot be read yet");
        tokio::select! {
            () = lost.cancelled() => None,
            () = self.ended.cancelled() => None,
            () = tokio::time::sleep(wait) => Some(()),
        }
    }

    /// Reads the stored steps of a task, page by page, from the last one that is known.
    ///
    /// # Errors
    /// Those of reading. The steps read before stay: a repeated call goes on after them.
    pub(super) async fn read_steps_into(&self, task_id: TaskId, steps: &mut StoredSteps) -> Result<(), LedgerError> {
        loop {
            let page = self.ledger.steps(task_id, steps.last_ordinal(), STEPS_PAGE).await?;
            steps.add_rows(page.rows);
            if !page.more {
                return Ok(());
            }
        }
    }

    /// Finds tasks that no running program can take, and ends those that have been stuck too long.
    pub(super) async fn look_for_stuck_tasks(&self) -> Result<(), LedgerError> {
        if !self.settings.takes_up_tasks {
            // Tasks are left for a node that takes them up: that none does yet is no fault of the program.
            return Ok(());
        }
        let incarnation = self.lease().incarnation.clone();
        let found = self.repeat(|| self.ledger.mark_stuck(&incarnation, UNTAKEN)).await?;
        if found > 0 {
            tracing::warn!(found, "durable tasks wait for a program that knows them");
        }
        // Gauges: if they cannot be read, the work below goes on.
        match (self.ledger.backlog().await, self.ledger.queue_loads().await) {
            (Ok(backlog), Ok(loads)) => {
                self.meters.backlog(&backlog, loads);
                if backlog.stuck == 0 {
                    return Ok(());
                }
            }
            (Ok(backlog), Err(_)) if backlog.stuck == 0 => return Ok(()),
            (Err(error), _) | (_, Err(error)) => tracing::debug!(%error, "the backlog cannot be read"),
        }
        let most = self.settings.stuck_for;
        for record in self.ledger.long_stuck(most, 256).await? {
            let task_id = record.task.task_id;
            let end = messages::stuck(WorkRef::of_record(&record), &record.task.name, most);
            let end = match self.bind_end(task_id, end).await {
                Ok(end) => end,
                Err(error) => {
                    tracing::warn!(task = %task_id, %error, "a stuck task cannot be ended yet");
                    continue;
                }
            };
            let write = |end| self.ledger.reclaim_task(&incarnation, task_id, end);
            match self.write_unheld_end(task_id, end, write).await {
                Ok(_) | Err(LedgerError::AlreadyEnded | LedgerError::NotOrphaned | LedgerError::CallNotReplied) => {}
                Err(error @ LedgerError::Fenced) => return Err(error),
                // One task that cannot be ended does not keep the others.
                Err(error) => tracing::warn!(task = %task_id, %error, "a stuck task cannot be ended yet"),
            }
        }
        Ok(())
    }
}

/// Reads the input. The author's own code may panic in it.
pub(super) fn bind_safely(def: &DurableDef, input: &str) -> Result<BoundTask, String> {
    let bound = std::panic::catch_unwind(|| (def.bind)(input));
    bound.unwrap_or_else(|payload| Err(format!("reading it panicked: {}", panic_text(payload))))
}
