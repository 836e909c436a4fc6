//! Names work that blocks its thread.
//!
//! A future that computes for seconds without yielding starves its neighbours, and no timer of the runtime can
//! detect it. A thread samples every piece of work once a second. When two samples hit the same poll, the log names
//! the work and the time. A poll costs the work two relaxed atomic additions and no clock.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use crate::failpoint;
use crate::ids::{CallId, TaskId};
use crate::loops::{Loops, Need};

const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// The name of a piece of work in the log. Formatted only when it is logged.
#[derive(Debug)]
pub(crate) enum Label {
    /// A call of a function.
    Call(CallId, &'static str),
    /// A background task and its name.
    Task(TaskId, Cow<'static, str>),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call_id, function) => write!(f, "call {call_id} of {function}"),
            Self::Task(task_id, name) => write!(f, "task {task_id} ({name})"),
        }
    }
}

#[derive(Debug)]
struct Slot {
    /// Odd while the work is being polled; grows with every poll.
    polls: AtomicU32,
    label: Label,
}

type Slots = Mutex<HashMap<u64, Arc<Slot>>>;

/// The process's sampler. Its thread ends with it.
#[derive(Debug)]
pub(crate) struct Watchdog {
    slots: Arc<Slots>,
    next: std::sync::atomic::AtomicU64,
}

impl Watchdog {
    /// Starts the sampling thread.
    pub(crate) fn start(loops: &Loops) -> Self {
        let slots: Arc<Slots> = Arc::default();
        let watched = Arc::downgrade(&slots);
        let state = loops.register("watchdog", Need::Helpful);
        let spawned = std::thread::Builder::new()
            .name("imperal-watchdog".to_owned())
            .spawn(move || state.run_on_thread(|| sample(&watched)));
        if let Err(error) = spawned {
            tracing::warn!(%error, "no watchdog thread: work that blocks its thread will not be named");
        }
        Self { slots, next: 0.into() }
    }

    /// Watches a future from its first poll to its end.
    pub(crate) fn watch<F>(&self, label: Label, future: F) -> impl Future<Output = F::Output> + use<F>
    where
        F: Future + Unpin,
    {
        let slot = Arc::new(Slot { polls: AtomicU32::new(0), label });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).insert(id, slot.clone());
        Watched { entry: Entry { id, slots: self.slots.clone() }, slot, future }
    }
}

struct Entry {
    id: u64,
    slots: Arc<Slots>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

struct Watched<F> {
    #[expect(dead_code, reason = "leaves the table when the work ends")]
    entry: Entry,
    slot: Arc<Slot>,
    future: F,
}

impl<F: Future + Unpin> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<F::Output> {
        self.slot.polls.fetch_add(1, Ordering::Relaxed);
        let polled = Pin::new(&mut self.future).poll(cx);
        self.slot.polls.fetch_add(1, Ordering::Relaxed);
        polled
    }
}

fn sample(slots: &Weak<Slots>) {
    // Work seen inside a poll at the last sample: that poll's number and when it was first seen.
    let mut inside: HashMap<u64, (u32, Instant)> = HashMap::new();
    loop {
        std::thread::sleep(SAMPLE_EVERY);
        let Some(slots) = slots.upgrade() else { return };
        failpoint::hit("watchdog");
        let mut still = HashMap::new();
        for (id, slot) in slots.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let polls = slot.polls.load(Ordering::Relaxed);
            if polls % 2 == 0 {
                continue;
            }
            let since = match inside.get(id) {
                Some((same, since)) if *same == polls => {
                    tracing::warn!(
                        work = %slot.label,
                        blocked_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
                        "work blocks its thread: run it with ctx.blocking, or yield between steps"
                    );
                    *since
                }
                _ => Instant::now(),
            };
            still.insert(*id, (polls, since));
        }
        inside = still;
    }
}
