//! Coalesces progress reports on their way to the ledger. Work never waits for them.
//!
//! Of each task only the latest report is kept. All tasks' reports go to the ledger in one write for the whole
//! node: at once after a quiet period, then at most ten times a second. The ledger checks the node's
//! incarnation, stores the reports without an fsync of their own, and notifies the watchers. There is no other
//! way to the watchers, so a node that lost its lease shows no more progress.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::drafts::DraftHub;
use crate::context::{Hazard, Origin, ProgressMark, ReportPause, StepMoment, WorkListener};
use crate::failpoint;
use crate::ledger::{Attempt, DraftPiece, Incarnation, Ledger, Progress, StepsSoFar, Work};
use crate::sync::{Mutex, MutexGuard, Notify};

const WRITE_INTERVAL: Duration = Duration::from_millis(100);

/// The latest progress of this node's running tasks.
#[derive(Debug, Default)]
pub(super) struct ProgressHub {
    entries: Mutex<HashMap<Attempt, Entry>>,
    /// Attempts whose report is on its way to the ledger.
    writing: Mutex<HashSet<Attempt>>,
    written: Notify,
    dirty: Notify,
    /// Written in turns with the reports: both lock rows of the node's work.
    pub(super) drafts: DraftHub,
    /// Gets each report before it is coalesced.
    listener: Option<Arc<dyn WorkListener>>,
}

#[derive(Debug)]
struct Entry {
    incarnation: Arc<Incarnation>,
    /// In a box: most tasks of a node report nothing, and wait.
    latest: Option<Box<Progress>>,
}

impl ProgressHub {
    fn entries(&self) -> MutexGuard<'_, HashMap<Attempt, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A hub with a listener that gets each report.
    pub(super) fn with_listener(listener: Option<Arc<dyn WorkListener>>) -> Self {
        Self { listener, ..Self::default() }
    }

    /// Accepts the reports of an attempt from now on.
    pub(super) fn open(&self, attempt: Attempt, incarnation: Arc<Incarnation>) {
        self.entries().insert(attempt, Entry { incarnation, latest: None });
    }

    /// Ends the reports of an attempt. Returns its latest report if that is not in the ledger yet.
    pub(super) fn close(&self, attempt: Attempt) -> Option<Progress> {
        self.entries().remove(&attempt)?.latest.map(|latest| *latest)
    }

    /// Completes when no report of the attempt is on its way to the ledger: a later one cannot overtake it then.
    pub(super) async fn wait_until_written(&self, attempt: Attempt) {
        loop {
            let written = self.written.notified();
            if !self.writing().contains(&attempt) {
                return;
            }
            written.await;
        }
    }

    fn writing(&self) -> MutexGuard<'_, HashSet<Attempt>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest report of an attempt, if it is not in the ledger yet.
    pub(super) fn unsent(&self, attempt: Attempt) -> Option<Progress> {
        self.entries().get(&attempt)?.latest.as_deref().cloned()
    }

    /// Writes reports to the ledger until it is dropped.
    pub(super) async fn run(&self, ledger: &dyn Ledger) {
        loop {
            self.dirty.notified().await;
            failpoint::hit("progress");
            let writing = Writing(self);
            for (incarnation, latest) in self.take_unsent() {
                failpoint::hit("before-progress");
                if let Err(error) = ledger.note_progress(&incarnation, latest).await {
                    tracing::debug!(%error, "progress was not stored");
                }
                failpoint::hit("after-progress");
            }
            drop(writing);
            if self.drafts.write(ledger).await {
                self.dirty.notify_one();
            }
            tokio::time::sleep(WRITE_INTERVAL).await;
        }
    }

    fn take_unsent(&self) -> HashMap<Arc<Incarnation>, Vec<(u32, Progress)>> {
        let mut by_incarnation: HashMap<Arc<Incarnation>, Vec<(u32, Progress)>> = HashMap::new();
        for (attempt, entry) in self.entries().iter_mut() {
            if let Some(latest) = entry.latest.take() {
                self.writing().insert(*attempt);
                by_incarnation.entry(entry.incarnation.clone()).or_default().push((attempt.number, *latest));
            }
        }
        by_incarnation
    }
}

/// The writes of one round, until it is dropped.
struct Writing<'h>(&'h ProgressHub);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.writing().clear();
        self.0.written.notify_waiters();
    }
}

