//! When a call is written: at its beginning, with the start of its first task, or together with its reply.
//!
//! A call is in the ledger before its handler runs, so that a crash cannot lose what the handler did. A *read*, and a
//! *starter*, which only starts tasks, do nothing themselves that could be lost: these calls are *deferred*. The handler
//! begins at once. If it answers within [`DEFERRED`], the call and its reply are one transaction; if it starts a
//! task, the call and the task are one: one synced commit instead of two. A deferred call that takes longer, or uses a
//! surface that writes for it, is written at that moment, as every other call is at its beginning.
//!
//! The handler of a starter hears of its first task *early*: before that is written. So call, task and reply are one
//! transaction, and no caller hears of the task before it. If the ledger then refuses the task, the
//! call is written alone and the handler runs again. This time its start waits for the ledger.

use std::mem;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::ledger::{NewTask, Task};
use crate::sync::Mutex;
use crate::sync::atomic::AtomicBool;

/// How long a deferred call runs before it is written.
pub(super) const DEFERRED: Duration = Duration::from_millis(5);

/// A start that is to be written with its call.
#[derive(Debug)]
pub(super) struct WantedStart {
    pub(super) task: NewTask,
    pub(super) answer: oneshot::Sender<StartWith>,
    /// Resolves once the task runs on this node, or does not.
    pub(super) begun: oneshot::Receiver<()>,
}

/// The two answers that the start of a task waits for.
#[derive(Debug)]
pub(super) struct WaitingStart {
    pub(super) answer: oneshot::Receiver<StartWith>,
    /// Dropped once the task runs on this node, or does not.
    pub(super) begins: oneshot::Sender<()>,
}

/// The fate of a start that was to be written with its call.
#[derive(Debug)]
pub(super) enum StartWith {
    /// The task is stored. `None`: by an earlier attempt, whose answer was lost.
    Stored(Option<Box<Task>>),
    /// Only the call is: the ledger refused both together because of the task. A handler that heard of the task runs again.
    CallAlone,
    /// The caller has an error already: the task must not run, if it is stored, and not be started.
    TooLate(Option<Box<Task>>),
}

/// The first start of a deferred call.
#[derive(Debug, Default)]
enum FirstStart {
    #[default]
    None,
    Wanted(Box<WantedStart>),
    /// The call is being written, or over: later starts are written alone.
    Past,
}

/// Whether a deferred call is in the ledger.
#[derive(Debug, Default)]
pub(super) struct Acceptance {
    wanted: Notify,
    accepted: CancellationToken,
    over: CancellationToken,
    start: Mutex<FirstStart>,
    /// Whether the handler hears of its first task before that is written.
    tells_early: bool,
    /// Whether its user stopped the call after its handler had ended.
    is_stopped: AtomicBool,
}

impl Acceptance {
    pub(super) fn new(tells_early: bool) -> Self {
        Self { tells_early, ..Self::default() }
    }

    pub(super) fn tells_early(&self) -> bool {
        self.tells_early
    }

    /// Completes when the call has to be written.
    pub(super) async fn due(&self) {
        tokio::select! {
            () = self.wanted.notified() => {}
            () = tokio::time::sleep(DEFERRED) => {}
        }
    }

    /// Notes that the user stops the call. Returns false if it is in the ledger: then its handler does not run again.
    pub(super) fn note_stop(&self) -> bool {
        self.is_stopped.store(true, Ordering::SeqCst);
        !self.accepted.is_cancelled()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }

    /// Has the call written soon.
    pub(super) fn request(&self) {
        self.wanted.notify_one();
    }

    /// Has the task written with the call, and soon if its handler waits for it. `None` if the call is being written without
    /// it, or over. The answer does not come if the call is refused.
    pub(super) fn start(&self, task: &NewTask) -> Option<WaitingStart> {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*start, FirstStart::None) {
            return None;
        }
        let ((answer, answered), (begins, begun)) = (oneshot::channel(), oneshot::channel());
        *start = FirstStart::Wanted(Box::new(WantedStart { task: task.clone(), answer, begun }));
        if !self.tells_early {
            self.request();
        }
        Some(WaitingStart { answer: answered, begins })
    }

    /// Whether the handler may have heard of a task that is not written yet.
    pub(super) fn has_told(&self) -> bool {
        let start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        self.tells_early && !matches!(*start, FirstStart::None)
    }

    /// The start that is to be written with the call. Later ones are written alone.
    pub(super) fn take_start(&self) -> Option<Box<WantedStart>> {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        match mem::replace(&mut *start, FirstStart::Past) {
            FirstStart::Wanted(wanted) => Some(wanted),
            FirstStart::None | FirstStart::Past => None,
        }
    }

    /// Waits until the call is written or over, so a clone of a refused call's context does not wait for ever. Returns
    /// whether it is in the ledger.
    pub(super) async fn decided(&self) -> bool {
        self.request();
        tokio::select! {
            () = self.accepted.cancelled() => {}
            () = self.over.cancelled() => {}
        }
        self.accepted.is_cancelled()
    }

    pub(super) fn note_accepted(&self) {
        self.accepted.cancel();
    }

    /// Marks the call's end when it is dropped: whether the call is in the ledger does not change any more.
    pub(super) fn over(&self) -> Over<'_> {
        Over(self)
    }
}

/// See [`Acceptance::over`].
pub(super) struct Over<'a>(&'a Acceptance);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        // Dropped here, and not with the task that waits for its answer.
        drop(self.0.take_start());
        self.0.over.cancel();
    }
}
