//! Coalesces progress reports on their way to the ledger. Work never waits for them.
//!
//! Of each task only the latest report is kept. All tasks' reports go to the ledger in one write for the whole
//! node: at once after a quiet period, then at most ten times a second. The ledger checks the node's
//! incarnation, stores the reports without an fsync of their own, and notifies the watchers. There is no other
//! way to the watchers, so a node that lost its lease shows no more progress.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::context::{Origin, ProgressListener, ProgressMark, ReportPause};
use crate::failpoint;
use crate::ids::TaskId;
use crate::ledger::{Incarnation, Ledger, Progress};
use crate::sync::{Mutex, MutexGuard, Notify};

const EVERY: Duration = Duration::from_millis(100);

/// The latest progress of this node's running tasks.
#[derive(Debug, Default)]
pub(super) struct ProgressHub {
    entries: Mutex<HashMap<TaskId, Entry>>,
    dirty: Notify,
    /// Gets each report before it is coalesced.
    listener: Option<Arc<dyn ProgressListener>>,
}

#[derive(Debug)]
struct Entry {
    incarnation: Arc<Incarnation>,
    latest: Option<Progress>,
}

impl ProgressHub {
    fn entries(&self) -> MutexGuard<'_, HashMap<TaskId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A hub with a listener that gets each report.
    pub(super) fn with_listener(listener: Option<Arc<dyn ProgressListener>>) -> Self {
        Self { listener, ..Self::default() }
    }

    /// Accepts the reports of a task from now on.
    pub(super) fn open(&self, task_id: TaskId, incarnation: Arc<Incarnation>) {
        self.entries().insert(task_id, Entry { incarnation, latest: None });
    }

    /// Ends the reports of a task. Returns its latest report if that is not in the ledger yet.
    pub(super) fn close(&self, task_id: TaskId) -> Option<Progress> {
        self.entries().remove(&task_id)?.latest
    }

    /// The latest report of a task, if it is not in the ledger yet.
    pub(super) fn unsent(&self, task_id: TaskId) -> Option<Progress> {
        self.entries().get(&task_id)?.latest.clone()
    }

    /// Writes reports to the ledger until it is dropped.
    pub(super) async fn run(&self, ledger: &dyn Ledger) {
        loop {
            self.dirty.notified().await;
            failpoint::hit("progress");
            for (incarnation, latest) in self.take_unsent() {
                failpoint::hit("before-progress");
                if let Err(error) = ledger.note_progress(&incarnation, latest).await {
                    tracing::debug!(%error, "progress was not stored");
                }
                failpoint::hit("after-progress");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    fn take_unsent(&self) -> HashMap<Arc<Incarnation>, Vec<Progress>> {
        let mut by_incarnation: HashMap<Arc<Incarnation>, Vec<Progress>> = HashMap::new();
        for entry in self.entries().values_mut() {
            if let Some(latest) = entry.latest.take() {
                by_incarnation.entry(entry.incarnation.clone()).or_default().push(latest);
            }
        }
        by_incarnation
    }
}

impl ProgressHub {
    /// Takes a report without waiting. Reports of work that is no task, or is over, are dropped.
    pub(super) fn report(&self, origin: &Origin, mark: ProgressMark) {
        let Some(task_id) = origin.task_id else { return };
        if let Some(listener) = &self.listener {
            listener.on_report(origin, &mark);
        }
        if let Some(entry) = self.entries().get_mut(&task_id) {
            let ProgressMark { percent, message } = mark;
            entry.latest = Some(Progress { task_id, percent, message, at: Timestamp::now() });
        } else {
            return;
        }
        self.dirty.notify_one();
    }

    /// What the work waits for after its latest report.
    pub(super) fn pause_after_report(&self, origin: &Origin) -> Option<ReportPause> {
        self.listener.as_ref()?.pause_after_report(origin)
    }
}

/// Every order of reports, writes, and the task's end.
#[cfg(all(test, imperal_explore))]
mod explored {
    use shuttle::{check_dfs, future::block_on, thread};

    use super::*;
    use crate::ids::CallId;
    use crate::user::User;

    fn origin(task_id: TaskId) -> Origin {
        let user = User::new("anna", "t");
        Origin { app_id: "a", function: "f", user, call_id: CallId::generate(), task_id: Some(task_id) }
    }

    #[test]
    fn the_latest_report_is_written_or_returned_at_the_end() {
        check_dfs(
            || {
                let hub = Arc::new(ProgressHub::default());
                let task_id = TaskId::generate();
                hub.open(task_id, Arc::new(Incarnation { node: "n".into(), number: 1 }));
                let work = thread::spawn({
                    let hub = hub.clone();
                    move || {
                        let origin = origin(task_id);
                        for percent in [10.0, 20.0] {
                            hub.report(&origin, ProgressMark { percent, message: String::new() });
                        }
                        hub.close(task_id).map(|latest| latest.percent)
                    }
                });
                // The loop of `run`, as long as a report may wake it.
                block_on(hub.dirty.notified());
                let mut seen: Vec<f64> = Vec::new();
                let mut take = || seen.extend(hub.take_unsent().into_values().flatten().map(|latest| latest.percent));
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