impl ProgressHub {
    /// Takes a report without waiting. Reports of work that is no task, or is over, are dropped.
    pub(super) fn report(&self, origin: &Origin, mark: ProgressMark) {
        let Work::Task(attempt) = origin.work() else { return };
        if let Some(listener) = &self.listener {
            listener.on_report(origin, &mark);
        }
        self.change(attempt, |latest| {
            (latest.percent, latest.message) = (Some(mark.percent), Some(mark.message));
        });
    }

    /// Takes the steps of a durable task. Waits for nothing.
    pub(super) fn report_steps(&self, attempt: Attempt, steps: StepsSoFar) {
        self.change(attempt, |latest| latest.steps = Some(steps));
    }

    fn change(&self, attempt: Attempt, change: impl FnOnce(&mut Progress)) {
        let Attempt { task_id, .. } = attempt;
        let at = Timestamp::now();
        let unchanged = Progress { task_id, percent: None, message: None, steps: None, at };
        match self.entries().get_mut(&attempt) {
            Some(entry) => {
                let latest = entry.latest.get_or_insert_with(|| Box::new(unchanged));
                latest.at = at;
                change(latest);
            }
            None => return,
        }
        self.dirty.notify_one();
    }

    /// Takes a piece of a draft. Waits for nothing.
    pub(super) fn write_draft(&self, piece: &DraftPiece) {
        if let Some(listener) = &self.listener {
            listener.on_draft(piece);
        }
        if self.drafts.append(piece) {
            self.dirty.notify_one();
        }
    }

    /// The work is in the ledger: what it has written of drafts follows.
    pub(super) fn accept_drafts(&self, work: Work) {
        self.drafts.accept(work);
        self.dirty.notify_one();
    }

    /// The pause of the work at a moment of a step.
    pub(super) fn pause_at_step(&self, origin: &Origin, moment: StepMoment) -> Option<ReportPause> {
        self.listener.as_ref()?.pause_at_step(origin, moment)
    }

    /// Tells the listener of a fault in the body of a durable task.
    pub(super) fn tell_hazard(&self, hazard: &Hazard) {
        if let Some(listener) = &self.listener {
            listener.on_hazard(hazard);
        }
    }

    /// The pause of the work after its latest report.
    pub(super) fn pause_after_report(&self, origin: &Origin) -> Option<ReportPause> {
        self.listener.as_ref()?.pause_after_report(origin)
    }
}

/// Every order of reports, writes, and the task's end.
#[cfg(all(test, imperal_explore))]
mod explored {
    use shuttle::{check_dfs, future::block_on, thread};

    use super::*;
    use crate::ids::{CallId, TaskId};
    use crate::secrets::SecretsInUse;
    use crate::user::User;

    fn origin(task_id: TaskId) -> Origin {
        let user = User::new("anna", "t");
        Origin {
            app_id: "a",
            function: "f",
            user,
            call_id: CallId::generate(),
            task_id: Some(task_id),
            attempt: 1,
            secrets: SecretsInUse::default(),
        }
    }

    #[test]
    fn the_latest_report_is_written_or_returned_at_the_end() {
        check_dfs(
            || {
                let hub = Arc::new(ProgressHub::default());
                let task_id = TaskId::generate();
                hub.open(Attempt::first(task_id), Arc::new(Incarnation { node: "n".into(), number: 1 }));
                let work = thread::spawn({
                    let hub = hub.clone();
                    move || {
                        let origin = origin(task_id);
                        for percent in [10.0, 20.0] {
                            hub.report(&origin, ProgressMark { percent, message: String::new() });
                        }
                        hub.close(Attempt::first(task_id)).and_then(|latest| latest.percent)
                    }
                });
                // The loop of `run`, as long as a report may wake it.
                block_on(hub.dirty.notified());
                let mut seen: Vec<f64> = Vec::new();
                let mut take =
                    || seen.extend(hub.take_unsent().into_values().flatten().filter_map(|(_, latest)| latest.percent));
                take();
                take();
                seen.extend(work.join().unwrap());
                assert_eq!(seen.last(), Some(&20.0), "the last report was lost: {seen:?}");
                assert!(seen.is_sorted(), "an older report came after a newer one: {seen:?}");
                assert!(hub.take_unsent().is_empty() && hub.entries().is_empty());
            },
            None,
        );
    }
}
