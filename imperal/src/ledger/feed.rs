//! Wakes whoever watches a user's events: a hint per user, never the truth.
//!
//! A commit of one user wakes that user's streams only. A watcher that lags loses hints, not
//! events: it reads the ledger from its own number on.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Owner, Progress};
use crate::sync::{Mutex, MutexGuard};

/// Progress reports held for one slow watcher before the oldest are dropped.
const BACKLOG: usize = 64;

/// What a watcher hears.
#[derive(Debug, Clone)]
pub enum Pulse {
    /// There may be new events.
    Events,
    /// Latest progress of a task.
    Progress(Arc<Progress>),
}

/// The process's watchers, by user.
#[derive(Debug, Clone, Default)]
pub struct Feed(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    watchers: Mutex<HashMap<Owner, broadcast::Sender<Pulse>>>,
    /// A task of this process was asked elsewhere to stop.
    renewal: Notify,
}

impl Feed {
    fn watchers(&self) -> MutexGuard<'_, HashMap<Owner, broadcast::Sender<Pulse>>> {
        self.0.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches a user from now on. Read the ledger after this, and nothing can be missed.
    pub fn subscribe(&self, owner: &Owner) -> Subscription {
        let mut watchers = self.watchers();
        let receiver = match watchers.get(owner) {
            Some(sender) => sender.subscribe(),
            None => watchers.entry(owner.clone()).or_insert(broadcast::channel(BACKLOG).0).subscribe(),
        };
        drop(watchers);
        Subscription { feed: self.clone(), owner: owner.clone(), receiver: Some(receiver) }
    }

    /// Says that a user has new events.
    pub fn events(&self, owner: &Owner) {
        self.tell(owner, Pulse::Events);
    }

    /// Says how far a task is.
    pub fn progress(&self, owner: &Owner, progress: Progress) {
        self.tell(owner, Pulse::Progress(Arc::new(progress)));
    }

    /// Says that a task which runs in this process was asked elsewhere to stop. Which one, the next
    /// renewal says.
    pub fn request_renewal(&self) {
        self.0.renewal.notify_one();
    }

    /// Waits until the next [`Feed::ask`], or returns at once if there was one since the last wait.
    /// Cancel safe.
    pub async fn renewal_requested(&self) {
        self.0.renewal.notified().await;
    }

    /// The users that are watched here.
    #[cfg(feature = "platform")]
    pub(super) fn watched(&self) -> Vec<Owner> {
        self.watchers().keys().cloned().collect()
    }

    fn tell(&self, owner: &Owner, pulse: Pulse) {
        if let Some(sender) = self.watchers().get(owner) {
            // An error means that nobody watches any more.
            let _ = sender.send(pulse);
        }
    }
}

/// One watcher of one user.
#[derive(Debug)]
pub struct Subscription {
    feed: Feed,
    owner: Owner,
    receiver: Option<broadcast::Receiver<Pulse>>,
}

impl Subscription {
    /// The next pulse. After a lag it is [`Pulse::Events`]: look at the ledger. Cancel safe.
    pub async fn next(&mut self) -> Pulse {
        match &mut self.receiver {
            None => std::future::pending().await,
            Some(receiver) => match receiver.recv().await {
                Ok(pulse) => pulse,
                Err(RecvError::Lagged(_)) => Pulse::Events,
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
    async fn only_the_users_own_watchers_wake_and_none_is_left_behind() {
        let feed = Feed::default();
        let (anna, ben) = (Owner::new("t", "anna"), Owner::new("t", "ben"));
        let mut first = feed.subscribe(&anna);
        let mut second = feed.subscribe(&anna);
        let mut other = feed.subscribe(&ben);
        feed.events(&anna);
        assert!(matches!(first.next().await, Pulse::Events));
        assert!(matches!(second.next().await, Pulse::Events));
        let quiet = tokio::time::timeout(std::time::Duration::ZERO, other.next()).await;
        assert!(quiet.is_err());
        drop((first, second, other));
        assert!(feed.watchers().is_empty());
    }

    #[tokio::test]
    async fn a_watcher_that_lags_is_told_to_look() {
        let feed = Feed::default();
        let anna = Owner::new("t", "anna");
        let mut slow = feed.subscribe(&anna);
        for _ in 0..BACKLOG * 3 {
            feed.events(&anna);
        }
        assert!(matches!(slow.next().await, Pulse::Events));
    }
}

/// Every order of a commit, a watcher that comes and one that goes.
#[cfg(all(test, imperal_explore))]
mod explored {
    use std::sync::Arc;

    use shuttle::{check_dfs, future::block_on, thread};

    use super::*;
    use crate::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_commit_is_read_or_heard_of_and_no_entry_is_left() {
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
                        feed.events(&anna);
                    }
                });
                let leaver = thread::spawn(move || drop(leaving));
                let mut coming = feed.subscribe(&anna);
                while ledger.load(Ordering::SeqCst) == 0 {
                    // Asleep for ever, if the hint went to nobody: shuttle calls that a deadlock.
                    assert!(matches!(block_on(coming.next()), Pulse::Events));
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
