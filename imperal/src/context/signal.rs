//! The thread between a piece of work and its supervisor: told to stop, over, still alive.
//!
//! Owns the rule of P11: once work has *noticed* a cancel it counts as told, and nothing it
//! returns can undo that. Small on purpose: every parked task carries one.

use std::time::Duration;

use tokio::time::Instant;

use crate::sync::Notify;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Why work has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The user cancelled.
    Cancelled,
    /// The call or task has ended: it returned, ran into its cap, or was dropped.
    Over,
}

const LIVE: u8 = 0;
const CANCELLED: u8 = 1;
const OVER: u8 = 2;

#[derive(Debug)]
pub(crate) struct Signal {
    phase: AtomicU8,
    told: AtomicBool,
    changed: Notify,
    born: Instant,
    /// Milliseconds from `born` to the latest sign of life.
    alive_at: AtomicU64,
    /// Milliseconds from `born` to the cap; the largest number while there is none.
    expires_at: AtomicU64,
}

impl Signal {
    pub(crate) fn new() -> Self {
        Self {
            phase: AtomicU8::new(LIVE),
            told: AtomicBool::new(false),
            changed: Notify::new(),
            born: Instant::now(),
            alive_at: AtomicU64::new(0),
            expires_at: AtomicU64::new(u64::MAX),
        }
    }

    /// Says when the cap ends the work.
    pub(crate) fn expire_at(&self, at: Instant) {
        self.expires_at.store(millis(at.saturating_duration_since(self.born)), Ordering::Relaxed);
    }

    /// How long until the cap ends the work; nothing once it is over.
    pub(crate) fn time_left(&self) -> Duration {
        if self.phase.load(Ordering::SeqCst) == OVER {
            return Duration::ZERO;
        }
        let until = Duration::from_millis(self.expires_at.load(Ordering::Relaxed));
        until.saturating_sub(self.born.elapsed())
    }

    /// Asks the work to stop. False when it is over already.
    pub(crate) fn cancel(&self) -> bool {
        let first = self.phase.compare_exchange(LIVE, CANCELLED, Ordering::SeqCst, Ordering::SeqCst);
        self.changed.notify_waiters();
        first != Err(OVER)
    }

    /// Ends the work's right to its surfaces.
    pub(crate) fn close(&self) {
        self.phase.store(OVER, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Whether the work has ended; looking tells nobody.
    pub(crate) fn is_over(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == OVER
    }

    /// Whether the work has noticed that it was cancelled.
    pub(crate) fn was_told(&self) -> bool {
        self.told.load(Ordering::SeqCst)
    }

    /// The work looks: an `Err` of `Cancelled` is the moment it has been told.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        match self.phase.load(Ordering::SeqCst) {
            LIVE => Ok(()),
            CANCELLED => {
                self.told.store(true, Ordering::SeqCst);
                Err(Stop::Cancelled)
            }
            _ => Err(Stop::Over),
        }
    }

    /// Completes when the work has to stop, and counts as telling it.
    pub(crate) async fn told(&self) -> Stop {
        loop {
            // Made before the look: `notify_waiters` reaches it from then on.
            let changed = self.changed.notified();
            if let Err(stop) = self.check() {
                return stop;
            }
            changed.await;
        }
    }

    /// Completes when a cancel was asked for (or the work is over); the supervisor's side, which
    /// tells nobody.
    pub(crate) async fn cancel_requested(&self) {
        loop {
            let changed = self.changed.notified();
            if self.phase.load(Ordering::SeqCst) != LIVE {
                return;
            }
            changed.await;
        }
    }

    /// A sign of life.
    pub(crate) fn touch(&self) {
        self.alive_at.fetch_max(millis(self.born.elapsed()), Ordering::Relaxed);
    }

    /// When the latest sign of life was.
    pub(crate) fn last_alive(&self) -> Instant {
        self.born + Duration::from_millis(self.alive_at.load(Ordering::Relaxed))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_work_that_looked_was_told() {
        let signal = Signal::new();
        assert!(signal.cancel());
        signal.cancel_requested().await;
        assert!(!signal.was_told(), "the supervisor's look tells nobody");
        assert_eq!(signal.check(), Err(Stop::Cancelled));
        assert!(signal.was_told());
    }

    #[tokio::test]
    async fn a_late_cancel_does_not_reopen_what_is_over() {
        let signal = Signal::new();
        signal.close();
        assert!(!signal.cancel());
        assert_eq!(signal.told().await, Stop::Over);
        assert!(!signal.was_told());
    }

    #[tokio::test]
    async fn waiting_work_is_woken() {
        let signal = std::sync::Arc::new(Signal::new());
        let waiter = tokio::spawn({
            let signal = signal.clone();
            async move { signal.told().await }
        });
        tokio::task::yield_now().await;
        signal.cancel();
        assert_eq!(waiter.await.unwrap(), Stop::Cancelled);
    }
}

/// Every order in which work, user and supervisor can meet.
#[cfg(all(test, imperal_explore))]
mod explored {
    use std::sync::Arc;

    use shuttle::{check_dfs, future::block_on, thread};

    use super::*;

    #[test]
    fn whoever_noticed_counts_as_told_and_nobody_else() {
        check_dfs(
            || {
                let signal = Arc::new(Signal::new());
                let work = thread::spawn({
                    let signal = signal.clone();
                    move || (0..2).any(|_| signal.check() == Err(Stop::Cancelled))
                });
                let user = thread::spawn({
                    let signal = signal.clone();
                    move || signal.cancel()
                });
                // The supervisor: looks once the work has returned, then closes.
                let noticed = work.join().unwrap();
                let told = signal.was_told();
                signal.close();
                let taken = user.join().unwrap();
                assert_eq!(noticed, told, "what work noticed cannot be undone, what it did not is not held against it");
                assert!(taken || !noticed, "a cancel that came too late reached nobody");
                assert_eq!(signal.check(), Err(Stop::Over));
                assert_eq!(signal.was_told(), told, "nothing is told after the end");
            },
            None,
        );
    }

    #[test]
    fn work_does_not_sleep_through_a_cancel_or_the_end() {
        check_dfs(
            || {
                let signal = Arc::new(Signal::new());
                let work = thread::spawn({
                    let signal = signal.clone();
                    move || block_on(signal.told())
                });
                let end = thread::spawn({
                    let signal = signal.clone();
                    move || signal.close()
                });
                let taken = signal.cancel();
                end.join().unwrap();
                let stop = work.join().unwrap();
                assert!(taken || stop == Stop::Over);
                assert_eq!(signal.was_told(), stop == Stop::Cancelled);
            },
            None,
        );
    }

    #[test]
    fn the_supervisor_does_not_sleep_through_a_cancel() {
        check_dfs(
            || {
                let signal = Arc::new(Signal::new());
                let supervisor = thread::spawn({
                    let signal = signal.clone();
                    move || block_on(signal.cancel_requested())
                });
                assert!(signal.cancel());
                supervisor.join().unwrap();
                assert!(!signal.was_told(), "the supervisor's look tells nobody");
            },
            None,
        );
    }
}
