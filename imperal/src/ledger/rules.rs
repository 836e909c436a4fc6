//! The rules of the contract: who may write what, and in which order a write is refused.
//!
//! Memory and SQLite read the facts from their rows and ask here. PostgreSQL has the same rules as
//! functions in the database; the conformance suite holds all three to them. Knows no storage.

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

/// A task, as far as the rules look at it. `O` names an owner as the backend does.
#[derive(Debug)]
pub(super) struct TaskFacts<'a, O> {
    pub(super) owner: O,
    pub(super) holder: &'a Incarnation,
    pub(super) running: bool,
    /// Whether the incarnation that held it has ended.
    pub(super) orphaned: bool,
}

impl<O: PartialEq> TaskFacts<'_, O> {
    /// Whether the incarnation may end the task. [`check_call_replied`] comes next.
    pub(super) fn check_finish(&self, incarnation: &Incarnation) -> LedgerResult<()> {
        held_by(self.holder, incarnation)?;
        self.check_running()
    }

    /// Whether recovery may end the task instead of an incarnation that has ended.
    /// [`check_call_replied`] comes next.
    pub(super) fn check_reclaim(&self) -> LedgerResult<()> {
        self.check_running()?;
        if self.orphaned { Ok(()) } else { Err(LedgerError::NotOrphaned) }
    }

    /// Whether the task may add a message to this owner's chat.
    pub(super) fn check_inject(&self, incarnation: &Incarnation, owner: Option<&O>) -> LedgerResult<()> {
        owned_by(&self.owner, owner)?;
        self.check_finish(incarnation)
    }

    fn check_running(&self) -> LedgerResult<()> {
        if self.running { Ok(()) } else { Err(LedgerError::AlreadyEnded) }
    }
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
