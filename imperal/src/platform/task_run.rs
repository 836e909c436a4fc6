//! One run of a task whose row is in the ledger: supervised, then ended or released.
//!
//! It does not know how the row came there: a background task is run once, by the process that started it, and a
//! durable task once for each attempt.

use std::pin::pin;
use std::time::Instant;

use super::Node;
use super::active::ActiveWork;
use super::messages::{self, WorkRef};
use super::meters::Durable;
use crate::context::Leaving;
use crate::failpoint;
use crate::ledger::{Attempt, Release, TaskEnd, TaskState};
use crate::task::{Ending, Label, Limits, Returned, supervise};
use crate::trace;

/// One run of a task.
pub(super) struct TaskRun<'a> {
    pub(super) node: &'a Node,
    pub(super) work: &'a ActiveWork,
    pub(super) attempt: Attempt,
    pub(super) name: String,
    pub(super) limits: Limits,
    pub(super) started_at: Instant,
}

impl TaskRun<'_> {
    /// Registers the run: from now on its surfaces work. Returns false if this attempt runs here already.
    pub(super) fn begin(&self) -> bool {
        let is_new = self.node.active.insert(self.work.clone());
        if is_new {
            self.node.progress.open(self.attempt, self.work.lease.incarnation.clone());
        }
        is_new
    }

    /// Runs the body to its end, and writes what came of it.
    pub(super) async fn run(&self, body: impl Future<Output = Returned> + Send + 'static) {
        let Self { node, work, .. } = *self;
        let label = Label::Task(self.attempt.task_id, self.name.clone());
        let body = node.watchdog.watch(label, body);
        // Pinned here: passed by value, the future would be stored three times in a parked task.
        let mut supervised = pin!(supervise(&work.ctx, body, self.limits, &node.killing));
        let ending = work.lease.lost.run_until_cancelled(supervised.as_mut()).await;
        failpoint::hit("work-done");
        Box::pin(self.finish(ending)).await;
    }

    /// Writes the outcome, or gives the task back. Writes nothing when the lease was lost (`None`).
    pub(super) async fn finish(&self, ending: Option<Ending>) {
        let Self { node, work, attempt, .. } = *self;
        let origin = work.ctx.origin();
        let unsent = node.progress.close(attempt);
        node.active.remove(origin);
        let Some(ending) = ending else {
            tracing::warn!("the lease was lost: another node takes over the task");
            return trace::ended(work.ctx.span(), "lost", true);
        };
        if let Some(latest) = unsent {
            // The last progress of the run. A failure does not delay what follows.
            let _ = node.ledger.note_progress(&work.lease.incarnation, vec![(attempt.number, latest)]).await;
        }
        match ending {
            Ending::Left(leaving) => self.release(leaving).await,
            ending => {
                self.warn_of_unasked_steps(&ending);
                self.end(messages::task_end(WorkRef::from(origin), &self.name, ending, &self.limits)).await;
            }
        }
    }

    /// Writes the outcome, once the call has its reply.
    pub(super) async fn end(&self, mut end: TaskEnd) {
        let Self { node, work, attempt, .. } = *self;
        let incarnation = &work.lease.incarnation;
        // The outcome never comes before the call's reply.
        if work.lease.lost.run_until_cancelled(work.replied.cancelled()).await.is_none() {
            return trace::ended(work.ctx.span(), "lost", true);
        }
        if let Some(durable) = work.ctx.durable_run() {
            let binding = node.bind_steps_of_run(attempt.task_id, durable, &mut end);
            if work.lease.lost.run_until_cancelled(binding).await.is_none() {
                return trace::ended(work.ctx.span(), "lost", true);
            }
        }
        failpoint::hit("before-outcome");
        tracing::debug!(state = end.state.as_str(), "task ended");
        // Counted before the write: a reader that sees the outcome finds it counted.
        node.meters.task(end.state, self.started_at.elapsed());
        let write = || node.ledger.finish_task(incarnation, attempt, end.clone());
        if !node.retry_until_durable("outcome", write).await {
            return trace::ended(work.ctx.span(), "lost", true);
        }
        let failed = !matches!(end.state, TaskState::Succeeded | TaskState::Cancelled);
        trace::ended(work.ctx.span(), end.state.as_str(), failed);
        failpoint::hit("after-outcome");
    }

    /// Gives a durable task back, so that another attempt continues it.
    pub(super) async fn release(&self, leaving: Leaving) {
        let Self { node, work, attempt, .. } = *self;
        if work.ctx.durable_run().is_some_and(|run| run.has_threads()) {
            // The thread may still write somewhere. Leaving the ledger releases the task.
            tracing::warn!("a thread of the task still runs: the task is given back when this process ends");
            return trace::ended(work.ctx.span(), "handed_over", false);
        }
        let (release, how) = match leaving {
            Leaving::HandedOver => (Release::HandOver, "handed_over"),
            Leaving::Parked(park) => (Release::Park(park), "parked"),
            Leaving::Misfit(why) => {
                tracing::warn!(why, "this version of the program cannot continue the task: it waits for another one");
                (Release::Refused { program: node.settings.program.clone() }, "handed_over")
            }
        };
        failpoint::hit("before-release");
        let write = || node.ledger.release_task(&work.lease.incarnation, attempt, release.clone());
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

    /// A stored step that the last attempt never asked for was renamed or removed: its work was done twice or
    /// for nothing.
    fn warn_of_unasked_steps(&self, ending: &Ending) {
        let Some(run) = self.work.ctx.durable_run() else { return };
        if !matches!(ending, Ending::Answered(_)) {
            return;
        }
        let unasked = run.unasked();
        if !unasked.is_empty() {
            let names = unasked.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
            tracing::warn!(count = unasked.len(), names, "the task ended without asking for steps that were stored");
        }
    }
}
