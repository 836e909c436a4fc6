//! The signal between a piece of work and its supervisor: stop, over, still alive.
//!
//! Owns one rule: once work has *noticed* a cancel, nothing that it returns can undo the cancel. Small on
//! purpose, since every parked task carries one.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::sync::Notify;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Why a call or task has to stop, or was stopped. See [`Context::stop_reason`](super::Context::stop_reason).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The user cancelled: the result is not wanted any more.
    Cancelled,
    /// The time limit ended it: 300 s for a call, 180 s or 1800 s for a task.
    TimedOut,
    /// It gave no sign of life for the liveness window (300 s).
    Silent,
    /// The process stops. The user may want the same work again later.
    Interrupted,
    /// The node lost its lease. Another node settles the work.
    LeaseLost,
    /// Another process continues the durable task.
    HandedOver,
    /// It has returned or panicked; what still holds its context outlived it.
    Ended,
}

/// An event that the supervisor of a piece of work waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// The process interrupts its work.
    Killed,
    /// A cancel was requested.
    Cancelled,
    /// The work was closed by the loss of the lease.
    Closed,
}

const LIVE: u8 = 0;
const CANCELLED: u8 = 1;
const OVER: u8 = 2;

impl StopReason {
    const ALL: [Self; 7] = [
        Self::Cancelled,
        Self::TimedOut,
        Self::Silent,
        Self::Interrupted,
        Self::LeaseLost,
        Self::HandedOver,
        Self::Ended,
    ];
}

#[derive(Debug)]
pub(crate) struct Signal {
    phase: AtomicU8,
    /// A [`StopReason`] by its place in `ALL`, from the moment the phase is `OVER`.
    ended_by: AtomicU8,
    noticed: AtomicBool,
    changed: Notify,
    born: Instant,
    /// Milliseconds from `born` to the latest sign of life.
    alive_at: AtomicU64,
    /// Milliseconds from `born` to the cap without waits; the largest number while there is none.
    expires_at: AtomicU64,
    /// Milliseconds by which the cap is put off.
    put_off: AtomicU64,
}

impl Signal {
    pub(crate) fn new() -> Self {
        Self {
            phase: AtomicU8::new(LIVE),
            ended_by: AtomicU8::new(StopReason::Ended as u8),
            noticed: AtomicBool::new(false),
            changed: Notify::new(),
            born: Instant::now(),
            alive_at: AtomicU64::new(0),
            expires_at: AtomicU64::new(u64::MAX),
            put_off: AtomicU64::new(0),
        }
    }

    /// Sets when the cap ends the work that never only waits.
    pub(crate) fn expire_at(&self, at: Instant) {
        self.expires_at.store(millis(at.saturating_duration_since(self.born)), Ordering::Relaxed);
    }

    /// Says how long the work has only waited so far: it puts the end by the cap off.
    pub(crate) fn put_off_by(&self, waited: Duration) {
        self.put_off.store(millis(waited), Ordering::Relaxed);
    }

    /// How long until the cap ends the work; zero once it is over.
    pub(crate) fn time_left(&self) -> Duration {
        if self.is_over() {
            return Duration::ZERO;
        }
        let expires_at = self.expires_at.load(Ordering::Relaxed);
        let until = Duration::from_millis(expires_at.saturating_add(self.put_off.load(Ordering::Relaxed)));
        until.saturating_sub(self.born.elapsed())
    }

    /// Asks the work to stop. Returns false when it is over already.
    pub(crate) fn cancel(&self) -> bool {
        let first = self.phase.compare_exchange(LIVE, CANCELLED, Ordering::SeqCst, Ordering::SeqCst);
        self.changed.notify_waiters();
        first != Err(OVER)
    }

