//! Tells watchers of a user that the ledger has news. A signal is a hint and never the truth.
//!
//! A commit wakes the watchers of its user only. A watcher that lags loses signals and no events:
//! it reads the ledger from its own number on. All watchers get the same report, which is rendered once.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{DraftPiece, Owner, Progress};
use crate::sync::atomic::{AtomicU64, Ordering};
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
    Progress(FeedItem<Progress>),
    /// A piece of a draft.
    Draft(FeedItem<DraftPiece>),
    /// Signals were dropped because the watcher lags: there may be new events and pieces of drafts.
    Missed,
}

impl FeedSignal {
    /// Whether there may be new events: read the ledger.
    pub fn has_events(&self) -> bool {
        matches!(self, Self::Events | Self::Missed)
    }
}

/// A report to all watchers of a user. A clone shares the value and its rendering.
#[derive(Debug)]
pub struct FeedItem<T>(Arc<(T, OnceLock<Bytes>)>);

impl<T> FeedItem<T> {
    fn new(value: T) -> Self {
        Self(Arc::new((value, OnceLock::new())))
    }

    /// The report as the streams send it: rendered by the first of them.
    #[cfg(feature = "platform")]
    pub(crate) fn rendered(&self, render: impl FnOnce(&T) -> Bytes) -> Bytes {
        let (value, rendered) = &*self.0;
        rendered.get_or_init(|| render(value)).clone()
    }
}

impl<T> Clone for FeedItem<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for FeedItem<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.0
    }
}

/// A signal with the number of the commit that it is about.
#[derive(Debug, Clone)]
enum Numbered {
    Events(u64),
    Other(FeedSignal),
}

/// The watchers in this process, by user.
#[derive(Debug, Clone, Default)]
pub struct Feed(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    watchers: Mutex<HashMap<Owner, broadcast::Sender<Numbered>>>,
    /// Number of signals about events so far, to all users.
    published: AtomicU64,
    renewal: Notify,
    ready_tasks: Notify,
}

impl Feed {
    fn watchers(&self) -> MutexGuard<'_, HashMap<Owner, broadcast::Sender<Numbered>>> {
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
        Subscription { feed: self.clone(), owner: owner.clone(), receiver: Some(receiver), heard: self.published() }
    }

    /// A number that grows with each signal about events. A read of the ledger that begins after this call has the
    /// events of all signals up to this number.
    pub(crate) fn published(&self) -> u64 {
        self.0.published.load(Ordering::SeqCst)
    }

    /// Tells the user's watchers that there are new events.
    pub fn publish_events(&self, owner: &Owner) {
        let number = self.0.published.fetch_add(1, Ordering::SeqCst) + 1;
        self.publish(owner, Numbered::Events(number));
    }

    /// Tells the user's watchers the latest progress of a task.
    pub fn publish_progress(&self, owner: &Owner, progress: Progress) {
        self.publish(owner, Numbered::Other(FeedSignal::Progress(FeedItem::new(progress))));
    }

    /// Tells the user's watchers a piece of a draft.
    pub fn publish_draft(&self, owner: &Owner, piece: DraftPiece) {
        self.publish(owner, Numbered::Other(FeedSignal::Draft(FeedItem::new(piece))));
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

    fn publish(&self, owner: &Owner, signal: Numbered) {
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
    receiver: Option<broadcast::Receiver<Numbered>>,
    heard: u64,
}

impl Subscription {
    /// The next signal. After a lag it is [`FeedSignal::Missed`]: read the ledger. Cancel safe.
    pub async fn next(&mut self) -> FeedSignal {
        match &mut self.receiver {
            None => std::future::pending().await,
            Some(receiver) => match receiver.recv().await {
                Ok(Numbered::Events(number)) => {
                    self.heard = self.heard.max(number);
                    FeedSignal::Events
                }
                Ok(Numbered::Other(signal)) => signal,
                Err(RecvError::Lagged(_)) => {
                    self.heard = self.feed.published();
                    FeedSignal::Missed
                }
                // The sender lives as long as a subscription does.
                Err(RecvError::Closed) => std::future::pending().await,
            },
        }
    }
}

#[cfg(feature = "platform")]
impl Subscription {
    /// The number of the latest signal about events that this watcher knows of; see [`Feed::published`]. A read that
    /// began at this number or later has all events that the watcher has heard of.
    pub(crate) const fn heard(&self) -> u64 {
        self.heard
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

    #[cfg(feature = "platform")]
    #[tokio::test]
    async fn a_watcher_knows_the_number_of_its_latest_signal() {
        let feed = Feed::default();
        let (anna, ben) = (Owner::new("t", "anna"), Owner::new("t", "ben"));
        feed.publish_events(&anna);
        let (mut early, mut other) = (feed.subscribe(&anna), feed.subscribe(&ben));
        assert_eq!((early.heard(), feed.published()), (1, 1));
        feed.publish_events(&anna);
        feed.publish_events(&anna);
        early.next().await;
        assert_eq!((early.heard(), other.heard(), feed.subscribe(&ben).heard()), (2, 1, 3));
        for _ in 0..BACKLOG * 3 {
            feed.publish_events(&ben);
        }
        assert!(matches!(other.next().await, FeedSignal::Missed));
        assert_eq!(other.heard(), feed.published(), "the signals that it lost are among those");
    }

    #[cfg(feature = "platform")]
    #[tokio::test]
    async fn a_report_is_rendered_once_for_all_watchers() {
        let feed = Feed::default();
        let anna = Owner::new("t", "anna");
        let mut watchers = [feed.subscribe(&anna), feed.subscribe(&anna), feed.subscribe(&anna)];
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        feed.publish_progress(&anna, Progress::new(crate::ids::TaskId::generate(), 50.0, "Half.", at));
        let mut renderings = 0;
        for watcher in &mut watchers {
            let FeedSignal::Progress(progress) = watcher.next().await else { panic!("no progress") };
            let rendered = progress.rendered(|progress| {
                renderings += 1;
                progress.message.clone().unwrap().into()
            });
            assert_eq!(rendered, "Half.");
        }
        assert_eq!(renderings, 1);
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
