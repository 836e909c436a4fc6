//! One run of a task whose row is in the ledger: supervised, then ended or released.
//!
//! It does not know how the row came there: a background task is run once, by the process that started it, and a
//! durable task once for each attempt.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::Node;
use super::active::ActiveWork;
use super::drafts::end_drafts;
use super::durable_digest::BoundEnd;
use super::durable_write::WRITE_DEADLINE;
use super::first_tasks::{OfferedEnd, Taken};
use super::messages::{self, WorkRef};
use super::meters::Durable;
use crate::context::{Context, DurableRun, Leaving, StopReason};
use crate::failpoint;
use crate::ledger::{Attempt, AttemptReport, Release, StepEnding, TaskEnd, TaskState, Work};
use crate::panic_text::{log_excerpt, panic_text};
use crate::rows::AttemptNotes;
use crate::task::{Ending, Label, Limits, Returned, SpawnedWork, supervise};
use crate::trace;

/// Most stored steps that a log line and a timeline name.
const NAMED_STEPS: usize = 8;

/// One run of a task.
pub(super) struct TaskRun<'a> {
    pub(super) node: &'a Node,
    pub(super) work: &'a ActiveWork,
    pub(super) attempt: Attempt,
    pub(super) name: Cow<'static, str>,
    /// With the cap of the whole task, which its end names.
    pub(super) limits: &'a Limits,
    /// The time that earlier attempts have left of the cap.
    pub(super) cap_left: Duration,
    pub(super) started_at: Instant,
}

impl<'a> TaskRun<'a> {
    /// The first run of a task. `None` for work that is no task.
    pub(super) fn first(node: &'a Node, work: &'a ActiveWork, name: String, long_running: bool) -> Option<Self> {
        let origin = work.ctx.origin();
        let Work::Task(attempt) = origin.work() else { return None };
        let limits = node.task_limits(long_running);
        let name = if name.is_empty() { Cow::Borrowed(origin.function) } else { Cow::Owned(name) };
        Some(Self { node, work, attempt, name, limits, cap_left: limits.cap, started_at: Instant::now() })
    }
}