    /// Ends the work's right to its surfaces. The first reason stays.
    pub(crate) fn close(&self, reason: StopReason) {
        if !self.is_over() {
            self.ended_by.store(reason as u8, Ordering::SeqCst);
        }
        self.phase.store(OVER, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Whether no stop was requested. The work does not notice a cancel by this.
    pub(crate) fn is_live(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == LIVE
    }

    /// Whether the work has ended. The work does not notice a cancel by this.
    pub(crate) fn is_over(&self) -> bool {
        self.phase.load(Ordering::SeqCst) == OVER
    }

    /// Whether the work has noticed that it was cancelled.
    pub(crate) fn was_noticed(&self) -> bool {
        self.noticed.load(Ordering::SeqCst)
    }

    /// The work's own check. An `Err` of `Cancelled` is the moment the work notices the cancel.
    pub(crate) fn check(&self) -> Result<(), StopReason> {
        match self.phase.load(Ordering::SeqCst) {
            LIVE => Ok(()),
            CANCELLED => {
                self.noticed.store(true, Ordering::SeqCst);
                Err(StopReason::Cancelled)
            }
            _ => {
                let place = usize::from(self.ended_by.load(Ordering::SeqCst));
                Err(StopReason::ALL.get(place).copied().unwrap_or(StopReason::Ended))
            }
        }
    }

    /// Completes when the work has to stop, which it thereby notices.
    pub(crate) async fn stopped(&self) -> StopReason {
        loop {
            // Created before the check: `notify_waiters` reaches it from then on.
            let changed = self.changed.notified();
            if let Err(reason) = self.check() {
                return reason;
            }
            changed.await;
        }
    }

    /// Completes when the work is over. A cancel alone does not complete it.
    pub(crate) async fn over(&self) -> StopReason {
        loop {
            let changed = self.changed.notified();
            if self.is_over() {
                return self.check().err().unwrap_or(StopReason::Ended);
            }
            changed.await;
        }
    }

    /// Completes when the supervisor has something to do. The work does not notice a cancel by this, and a cancel that
    /// the supervisor knows of does not complete it.
    ///
    /// One wait for all three events keeps a parked task small. So a cancel of `kill` needs a
    /// [`wake_supervisor`](Self::wake_supervisor) behind it.
    #[expect(clippy::manual_async_fn, reason = "an async fn holds its arguments twice")]
    pub(crate) fn disturbed<'s>(
        &'s self,
        kill: &'s CancellationToken,
        knows_cancel: bool,
    ) -> impl Future<Output = Disturbance> + Send + 's {
        async move {
            loop {
                let changed = self.changed.notified();
                if kill.is_cancelled() {
                    return Disturbance::Killed;
                }
                match self.phase.load(Ordering::SeqCst) {
                    LIVE => {}
                    CANCELLED if knows_cancel => {}
                    CANCELLED => return Disturbance::Cancelled,
                    _ => return Disturbance::Closed,
                }
                changed.await;
            }
        }
    }

    /// Has the supervisor look at its `kill`.
    pub(crate) fn wake_supervisor(&self) {
        self.changed.notify_waiters();
    }

