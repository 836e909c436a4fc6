//! Tells watchers of a user that the ledger has news. A signal is a hint and never the truth.
//!
//! A commit wakes the watchers of its user only. A watcher that lags loses signals and no events:
//! it reads the ledger from its own number on.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{DraftPiece, Owner, Progress};
use crate::sync::{Mutex, MutexGuard};

/// Signals kept for one slow watcher before the oldest are dropped.
const BACKLOG: usize = 64;

/// A notification of a watcher.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FeedSignal {
    /// There may be new events.
    Events,
    /// Latest progress of a task.
    Progress(Arc<Progress>),
    /// A piece of a draft.
    Draft(Arc<DraftPiece>),
    /// Signals were dropped because the watcher lags: there may be new events and pieces of drafts.
    Missed,
}

impl FeedSignal {
    /// Whether there may be new events: read the ledger.
    pub fn has_events(&self) -> bool {
        matches!(self, Self::Events | Self::Missed)
    }
}

/// The watchers in this process, by user.
#[derive(Debug, Clone, Default)]
pub struct Feed(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    watchers: Mutex<HashMap<Owner, broadcast::Sender<FeedSignal>>>,
    renewal: Notify,
    ready_tasks: Notify,
}

impl Feed {
    fn watchers(&self) -> MutexGuard<'_, HashMap<Owner, broadcast::Sender<FeedSignal>>> {
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches a user from now on. To miss nothing, read the ledger after this call.
    pub fn subscribe(&self, owner: &Owner) -> Subscription {
        let mut watchers = self.watchers();
        let receiver = match watchers.get(owner) {
            Some(sender) => sender.subscribe(),
            None => watchers.entry(owner.clone()).or_insert(broadcast::channel(BACKLOG).0).subscribe(),
        };
        drop(watchers);
        Subscription { feed: self.clone(), owner: owner.clone(), receiver: Some(receiver) }
    }

    /// Tells the user's watchers that there are new events.
    pub fn publish_events(&self, owner: &Owner) {
        self.publish(owner, FeedSignal::Events);
    }

    /// Tells the user's watchers the latest progress of a task.
    pub fn publish_progress(&self, owner: &Owner, progress: Progress) {
        self.publish(owner, FeedSignal::Progress(Arc::new(progress)));
    }

    /// Tells the user's watchers a piece of a draft.
    pub fn publish_draft(&self, owner: &Owner, piece: DraftPiece) {
        self.publish(owner, FeedSignal::Draft(Arc::new(piece)));
    }

    /// Asks for an early renewal of this process's lease, for example because another node has stored a
    /// cancel request for a task that runs here: the renewal returns it.
    pub fn request_renewal(&self) {
        self.0.renewal.notify_one();
    }

    /// Waits for the next [`Feed::request_renewal`]. Returns at once if there was one since the last
    /// wait. Cancel safe.
    pub async fn renewal_requested(&self) {
        self.0.renewal.notified().await;
    }

    /// Tells this process that a durable task may be ready to be claimed.
    pub fn announce_ready_task(&self) {
        self.0.ready_tasks.notify_one();
    }

    /// Waits for the next [`Feed::announce_ready_task`]. Returns at once if there was one since the last wait.
    /// Cancel safe.
    pub async fn ready_task_announced(&self) {
        self.0.ready_tasks.notified().await;
    }

    /// The users with a watcher in this process.
    #[cfg(feature = "platform")]
    pub(super) fn watched(&self) -> Vec<Owner> {
        self.watchers().keys().cloned().collect()
    }

    fn publish(&self, owner: &Owner, signal: FeedSignal) {
        if let Some(sender) = self.watchers().get(owner) {
            // An error means that the last watcher has gone.
            let _ = sender.send(signal);
        }
    }
}

/// One watcher of one user.
#[derive(Debug)]
pub struct Subscription {
    feed: Feed,
    owner: Owner,
    receiver: Option<broadcast::Receiver<FeedSignal>>,
}

impl Subscription {
    /// The next signal. After a lag it is [`FeedSignal::Missed`]: read the ledger. Cancel safe.
    pub async fn next(&mut self) -> FeedSignal {
        match &mut self.receiver {
            None => std::future::pending().await,
            Some(receiver) => match receiver.recv().await {
                Ok(signal) => signal,
                Err(RecvError::Lagged(_)) => FeedSignal::Missed,
                // The sender lives as long as a subscription does.
                Err(RecvError::Closed) => std::future::pending().await,
            },
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.receiver = None;
        let mut watchers = self.feed.watchers();
        if watchers.get(&self.owner).is_some_and(|sender| sender.receiver_count() == 0) {
            watchers.remove(&self.owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signal_wakes_the_users_watchers_only_and_dropped_watchers_leave_no_entry() {
        let feed = Feed::default();
        let (anna, ben) = (Owner::new("t", "anna"), Owner::new("t", "ben"));
        let mut first = feed.subscribe(&anna);
        let mut second = feed.subscribe(&anna);
        let mut other = feed.subscribe(&ben);
        feed.publish_events(&anna);
        assert!(matches!(first.next().await, FeedSignal::Events));
        assert!(matches!(second.next().await, FeedSignal::Events));
        let quiet = tokio::time::timeout(std::time::Duration::ZERO, other.next()).await;
        assert!(quiet.is_err());
        drop((first, second, other));
        assert!(feed.watchers().is_empty());
    }

    #[tokio::test]
    async fn a_watcher_that_lags_is_told_to_read() {
        let feed = Feed::default();
        let anna = Owner::new("t", "anna");
        let mut slow = feed.subscribe(&anna);
        for _ in 0..BACKLOG * 3 {
            feed.publish_events(&anna);
        }
        assert!(matches!(slow.next().await, FeedSignal::Missed));
    }
}

/// Every order of a commit, a watcher that subscribes and one that drops.
#[cfg(all(test, imperal_explore))]
mod explored {
    use std::sync::Arc;

    use shuttle::{check_dfs, future::block_on, thread};

    use super::*;
    use crate::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_commit_is_read_or_signalled_and_no_entry_stays() {
        check_dfs(
            || {
                let feed = Feed::default();
                let anna = Owner::new("t", "anna");
                let ledger = Arc::new(AtomicU64::new(0));
                let leaving = feed.subscribe(&anna);
                let writer = thread::spawn({
                    let (feed, anna, ledger) = (feed.clone(), anna.clone(), ledger.clone());
                    move || {
                        ledger.store(1, Ordering::SeqCst);
                        feed.publish_events(&anna);
                    }
                });
                let leaver = thread::spawn(move || drop(leaving));
                let mut coming = feed.subscribe(&anna);
                while ledger.load(Ordering::SeqCst) == 0 {
                    // If the signal was lost, this sleeps for ever, which shuttle reports as a deadlock.
                    assert!(matches!(block_on(coming.next()), FeedSignal::Events));
                }
                writer.join().unwrap();
                leaver.join().unwrap();
                drop(coming);
                assert!(feed.watchers().is_empty());
            },
            None,
        );
    }
}
