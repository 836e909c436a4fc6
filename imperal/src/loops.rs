//! Maintenance loops that cannot die silently.
//!
//! Starts, watches and restarts the loops of the platform (renewal, recovery, ..) and of a ledger. A loop that
//! panics, or returns before its owner ends, is logged by name, counted, and started again after a pause that
//! doubles from 100 ms to 30 s. While an essential loop pauses, its node is not ready.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::meters::Counter;
#[cfg(feature = "platform")]
use crate::meters::Text;
use crate::panic_text::{log_excerpt, panic_text};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// After a run of this length, the next pause is the first again.
const RESET_AFTER: Duration = Duration::from_secs(60);

/// Whether a node may serve without the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Without it the node is not ready.
    Essential,
    /// Without it no guarantee is broken.
    Helpful,
}

/// The maintenance loops of one owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loops(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    states: Mutex<Vec<Arc<LoopState>>>,
    handles: Mutex<Vec<(&'static str, JoinHandle<()>)>>,
}

/// The state of one loop.
#[derive(Debug)]
pub(crate) struct LoopState {
    name: &'static str,
    need: Need,
    working: AtomicBool,
    failures: Counter,
}

/// The pauses before one loop's restarts.
#[derive(Debug)]
struct RestartPauses(Backoff);

impl RestartPauses {
    fn new() -> Self {
        Self(Backoff::new(FIRST_PAUSE, LONGEST_PAUSE))
    }

    /// The pause after a run of this length.
    fn after(&mut self, ran: Duration) -> Duration {
        if ran >= RESET_AFTER {
            self.0.reset();
        }
        self.0.next_wait()
    }
}

impl LoopState {
    /// Counts and logs a panic that the loop survived.
    pub(crate) fn panicked(&self, payload: Box<dyn Any + Send>) {
        self.failures.inc();
        tracing::error!(name = self.name, panic = log_excerpt(&panic_text(payload)), "a maintenance loop panicked");
    }

    fn failed(&self, payload: Option<Box<dyn Any + Send>>, pause: Duration) {
        self.working.store(false, Ordering::Relaxed);
        if let Some(payload) = payload {
            self.panicked(payload);
        } else {
            self.failures.inc();
            tracing::error!(name = self.name, "a maintenance loop returned before the platform ended");
        }
        tracing::warn!(name = self.name, restart_ms = pause.as_millis(), "the maintenance loop restarts after a pause");
    }

    /// Notes that the owner has ended the loop.
    pub(crate) fn stopped(&self) {
        self.working.store(false, Ordering::Relaxed);
    }

    fn begins(&self) {
        self.working.store(true, Ordering::Relaxed);
    }

