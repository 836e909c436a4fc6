//! Progress on its way to the user: coalesced, never waited for.
//!
//! Reports are merged by task, the latest winning, and handed to the ledger in one write for the
//! whole node: at once after a quiet while, then at most ten times a second. The ledger checks the
//! node's right to them, keeps them without an fsync of their own, and tells the watchers; there is
//! no second way, so a node that lost its lease shows nothing more.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::context::{Held, Origin, ProgressListener, ProgressMark, ReportProgress};
use crate::failpoint;
use crate::ids::TaskId;
use crate::ledger::{Incarnation, Ledger, Progress};
use crate::sync::{Mutex, MutexGuard, Notify};

const EVERY: Duration = Duration::from_millis(100);

/// The latest progress of this node's running tasks that is not in the ledger yet.
#[derive(Debug, Default)]
pub(super) struct ProgressHub {
    entries: Mutex<HashMap<TaskId, Entry>>,
    dirty: Notify,
    /// Hears each report before it is coalesced.
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

    /// A hub whose reports somebody hears, one by one.
    pub(super) fn heard_by(listener: Option<Arc<dyn ProgressListener>>) -> Self {
        Self { listener, ..Self::default() }
    }

    /// A task begins.
    pub(super) fn open(&self, task_id: TaskId, incarnation: Arc<Incarnation>) {
        self.entries().insert(task_id, Entry { incarnation, latest: None });
    }

    /// A task is over: its latest report, if that was not handed on.
    pub(super) fn close(&self, task_id: TaskId) -> Option<Progress> {
        self.entries().remove(&task_id)?.latest
    }

    /// Hands on what is reported, for as long as the platform lives.
    pub(super) async fn run(&self, ledger: &dyn Ledger) {
        loop {
            self.dirty.notified().await;
            failpoint::hit("progress");
            for (incarnation, latest) in self.take() {
                failpoint::hit("before-progress");
                if let Err(error) = ledger.note_progress(&incarnation, latest).await {
                    tracing::debug!(%error, "progress not kept");
                }
                failpoint::hit("after-progress");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    fn take(&self) -> HashMap<Arc<Incarnation>, Vec<Progress>> {
        let mut by_incarnation: HashMap<Arc<Incarnation>, Vec<Progress>> = HashMap::new();
        for entry in self.entries().values_mut() {
            if let Some(latest) = entry.latest.take() {
                by_incarnation.entry(entry.incarnation.clone()).or_default().push(latest);
            }
        }
        by_incarnation
    }
}

impl ReportProgress for ProgressHub {
    fn report(&self, origin: &Origin, mark: ProgressMark) {
        let Some(task_id) = origin.task_id else { return };
        if let Some(listener) = &self.listener {
            listener.heard(origin, &mark);
        }
        if let Some(entry) = self.entries().get_mut(&task_id) {
            let ProgressMark { percent, message } = mark;
            entry.latest = Some(Progress { task_id, percent, message, at: Timestamp::now() });
        } else {
            return;
        }
        self.dirty.notify_one();
    }

    fn held(&self, origin: &Origin) -> Option<Held> {
        self.listener.as_ref()?.held(origin)
    }
}

/// Every order of reports, handing on, and the task's end.
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
    fn the_latest_report_is_handed_on_or_returned_at_the_end() {
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
                // The loop of `run`, for as long as there may be something to wake for.
                block_on(hub.dirty.notified());
                let mut seen: Vec<f64> = Vec::new();
                let mut take = || seen.extend(hub.take().into_values().flatten().map(|latest| latest.percent));
                take();
                take();
                seen.extend(work.join().unwrap());
                assert_eq!(seen.last(), Some(&20.0), "the last word is not lost: {seen:?}");
                assert!(seen.is_sorted(), "and nothing comes after it: {seen:?}");
                assert!(hub.take().is_empty() && hub.entries().is_empty());
            },
            None,
        );
    }
}
