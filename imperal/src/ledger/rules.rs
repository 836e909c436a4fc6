//! The rules of the contract: who may write what, and in which order a write is refused.
//!
//! Memory and SQLite read the facts from their rows and ask here. PostgreSQL has the same rules as
//! functions in the database; the conformance suite holds all three to them. Knows no storage.

use std::time::Duration;

use super::contract::LedgerResult;
use super::{Incarnation, LedgerError};

/// A call, as far as the rules look at it. `O` names an owner as the backend does.
#[derive(Debug)]
pub(super) struct CallFacts<'a, O> {
    pub(super) owner: O,
    pub(super) holder: &'a Incarnation,
    pub(super) replied: bool,
    /// Whether the incarnation that held it has ended.
    pub(super) orphaned: bool,
}

impl<O: PartialEq> CallFacts<'_, O> {
    /// Whether the incarnation may reply.
    pub(super) fn check_reply(&self, incarnation: &Incarnation) -> LedgerResult<()> {
        held_by(self.holder, incarnation)?;
        self.check_open()
    }

    /// Whether recovery may reply instead of an incarnation that has ended.
    pub(super) fn check_reclaim(&self) -> LedgerResult<()> {
        self.check_open()?;
        if self.orphaned { Ok(()) } else { Err(LedgerError::NotOrphaned) }
    }

    /// Whether the incarnation may start a task of this owner on behalf of the call. The call may have
    /// its reply: a running task starts others after it.
    pub(super) fn check_start_task(&self, incarnation: &Incarnation, owner: Option<&O>) -> LedgerResult<()> {
        owned_by(&self.owner, owner)?;
        held_by(self.holder, incarnation)
    }

    /// Whether the call's handler may add a message to this owner's chat.
    pub(super) fn check_inject(&self, incarnation: &Incarnation, owner: Option<&O>) -> LedgerResult<()> {
        owned_by(&self.owner, owner)?;
        self.check_reply(incarnation)
    }

    fn check_open(&self) -> LedgerResult<()> {
        if self.replied { Err(LedgerError::AlreadyReplied) } else { Ok(()) }
    }
}

/// The holder of a task, as far as the rules look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Its holder, which has not ended.
    Held,
    /// Its holder has ended and the task is not settled.
    Orphaned,
    /// No process: a durable task that is queued, waits or is stuck.
    Free,
    /// The task has ended.
    Ended,
}

/// A task, as far as the rules look at it. `O` names an owner as the backend does.
#[derive(Debug)]
pub(super) struct TaskFacts<'a, O> {
    pub(super) owner: O,
    /// The incarnation that holds it or held it last.
    pub(super) holder: &'a Incarnation,
    /// The latest attempt.
    pub(super) attempt: u32,
    pub(super) hold: Hold,
}

impl<O: PartialEq> TaskFacts<'_, O> {
    /// Whether the incarnation may write for the task in this attempt: store a step, release it, end it. Before
    /// an end [`check_call_replied`] comes next.
    pub(super) fn check_write(&self, incarnation: &Incarnation, attempt: u32) -> LedgerResult<()> {
        held_by(self.holder, incarnation)?;
        if self.attempt != attempt {
            return Err(LedgerError::NotHolder);
        }
        match self.hold {
            Hold::Held | Hold::Orphaned => Ok(()),
            Hold::Free => Err(LedgerError::NotHolder),
            Hold::Ended => Err(LedgerError::AlreadyEnded),
        }
    }

    /// Whether recovery may end the task: its holder has ended, or it has none. [`check_call_replied`] comes
    /// next.
    pub(super) fn check_reclaim(&self) -> LedgerResult<()> {
        match self.hold {
            Hold::Orphaned | Hold::Free => Ok(()),
            Hold::Held => Err(LedgerError::NotOrphaned),
            Hold::Ended => Err(LedgerError::AlreadyEnded),
        }
    }

    /// Whether the attempt may add a message to this owner's chat, or start a task of this owner.
    pub(super) fn check_owned_write(
        &self,
        incarnation: &Incarnation,
        attempt: u32,
        owner: Option<&O>,
    ) -> LedgerResult<()> {
        owned_by(&self.owner, owner)?;
        self.check_write(incarnation, attempt)
    }

    /// Whether this attempt has released the task already, so that a repeated release has nothing to write.
    pub(super) fn is_released(&self, incarnation: &Incarnation, attempt: u32) -> bool {
        self.hold == Hold::Free && self.attempt == attempt && self.holder == incarnation
    }
}

/// When the holder of an attempt that was cut off was last known to be alive: at its last renewal, or when it last wrote
/// for the attempt.
pub(super) fn interrupted_at<T: Ord>(last_renewal: T, writes: impl IntoIterator<Item = Option<T>>, now: T) -> T {
    writes.into_iter().flatten().fold(last_renewal, Ord::max).min(now)
}

/// From this many crashes in a row on, a task is a suspect.
pub(super) const SUSPECT: u32 = 2;

/// How long a durable task waits after its crashes in a row before its next attempt.
pub(super) const fn retry_after(crashes: u32) -> Duration {
    Duration::from_secs(match crashes {
        0 | 1 => 0,
        2 => 10,
        3 => 60,
        _ => 300,
    })
}

/// How long a task waits after another refusal: so that versions that all refuse it do not hand it round.
pub(super) const REFUSED_AGAIN: Duration = Duration::from_secs(30);

/// What is left of a cap for the next attempt: enough to notice that nothing is left.
pub(super) fn cap_left(cap: Duration, ran: Duration) -> Duration {
    cap.saturating_sub(ran).max(Duration::from_secs(1))
}

/// Whether a task's end may be written: its outcome never precedes its call's reply. `None` stands
/// for a call whose row is missing, which gets no reply.
pub(super) fn check_call_replied(replied: Option<bool>) -> LedgerResult<()> {
    if replied == Some(false) { Err(LedgerError::CallNotReplied) } else { Ok(()) }
}

/// Whether an owner with this many running tasks may start another.
pub(super) fn check_running_tasks(running: u32, max: u32) -> LedgerResult<()> {
    if running < max { Ok(()) } else { Err(LedgerError::TooManyTasks(max)) }
}

/// Whether an owner with this many open tasks may start another.
pub(super) fn check_open_tasks(open: u32, max: u32) -> LedgerResult<()> {
    if open < max { Ok(()) } else { Err(LedgerError::TooManyTasks(max)) }
}

/// Whether a task with this many open questions may ask another.
pub(super) fn check_open_questions(open: u32, max: u32) -> LedgerResult<()> {
    if open < max { Ok(()) } else { Err(LedgerError::TooManyQuestions(max)) }
}

/// Whether an owner who has stored this much today may store `added` more bytes.
pub(super) fn check_stored_bytes(stored: u64, added: u64, max: Option<u64>) -> LedgerResult<()> {
    match max {
        Some(max) if stored.saturating_add(added) > max => Err(LedgerError::QuotaExceeded(max)),
        _ => Ok(()),
    }
}

/// An owner's work does not exist for other owners.
fn owned_by<O: PartialEq>(owner: &O, asking: Option<&O>) -> LedgerResult<()> {
    if asking == Some(owner) { Ok(()) } else { Err(LedgerError::NotFound) }
}

fn held_by(holder: &Incarnation, asking: &Incarnation) -> LedgerResult<()> {
    if holder == asking { Ok(()) } else { Err(LedgerError::NotHolder) }
}
