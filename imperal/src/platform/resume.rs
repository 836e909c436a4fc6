//! Takes up durable tasks that other processes left: after a crash, a deploy, or a wait.
//!
//! A loop claims tasks that are ready, at each hint and at least every second. It never claims more than it may
//! run at once, and at most one suspect: a task whose attempts crashed their processes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::Node;
use super::active::{ActiveWork, Lease};
use super::durable::{durable_body, guarded, task_span};
use super::durable_write::write_backoff;
use super::messages::{self, WorkRef};
use super::meters::Durable;
use super::task_run::TaskRun;
use crate::context::{Context, DurableRun, Leaving, Origin, Services, StoredSteps, WorkSpan};
use crate::failpoint;
use crate::function::{BoundTask, DurableDef};
use crate::ids::TaskId;
use crate::ledger::{ClaimRequest, ClaimedTask, DurableName, DurableProgram, Incarnation, LedgerError, PageLimit};
use crate::panic_text::panic_text;
use crate::task::Ending;
use crate::user::User;

/// Resumed tasks that run on one node at once.
pub(super) const RESUMED_AT_ONCE: usize = 256;
/// Tasks of one claim.
const BATCH: usize = 64;
/// The steps of a task that are read at once. Many tasks may be read at the same time.
pub(super) const STEPS_PAGE: PageLimit = PageLimit::rows(2_000).bytes(256 << 10);
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
/// How long a task may be stuck before it ends.
const STUCK_FOR: Duration = Duration::from_secs(24 * 3600);

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
            if names.is_empty() || !self.settings.takes_up_tasks {
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
        let incarnation = self.lease().incarnation;
        if registered.as_ref() == Some(&incarnation) {
            return;
        }
        let program = DurableProgram::new(&self.settings.program, names.to_vec());
        match self.ledger.register_program(&incarnation, program).await {
            Ok(()) => *registered = Some(incarnation),
            Err(error) => tracing::debug!(%error, "the names of durable tasks are not registered yet"),
        }
    }

    fn durable_names(&self) -> Vec<DurableName> {
        let extensions = self.registry.extensions();
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
            .max_running(self.settings.tasks_per_user);
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
        for task in claimed {
            failpoint::hit("claimed");
            self.meters.durable(if task.crashes > 1 { Durable::Suspect } else { Durable::Resumed });
            let suspect = if task.crashes > 1 { self.suspects.clone().try_acquire_owned().ok() } else { None };
            let (node, services, lease) = (self.clone(), services.clone(), lease.clone());
            self.tracker.spawn(async move {
                // A claim whose first answer was lost may have returned more than its limit.
                let Ok(permit) = node.resumes.clone().acquire_owned().await else { return };
                node.resume(services, lease, task, (permit, suspect)).await;
            });
        }
        is_full
    }

    /// Runs a claimed task to its end, its hand-over or its refusal.
    async fn resume(
        self: Arc<Self>,
        services: Arc<Services>,
        lease: Lease,
        claimed: ClaimedTask,
        _permits: (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
    ) {
        let task = &claimed.record.task;
        let Some(steps) = self.read_steps(task.task_id, &lease.lost).await else { return };
        let run = DurableRun::resumed(task.attempt(), claimed.root_task, steps, self.settings.parked_from);
        run.set_ledger_time(claimed.claimed_at);
        let (origin, bound) = self.bind(&claimed);
        let span = task_span(&origin);
        let ctx = Context::durable(origin, services, WorkSpan::of(&span), run.clone());
        let replied = CancellationToken::new();
        // A claim requires the reply.
        replied.cancel();
        let work = ActiveWork { lease, ctx, replied };
        let mut limits = self.task_limits(task.long_running);
        limits.cap = limits.cap.saturating_sub(claimed.ran).max(Duration::from_secs(1));
        let attempt = task.attempt();
        let run =
            TaskRun { node: &self, work: &work, attempt, name: task.name.clone(), limits, started_at: Instant::now() };
        if !run.begin() {
            // The start of this attempt, whose answer was lost, runs it.
            return;
        }
        let running = self.continue_task(&run, &claimed, bound);
        guarded(&run, running.instrument(span)).await;
    }

    async fn continue_task(&self, run: &TaskRun<'_>, claimed: &ClaimedTask, bound: Result<BoundTask, String>) {
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
                Box::pin(run.run(durable_body(&run.work.ctx, bound))).await;
            }
            Err(why) => run.finish(Some(Ending::Left(Leaving::Misfit(why)))).await,
        }
    }

    /// Where a claimed task's surfaces belong, and its body, if this program can read the input.
    fn bind(&self, claimed: &ClaimedTask) -> (Origin, Result<BoundTask, String>) {
        let task = &claimed.record.task;
        let extension = self.registry.extension(&task.app_id);
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
        };
        (origin, bound)
    }

    /// The stored steps of a task. `None` when the lease was lost or the node ended meanwhile.
    async fn read_steps(&self, task_id: TaskId, lost: &CancellationToken) -> Option<StoredSteps> {
        let (mut backoff, mut steps) = (write_backoff(), StoredSteps::default());
        loop {
            match self.ledger.steps(task_id, steps.last_ordinal(), STEPS_PAGE).await {
                Ok(page) => {
                    steps.add_rows(page.rows);
                    if !page.more {
                        return Some(steps);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the steps of a task cannot be read yet");
                    tokio::select! {
                        () = lost.cancelled() => return None,
                        () = self.ended.cancelled() => return None,
                        () = tokio::time::sleep(backoff.next_wait()) => {}
                    }
                }
            }
        }
    }

    /// Finds tasks that no running program can take, and ends those that have been stuck for a day.
    pub(super) async fn look_for_stuck_tasks(&self) -> Result<(), LedgerError> {
        if !self.settings.takes_up_tasks {
            // Tasks are left for a node that takes them up: that none does yet is no fault of the program.
            return Ok(());
        }
        let incarnation = self.lease().incarnation;
        let found = self.ledger.mark_stuck(&incarnation, UNTAKEN).await?;
        if found > 0 {
            tracing::warn!(found, "durable tasks wait for a program that knows them");
        }
        let stuck = self.ledger.long_stuck(Duration::ZERO, 256).await?.len();
        self.meters.stuck.set(u64::try_from(stuck).unwrap_or(u64::MAX));
        if stuck == 0 {
            return Ok(());
        }
        for record in self.ledger.long_stuck(STUCK_FOR, 256).await? {
            let mut end = messages::stuck(WorkRef::of_record(&record), &record.task.name);
            if let Err(error) = self.bind_steps(record.task.task_id, &mut end).await {
                tracing::warn!(task = %record.task.task_id, %error, "a stuck task cannot be ended yet");
                continue;
            }
            match self.ledger.reclaim_task(&incarnation, record.task.task_id, end).await {
                Ok(_) | Err(LedgerError::AlreadyEnded | LedgerError::NotOrphaned | LedgerError::CallNotReplied) => {}
                Err(error @ LedgerError::Fenced) => return Err(error),
                // One task that cannot be ended does not keep the others.
                Err(error) => tracing::warn!(task = %record.task.task_id, %error, "a stuck task cannot be ended yet"),
            }
        }
        Ok(())
    }
}

/// Reads the input. The author's own code may panic in it.
fn bind_safely(def: &DurableDef, input: &str) -> Result<BoundTask, String> {
    let bound = std::panic::catch_unwind(|| (def.bind)(input));
    bound.unwrap_or_else(|payload| Err(format!("reading it panicked: {}", panic_text(payload))))
}