    /// Records a sign of life.
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
    async fn only_a_check_of_the_work_notices_a_cancel() {
        let signal = Signal::new();
        assert!(signal.cancel());
        let kill = CancellationToken::new();
        assert_eq!(signal.disturbed(&kill, false).await, Disturbance::Cancelled);
        assert!(!signal.was_noticed(), "the supervisor's wait is not noticed by the work");
        assert_eq!(signal.check(), Err(StopReason::Cancelled));
        assert!(signal.was_noticed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_left_follows_waits_of_any_length() {
        let signal = Signal::new();
        signal.expire_at(Instant::now() + Duration::from_secs(1));
        let mut waited = Duration::ZERO;
        for _ in 0..1000 {
            waited += Duration::from_micros(1900);
            signal.put_off_by(waited);
        }
        assert_eq!(signal.time_left(), Duration::from_millis(2900));
    }

    #[tokio::test]
    async fn a_late_cancel_does_not_reopen_ended_work() {
        let signal = Signal::new();
        signal.close(StopReason::Ended);
        assert!(!signal.cancel());
        assert_eq!(signal.stopped().await, StopReason::Ended);
        assert!(!signal.was_noticed());
    }

    #[test]
    fn the_first_reason_of_an_end_stays() {
        for reason in StopReason::ALL {
            let signal = Signal::new();
            signal.close(reason);
            signal.close(StopReason::Ended);
            assert_eq!(signal.check(), Err(reason));
        }
    }

    #[tokio::test]
    async fn supervisor_wakes_at_a_kill_and_at_the_end_after_a_cancel_that_it_knows() {
        for (is_kill, expected) in [(true, Disturbance::Killed), (false, Disturbance::Closed)] {
            let (signal, kill) = (Signal::new(), CancellationToken::new());
            signal.cancel();
            let mut disturbed = std::pin::pin!(signal.disturbed(&kill, true));
            assert!(futures_util::poll!(disturbed.as_mut()).is_pending(), "it knows of the cancel");
            if is_kill {
                kill.cancel();
                signal.wake_supervisor();
            } else {
                signal.close(StopReason::LeaseLost);
            }
            assert_eq!(disturbed.await, expected);
        }
    }

    #[tokio::test]
    async fn a_cancel_wakes_waiting_work() {
        let signal = std::sync::Arc::new(Signal::new());
        let waiter = tokio::spawn({
            let signal = signal.clone();
            async move { signal.stopped().await }
        });
        tokio::task::yield_now().await;
        signal.cancel();
        assert_eq!(waiter.await.unwrap(), StopReason::Cancelled);
    }
}

/// Every order of the steps of work, user and supervisor.
#[cfg(all(test, imperal_explore))]
mod explored {
    use std::sync::Arc;

    use shuttle::{check_dfs, future::block_on, thread};

    use super::*;

    #[test]
    fn a_cancel_counts_exactly_when_the_work_noticed_it() {
        check_dfs(
            || {
                let signal = Arc::new(Signal::new());
                let work = thread::spawn({
                    let signal = signal.clone();
                    move || (0..2).any(|_| signal.check() == Err(StopReason::Cancelled))
                });
                let user = thread::spawn({
                    let signal = signal.clone();
                    move || signal.cancel()
                });
                // The supervisor checks once the work has returned, then closes.
                let noticed = work.join().unwrap();
                let counts = signal.was_noticed();
                signal.close(StopReason::Ended);
                let taken = user.join().unwrap();
                assert_eq!(noticed, counts, "a noticed cancel stays, an unnoticed one does not count");
                assert!(taken || !noticed, "a cancel after the end is not noticed");
                assert_eq!(signal.check(), Err(StopReason::Ended));
                assert_eq!(signal.was_noticed(), counts, "nothing is noticed after the end");
            },
            None,
        );
    }

    #[test]
    fn waiting_work_wakes_at_a_cancel_or_the_end() {
        check_dfs(
            || {
                let signal = Arc::new(Signal::new());
                let work = thread::spawn({
                    let signal = signal.clone();
                    move || block_on(signal.stopped())
                });
                let end = thread::spawn({
                    let signal = signal.clone();
                    move || signal.close(StopReason::Ended)
                });
                let taken = signal.cancel();
                end.join().unwrap();
                let stop = work.join().unwrap();
                assert!(taken || stop == StopReason::Ended);
                assert_eq!(signal.was_noticed(), stop == StopReason::Cancelled);
            },
            None,
        );
    }

    #[test]
    fn the_waiting_supervisor_wakes_at_a_cancel() {
        check_dfs(
            || {
                let signal = Arc::new(Signal::new());
                let supervisor = thread::spawn({
                    let signal = signal.clone();
                    move || block_on(signal.disturbed(&CancellationToken::new(), false))
                });
                assert!(signal.cancel());
                assert_eq!(supervisor.join().unwrap(), Disturbance::Cancelled);
                assert!(!signal.was_noticed(), "the supervisor's wait is not noticed by the work");
            },
            None,
        );
    }
}