impl TaskRun<'_> {
    /// Registers the run: from now on its surfaces work. Returns false if this attempt runs here already.
    pub(super) fn begin(&self) -> bool {
        let is_new = self.node.active.insert(self.work.clone());
        if is_new {
            self.node.progress.open(self.attempt, self.work.lease.incarnation.clone());
            self.node.progress.drafts.open(Work::Task(self.attempt), self.work.lease.incarnation.clone(), true);
        }
        is_new
    }

    /// Does the work of this run. A panic in the platform's own code still ends the task with an outcome.
    pub(super) fn guarded(&self, running: impl Future<Output = ()>) -> impl Future<Output = ()> {
        // A combinator holds `running` once, an async fn twice.
        AssertUnwindSafe(running).catch_unwind().then(async |caught| {
            let Err(payload) = caught else { return };
            tracing::error!(panic = log_excerpt(&panic_text(payload)), "the platform panicked while it ran a task");
            self.work.ctx.signal().close(StopReason::Interrupted);
            Box::pin(self.finish(Some(Ending::Interrupted))).await;
        })
    }

    /// Starts the body, runs it to its end, and writes what came of it.
    pub(super) fn run(
        &self,
        body: impl Future<Output = Returned> + Unpin + Send + 'static,
    ) -> impl Future<Output = ()> {
        // Without the lease the body does not begin.
        let body = (!self.work.lease.lost.is_cancelled()).then(|| {
            let label = Label::Task(self.attempt.task_id, self.name.clone());
            SpawnedWork::start(&self.work.ctx, self.node.watchdog.watch(label, body))
        });
        async move {
            let ending = match body {
                Some(body) => {
                    let (ctx, lost) = (&self.work.ctx, &self.work.lease.lost);
                    supervise(ctx, body, self.cap_left, self.limits, &self.node.killing, lost).await
                }
                None => None,
            };
            let ending = ending.filter(|_| !self.work.lease.lost.is_cancelled());
            failpoint::hit("work-done");
            Box::pin(self.finish(ending)).await;
        }
    }

    /// Writes the outcome, or gives the task back. Writes nothing when the lease was lost (`None`).
    pub(super) async fn finish(&self, ending: Option<Ending>) {
        let Self { node, work, attempt, .. } = *self;
        let origin = work.ctx.origin();
        if let Some(Ending::Answered(answer)) = &ending
            && answer.is_success()
            && let Some(run) = work.ctx.durable_run()
            && run.note_success()
        {
            node.progress.report_steps(attempt, run.so_far());
        }
        let unsent = node.progress.close(attempt);
        let drafts = node.progress.drafts.close(Work::Task(attempt));
        if ending.is_some() {
            // Messages that the body began are still stored.
            let _ = tokio::time::timeout(WRITE_DEADLINE, self.stored_all()).await;
        }
        node.active.remove(origin);
        let Some(ending) = ending else {
            tracing::warn!("the lease was lost: another node takes over the task");
            return trace::ended(work.ctx.span(), "lost", true);
        };
        // A report that comes to the ledger after a later one would replace it, and one after the end is refused.
        let _ = work.lease.lost.run_until_cancelled(node.progress.wait_until_written(attempt)).await;
        if let Some(latest) = unsent {
            // The last progress of the run. A failure does not delay what follows.
            let _ = node.ledger.note_progress(&work.lease.incarnation, vec![(attempt.number, latest)]).await;
        }
        match ending {
            Ending::Left(leaving) => self.release(leaving).await,
            ending => {
                if matches!(ending, Ending::Answered(_)) {
                    self.warn_of_differing_messages().await;
                }
                let notes = self.notes(&ending);
                let mut end = messages::task_end(WorkRef::from(origin), &self.name, ending, self.limits).notes(notes);
                end_drafts(&mut end.turn, drafts);
                self.end(end).await;
            }
        }
    }

    /// Completes when nothing of the attempt is on its way into the ledger any more. Returns false when the lease or
    /// the node has ended before.
    async fn stored_all(&self) -> bool {
        let Some(run) = self.work.ctx.durable_run() else { return true };
        tokio::select! {
            biased;
            () = self.work.lease.lost.cancelled() => false,
            () = self.node.ended.cancelled() => false,
            () = run.stored_all() => true,
        }
    }

    /// Writes the outcome, with the reply of the call or once that is stored.
    pub(super) async fn end(&self, end: TaskEnd) {
        let Self { node, work, attempt, .. } = *self;
        let incarnation = &work.lease.incarnation;
        let state = end.state;
        let end = match work.ctx.durable_run() {
            None => BoundEnd::plain(end),
            Some(durable) => {
                let binding = node.bind_end_of_run(attempt.task_id, durable, end);
                let Some(end) = work.lease.lost.run_until_cancelled(binding).await else {
                    return trace::ended(work.ctx.span(), "lost", true);
                };
                end
            }
        };
        failpoint::hit("before-outcome");
        tracing::debug!(state = state.as_str(), "task ended");
        // The outcome never comes before the call's reply.
        let taken = work.lease.lost.run_until_cancelled(self.offer(&end)).await;
        if taken.is_none() || work.lease.lost.run_until_cancelled(work.tasks.replied()).await.is_none() {
            return trace::ended(work.ctx.span(), "lost", true);
        }
        let taken = taken.flatten();
        if taken.is_none() {
            // Counted before the write: a reader that sees the outcome finds it counted.
            node.meters.task(state, self.started_at.elapsed());
        }
        if taken != Some(Taken::Stored) && !node.write_end(incarnation, attempt, &end).await {
            return trace::ended(work.ctx.span(), "lost", true);
        }
        let failed = !matches!(state, TaskState::Succeeded | TaskState::Cancelled);
        trace::ended(work.ctx.span(), state.as_str(), failed);
        failpoint::hit("after-outcome");
    }

    /// Offers the end to the reply of the call. `None` if the reply does not take it.
    async fn offer(&self, end: &BoundEnd) -> Option<Taken> {
        let Self { work, attempt, started_at, .. } = *self;
        if work.tasks.is_replied() {
            return None;
        }
        let (taken, answer) = oneshot::channel();
        if !work.tasks.offer(OfferedEnd { attempt, end: end.first(), started_at, taken }) {
            return None;
        }
        tokio::select! {
            biased;
            taken = answer => taken.ok(),
            () = work.tasks.replied() => {
                // It was written without the end. Other tasks of the call may live long.
                drop(work.tasks.take_end());
                None
            }
        }
    }

    /// Gives a durable task back, so that another attempt continues it.
    pub(super) async fn release(&self, leaving: Leaving) {
        let Self { node, work, attempt, .. } = *self;
        if work.ctx.durable_run().is_some_and(|run| run.has_threads()) {
            // The thread may still write somewhere. Leaving the ledger releases the task.
            tracing::warn!("a thread of the task still runs: the task is given back when this process ends");
            return trace::ended(work.ctx.span(), "handed_over", false);
        }
        // The ledger would refuse a row after the release, and its content would be lost.
        if !self.stored_all().await {
            return trace::ended(work.ctx.span(), "lost", true);
        }
        let is_cut_off = leaving == Leaving::CutOff;
        let (release, how) = match leaving {
            Leaving::Parked(park) => (Release::Park(park), "parked"),
            // The body of a stopped one has answered; it does not come here.
            Leaving::HandedOver | Leaving::CutOff | Leaving::Stopped(_) => (Release::HandOver, "handed_over"),
            Leaving::Misfit(why) => {
                tracing::warn!(why, "this version of the program cannot continue the task: it waits for another one");
                (Release::Refused { program: node.settings.program.clone() }, "handed_over")
            }
        };
        failpoint::hit("before-release");
        let report = || match work.ctx.durable_run() {
            Some(run) => {
                let unused = if is_cut_off { run.unused_if_cut_off() } else { run.waited() };
                let notes = AttemptNotes { unfinished: run.unfinished(), ..AttemptNotes::default() };
                AttemptReport::new(unused).notes(screened(&work.ctx, notes.into_json()))
            }
            None => AttemptReport::default(),
        };
        let write = || node.ledger.release_task(&work.lease.incarnation, attempt, release.clone(), report());
        let released = node.retry_until_durable("release", write).await;
        match (&release, released) {
            (_, false) => {}
            (Release::Refused { .. }, true) => node.meters.durable(Durable::Refused),
            (Release::Park(_), true) => node.meters.durable(Durable::Parked),
            (Release::HandOver, true) => node.meters.durable(Durable::HandedOver),
        }
        trace::ended(work.ctx.span(), if released { how } else { "lost" }, !released);
        failpoint::hit("after-release");
    }

    /// The notes of the attempt, which the timeline shows besides its rows.
    fn notes(&self, ending: &Ending) -> Option<String> {
        let run = self.work.ctx.durable_run()?;
        let mut notes = AttemptNotes { unfinished: run.unfinished(), ..AttemptNotes::default() };
        if let Ending::Answered(answer) = ending {
            if answer.is_success() {
                // A body that waits for the first of several steps drops the others.
                notes.unfinished.retain(|step| step.how != StepEnding::CutOff);
            }
            (notes.unasked, notes.more_unasked) = unasked_steps(run);
        }
        screened(&self.work.ctx, notes.into_json())
    }
}

/// Notes without the values of secrets: they have the names, errors and logs of steps that never came to the guard.
fn screened(ctx: &Context, mut notes: Option<String>) -> Option<String> {
    if let Some(notes) = &mut notes {
        ctx.origin().secrets.screen(notes);
    }
    notes
}

/// The stored steps that the last attempt never asked for. Each was renamed or removed in the program, so its work was
/// done twice or for nothing. With how many more there are.
fn unasked_steps(run: &DurableRun) -> (Vec<String>, u32) {
    let mut unasked = run.unasked();
    if unasked.is_empty() {
        return (unasked, 0);
    }
    unasked.sort_unstable();
    let count = unasked.len();
    unasked.truncate(NAMED_STEPS);
    tracing::warn!(count, names = unasked.join(", "), "the task ended without asking for steps that were stored");
    let more = u32::try_from(count - unasked.len()).unwrap_or(u32::MAX);
    (unasked, more)
}