    /// Runs the futures that `body` makes, again after each failure, until `ended`.
    pub(crate) async fn run<F: Future<Output = ()> + Send>(
        &self,
        ended: &CancellationToken,
        body: impl Fn() -> F + Send + Sync,
    ) {
        let mut pauses = RestartPauses::new();
        while !ended.is_cancelled() {
            self.begins();
            let begun = Instant::now();
            let done = AssertUnwindSafe(async { body().await }).catch_unwind().await;
            if ended.is_cancelled() {
                if let Err(payload) = done {
                    self.panicked(payload);
                }
                break;
            }
            let pause = pauses.after(begun.elapsed());
            self.failed(done.err(), pause);
            ended.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
        self.stopped();
    }

    /// Runs a loop on this thread until it returns, which it does when its owner is gone.
    pub(crate) fn run_on_thread(&self, mut body: impl FnMut()) {
        let mut pauses = RestartPauses::new();
        loop {
            self.begins();
            let begun = Instant::now();
            let Err(payload) = catch_unwind(AssertUnwindSafe(&mut body)) else { break };
            let pause = pauses.after(begun.elapsed());
            self.failed(Some(payload), pause);
            std::thread::sleep(pause);
        }
        self.stopped();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Loops {
    /// Registers a loop that its owner runs on a thread.
    pub(crate) fn register(&self, name: &'static str, need: Need) -> Arc<LoopState> {
        let state = Arc::new(LoopState { name, need, working: AtomicBool::new(true), failures: Counter::default() });
        locked(&self.0.states).push(state.clone());
        state
    }

    /// Runs the futures that `body` makes in a tokio task, again after each failure, until `ended`.
    pub(crate) fn spawn<F: Future<Output = ()> + Send>(
        &self,
        name: &'static str,
        need: Need,
        ended: CancellationToken,
        body: impl Fn() -> F + Send + Sync + 'static,
    ) -> AbortHandle {
        let state = self.register(name, need);
        let running = tokio::spawn(async move { state.run(&ended, body).await });
        let abort = running.abort_handle();
        locked(&self.0.handles).push((name, running));
        abort
    }

    /// Waits for the loops' end, the last one started first, and aborts the loops that still run after `timeout`.
    pub(crate) async fn join(&self, timeout: Duration) {
        let handles = std::mem::take(&mut *locked(&self.0.handles));
        let deadline = tokio::time::Instant::now() + timeout;
        for (name, mut running) in handles.into_iter().rev() {
            if tokio::time::timeout_at(deadline, &mut running).await.is_err() {
                tracing::warn!(name, "a maintenance loop did not end in time: aborted");
                running.abort();
            }
        }
    }

    /// The name of an essential loop that does not run.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        let states = locked(&self.0.states);
        let missing = |state: &&Arc<LoopState>| state.need == Need::Essential && !state.working.load(Ordering::Relaxed);
        states.iter().find(missing).map(|state| state.name)
    }

    /// The metrics of all these loops.
    #[cfg(feature = "platform")]
    pub(crate) fn text(all: &[&Self], text: &mut Text) {
        let states: Vec<_> = all.iter().flat_map(|loops| locked(&loops.0.states).clone()).collect();
        let name = "imperal_loop_working";
        text.metric(name, "gauge", "Whether a maintenance loop of this node is at work.");
        for state in &states {
            text.sample(name, &[("loop", state.name)], u8::from(state.working.load(Ordering::Relaxed)));
        }
        let name = "imperal_loop_failures_total";
        text.metric(name, "counter", "Panics and early ends of this node's maintenance loops.");
        for state in &states {
            text.sample(name, &[("loop", state.name)], state.failures.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use tokio::sync::Notify;

    use super::*;

    fn metrics(loops: &Loops) -> String {
        let mut text = Text::default();
        Loops::text(&[loops], &mut text);
        text.into_string()
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_restarts_after_a_panic_and_an_early_return() {
        let (loops, ended) = (Loops::default(), CancellationToken::new());
        let (runs, well) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let body = {
            let (runs, well) = (runs.clone(), well.clone());
            move || {
                let (run, well) = (runs.fetch_add(1, Ordering::SeqCst), well.clone());
                async move {
                    match run {
                        0 => panic!("a secret of anna"),
                        1 => {}
                        _ => {
                            well.notify_one();
                            std::future::pending::<()>().await;
                        }
                    }
                }
            }
        };
        loops.spawn("renewal", Need::Essential, ended.clone(), body);
        tokio::task::yield_now().await;
        assert_eq!(loops.missing(), Some("renewal"));
        assert!(metrics(&loops).contains("imperal_loop_working{loop=\"renewal\"} 0"));
        well.notified().await;
        assert_eq!(loops.missing(), None);
        let text = metrics(&loops);
        assert!(text.contains("imperal_loop_failures_total{loop=\"renewal\"} 2"), "{text}");
        assert!(text.contains("imperal_loop_working{loop=\"renewal\"} 1"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn restart_pauses_grow_to_half_a_minute() {
        let (loops, ended) = (Loops::default(), CancellationToken::new());
        let runs = Arc::new(AtomicU32::new(0));
        let body = {
            let runs = runs.clone();
            move || {
                runs.fetch_add(1, Ordering::SeqCst);
                async { panic!("again") }
            }
        };
        loops.spawn("retention", Need::Helpful, ended.clone(), body);
        tokio::time::sleep(Duration::from_secs(600)).await;
        // 100 ms, 200 ms, .. 25.6 s are nine pauses in 51 s, then one each 30 s.
        let runs = runs.load(Ordering::SeqCst);
        assert!((26..=30).contains(&runs), "{runs} runs");
        assert_eq!(loops.missing(), None, "a helpful loop takes no readiness");
        ended.cancel();
        loops.join(Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn join_waits_for_loops_and_aborts_one_that_hangs() {
        let (loops, ended) = (Loops::default(), CancellationToken::new());
        loops.spawn("hangs", Need::Helpful, ended.clone(), std::future::pending::<()>);
        let through = Arc::new(AtomicBool::new(false));
        loops.spawn("ends", Need::Helpful, ended.clone(), {
            let (ended, through) = (ended.clone(), through.clone());
            move || {
                let (ended, through) = (ended.clone(), through.clone());
                async move {
                    ended.cancelled().await;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    through.store(true, Ordering::SeqCst);
                }
            }
        });
        tokio::task::yield_now().await;
        ended.cancel();
        loops.join(Duration::from_secs(3)).await;
        assert!(through.load(Ordering::SeqCst));
    }

    #[test]
    fn a_loop_on_a_thread_goes_on_after_a_panic() {
        let loops = Loops::default();
        let mut runs = 0;
        loops.register("watchdog", Need::Helpful).run_on_thread(|| {
            runs += 1;
            assert!(runs > 1, "once");
        });
        assert_eq!(runs, 2);
        assert!(metrics(&loops).contains("imperal_loop_failures_total{loop=\"watchdog\"} 1"));
    }

    #[test]
    fn restart_pauses_start_again_after_a_steady_run() {
        let mut pauses = RestartPauses::new();
        for _ in 0..40 {
            pauses.after(Duration::ZERO);
        }
        assert_eq!(pauses.after(Duration::ZERO), LONGEST_PAUSE);
        assert_eq!(pauses.after(RESET_AFTER), FIRST_PAUSE);
        assert_eq!(pauses.after(Duration::ZERO), FIRST_PAUSE * 2);
    }
}
