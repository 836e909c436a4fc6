//! State that a call and its tasks share until the call has its reply.
//!
//! The outcome of a task never comes before the reply of its call. A task that has ended by then offers its end, and the
//! reply takes it along: both are one transaction, one synced commit instead of two. If the ledger refuses both together,
//! the reply is written alone, and the task's own write follows it.

use std::mem;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::ledger::{Attempt, TaskEnd};
use crate::sync::atomic::AtomicBool;
use crate::sync::{Mutex, Notify};

/// An end that waits for the reply of its call.
#[derive(Debug)]
pub(super) struct OfferedEnd {
    pub(super) attempt: Attempt,
    pub(super) end: TaskEnd,
    pub(super) started_at: Instant,
    /// Gets its fate, if the reply takes it.
    pub(super) taken: oneshot::Sender<Taken>,
}

/// The fate of an end that the reply took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Stored,
    /// It is counted, and still to be written.
    Counted,
}

#[derive(Debug, Default)]
enum FirstEnd {
    #[default]
    None,
    Offered(Box<OfferedEnd>),
    /// The reply is being written: later ends follow it.
    Past,
}

/// The reply of a call, and its tasks until then. All of them share it, for as long as one of them runs: so it is small.
#[derive(Debug, Default)]
pub(super) struct FirstTasks {
    are_started: AtomicBool,
    is_replied: AtomicBool,
    replied: Notify,
    end: Mutex<FirstEnd>,
}

impl FirstTasks {
    /// Notes that a task of the call is about to be written.
    pub(super) fn note_start(&self) {
        self.are_started.store(true, Ordering::Release);
    }

    /// Whether the call may have tasks.
    pub(super) fn are_started(&self) -> bool {
        self.are_started.load(Ordering::Acquire)
    }

    /// Notes that the reply of the call is in the ledger, or never comes.
    pub(super) fn note_reply(&self) {
        self.is_replied.store(true, Ordering::SeqCst);
        self.replied.notify_waiters();
    }

    pub(super) fn is_replied(&self) -> bool {
        self.is_replied.load(Ordering::SeqCst)
    }

    /// Completes once the reply of the call is in the ledger.
    pub(super) async fn replied(&self) {
        loop {
            // Created before the check: `notify_waiters` reaches it from then on.
            let replied = self.replied.notified();
            if self.is_replied() {
                return;
            }
            replied.await;
        }
    }

    /// Offers the end of a task to the reply. Returns false if it comes too late, or another task was first.
    pub(super) fn offer(&self, end: OfferedEnd) -> bool {
        let mut first = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = matches!(*first, FirstEnd::None);
        if is_first {
            *first = FirstEnd::Offered(Box::new(end));
        }
        is_first
    }

    /// The end that the reply takes along.
    pub(super) fn take_end(&self) -> Option<Box<OfferedEnd>> {
        let mut first = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        match mem::replace(&mut *first, FirstEnd::Past) {
            FirstEnd::Offered(end) => Some(end),
            FirstEnd::None | FirstEnd::Past => None,
        }
    }
}
