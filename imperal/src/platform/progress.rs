//! Progress on its way to the user: coalesced, never waited for.
//!
//! A task's first report goes out at once; what follows within a tenth of a second is merged, the
//! latest winning. Once a second the latest values go to the ledger in one write that costs no
//! fsync of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::context::{Origin, ProgressMark, ReportProgress};
use crate::ids::TaskId;
use crate::ledger::{Feed, Incarnation, Ledger, Owner, Progress};

const SEND_EVERY: Duration = Duration::from_millis(100);
const STORE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Entry {
    owner: Owner,
    holder: Arc<Incarnation>,
    latest: Option<Progress>,
    sent_at: Option<Instant>,
    unsent: bool,
    unstored: bool,
}

/// The latest progress of this node's running tasks.
#[derive(Debug)]
pub(super) struct ProgressHub {
    feed: Feed,
    entries: Mutex<HashMap<TaskId, Entry>>,
    dirty: Notify,
}

impl ProgressHub {
    pub(super) fn new(feed: Feed) -> Self {
        Self { feed, entries: Mutex::default(), dirty: Notify::new() }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<TaskId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task begins.
    pub(super) fn open(&self, task_id: TaskId, owner: Owner, holder: Arc<Incarnation>) {
        let entry = Entry { owner, holder, latest: None, sent_at: None, unsent: false, unstored: false };
        self.entries().insert(task_id, entry);
    }

    /// A task is over: nothing of it is sent any more. Its latest progress, if that is not stored.
    pub(super) fn close(&self, task_id: TaskId) -> Option<Progress> {
        self.entries().remove(&task_id).filter(|entry| entry.unstored)?.latest
    }

    /// Sends and stores what was held back, for as long as the platform lives.
    pub(super) async fn run(&self, ledger: &dyn Ledger) {
        let mut stored_at = Instant::now();
        loop {
            self.dirty.notified().await;
            // Until everything is out: one tick a window, none while all is quiet.
            loop {
                tokio::time::sleep(SEND_EVERY).await;
                self.send_held_back();
                if stored_at.elapsed() >= STORE_EVERY {
                    stored_at = Instant::now();
                    for (holder, latest) in self.take_unstored() {
                        if let Err(error) = ledger.note_progress(&holder, latest).await {
                            tracing::debug!(%error, "progress not kept");
                        }
                    }
                }
                if !self.entries().values().any(|e| e.unsent || e.unstored) {
                    break;
                }
            }
        }
    }

    fn send_held_back(&self) {
        for entry in self.entries().values_mut().filter(|e| e.unsent) {
            entry.send(&self.feed);
        }
    }

    fn take_unstored(&self) -> HashMap<Arc<Incarnation>, Vec<Progress>> {
        let mut by_holder: HashMap<Arc<Incarnation>, Vec<Progress>> = HashMap::new();
        for entry in self.entries().values_mut().filter(|e| e.unstored) {
            entry.unstored = false;
            if let Some(latest) = &entry.latest {
                by_holder.entry(entry.holder.clone()).or_default().push(latest.clone());
            }
        }
        by_holder
    }
}

impl Entry {
    fn send(&mut self, feed: &Feed) {
        if let Some(latest) = &self.latest {
            feed.progress(&self.owner, latest.clone());
        }
        self.sent_at = Some(Instant::now());
        self.unsent = false;
    }
}

impl ReportProgress for ProgressHub {
    fn report(&self, origin: &Origin, mark: ProgressMark) {
        let Some(task_id) = origin.task_id else { return };
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(&task_id) else { return };
        entry.latest = Some(Progress { task_id, percent: mark.percent, message: mark.message, at: Timestamp::now() });
        entry.unstored = true;
        if entry.sent_at.is_none_or(|at| at.elapsed() >= SEND_EVERY) {
            entry.send(&self.feed);
        } else {
            entry.unsent = true;
        }
        drop(entries);
        self.dirty.notify_one();
    }
}
