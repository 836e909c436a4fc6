//! The rules of the contract: who may write what, and in which order a write is refused.
//!
//! Memory and SQLite read the facts from their rows and ask here. PostgreSQL has the same rules as
//! functions in the database; the conformance suite holds all three to them. Knows no storage.

use std::time::Duration;

#[cfg(any(feature = "platform", feature = "postgres"))]
use jiff::Timestamp;

use super::contract::LedgerResult;
use super::{
    DocumentConflict, DocumentLimits, DocumentWrite, Expected, FileLimits, Incarnation, LedgerError, NewCall, NewTask,
    TaskState, WaitsFor, Work,
};

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

    /// Whether the call's handler may write for this owner: a message to the chat, documents.
    pub(super) fn check_owned_write(&self, incarnation: &Incarnation, owner: Option<&O>) -> LedgerResult<()> {
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

    /// Whether the attempt may write for this owner: a message to the chat, documents, a task.
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
pub(crate) const SUSPECT: u32 = 2;

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

/// Whether the end of a task with this many open effects speaks of all of them.
pub(super) fn check_open_effects(open: u32, named: u32) -> LedgerResult<()> {
    if open == named { Ok(()) } else { Err(LedgerError::OpenEffects(open)) }
}

/// Whether an owner with this many running tasks may start another.
pub(super) fn check_running_tasks(running: u32, max: u32) -> LedgerResult<()> {
    if running < max { Ok(()) } else { Err(LedgerError::TooManyTasks(max)) }
}

/// Why a durable task waits that does not run at once: as reads show it, and as it is stored. One that follows another
/// waits for a process.
pub(super) fn waits_at_start(has_slot: bool, new: &NewTask, is_paused: bool) -> Option<(WaitsFor, WaitsFor)> {
    let can_run = has_slot && new.queue().is_none();
    let stored = if can_run { WaitsFor::Process } else { WaitsFor::Slot };
    match (can_run && new.follows().is_none(), is_paused) {
        (true, false) => None,
        (_, true) => Some((WaitsFor::Paused, stored)),
        (false, false) => Some((stored, stored)),
    }
}

/// Whether an operator can make a task ready again at once.
pub(super) fn can_retry(state: TaskState, waits_for: Option<WaitsFor>, crashes: u32) -> bool {
    match state {
        TaskState::Stuck => true,
        TaskState::Queued => waits_for == Some(WaitsFor::Retry) || crashes >= SUSPECT,
        _ => false,
    }
}

/// Whether the task is one of the call and of its owner.
pub(super) fn check_is_parent(call: &NewCall, task: &NewTask) -> LedgerResult<()> {
    let is_parent = task.parent == Work::Call(call.call_id) && task.call_id == call.call_id;
    if is_parent && task.owner == call.owner { Ok(()) } else { Err(LedgerError::NotFound) }
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

/// Whether a document may be written. `found`: version and shape of the stored one. A program does not replace a document
/// of a newer type: it would drop the fields that it does not know.
pub(super) fn check_document(
    place: usize,
    write: &DocumentWrite,
    found: Option<(u64, u32)>,
    replaces_newer: bool,
) -> LedgerResult<()> {
    let (version, stored) = found.unwrap_or_default();
    let fits = match write.expected {
        Expected::Any => true,
        Expected::Absent => version == 0,
        Expected::Version(expected) => version == expected,
    };
    let shape = write.document.as_ref().map(|new| new.shape);
    let newer = Some(stored).filter(|stored| fits && !replaces_newer && shape.is_some_and(|shape| *stored > shape));
    if fits && newer.is_none() {
        return Ok(());
    }
    Err(LedgerError::DocumentConflict(DocumentConflict { place, found: version, newer }))
}

/// How many documents, or files, an owner has of an extension, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) count: u64,
    pub(super) bytes: u64,
}

/// By what writes change the totals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TotalsDelta {
    count: i64,
    bytes: i64,
}

impl TotalsDelta {
    /// Adds that a document or file of `before` bytes was replaced by one of `after` bytes; `None` is none.
    pub(super) fn replace(&mut self, before: Option<u64>, after: Option<u64>) {
        let signed = |number: Option<u64>| i64::try_from(number.unwrap_or_default()).unwrap_or(i64::MAX);
        self.count += i64::from(after.is_some()) - i64::from(before.is_some());
        self.bytes = self.bytes.saturating_add(signed(after) - signed(before));
    }

    /// One file of `before` bytes is replaced by one of `after` bytes; `None` is none.
    pub(super) fn of_file(before: Option<u64>, after: Option<u64>) -> Self {
        let mut delta = Self::default();
        delta.replace(before.map(counted_bytes), after.map(counted_bytes));
        delta
    }
}

impl Totals {
    /// The totals after writes; `None` if these totals are damaged: less than what was removed.
    pub(super) fn after(self, delta: TotalsDelta) -> Option<Self> {
        let count = self.count.checked_add_signed(delta.count)?;
        Some(Self { count, bytes: self.bytes.checked_add_signed(delta.bytes)? })
    }

    /// The totals before writes that led to these.
    #[cfg(any(feature = "platform", feature = "postgres"))]
    pub(super) fn before(self, delta: TotalsDelta) -> Self {
        let before = |after: u64, change: i64| after.saturating_add_signed(change.saturating_neg());
        Self { count: before(self.count, delta.count), bytes: before(self.bytes, delta.bytes) }
    }

    /// Whether writes of documents that lead from here to `after` stay within the limits.
    pub(super) fn check_documents(self, after: Self, limits: DocumentLimits) -> LedgerResult<()> {
        if after.count > limits.documents && after.count > self.count {
            return Err(LedgerError::TooManyDocuments(limits.documents));
        }
        if after.bytes > limits.bytes && after.bytes > self.bytes {
            return Err(LedgerError::TooManyDocumentBytes(limits.bytes));
        }
        Ok(())
    }

    /// Whether a write of a file that leads from here to `after` stays within the limits.
    pub(super) fn check_files(self, after: Self, limits: FileLimits) -> LedgerResult<()> {
        if after.count > limits.files && after.count > self.count {
            return Err(LedgerError::TooManyFiles(limits.files));
        }
        if after.bytes > limits.bytes && after.bytes > self.bytes {
            return Err(LedgerError::TooManyFileBytes(limits.bytes));
        }
        Ok(())
    }
}

/// The bytes of a file that count for the limits. A damaged size does not overflow their sum.
fn counted_bytes(size: u64) -> u64 {
    size.min(1 << 46)
}

/// Largest stored totals, and largest version of documents, that are no damage.
#[cfg(any(feature = "platform", feature = "postgres"))]
const SOUND_TOTALS: i64 = 1 << 50;
#[cfg(any(feature = "platform", feature = "postgres"))]
const SOUND_VERSION: i64 = 1 << 60;

/// Stored totals; `None` for damaged ones.
#[cfg(any(feature = "platform", feature = "postgres"))]
pub(super) fn sound_totals(count: i64, bytes: i64) -> Option<Totals> {
    let sound = |number: i64| u64::try_from(number).ok().filter(|_| number <= SOUND_TOTALS);
    Some(Totals { count: sound(count)?, bytes: sound(bytes)? })
}

/// The stored latest version of documents. A damaged one continues from the time in microseconds, which is beyond the
/// number of writes so far.
#[cfg(any(feature = "platform", feature = "postgres"))]
pub(super) fn sound_version(stored: i64, now: Timestamp) -> u64 {
    let stored = Some(stored).filter(|stored| (0..=SOUND_VERSION).contains(stored));
    stored.unwrap_or(now.as_microsecond()).unsigned_abs()
}

/// Most keys of a document: those of three programs with as many indexes as a collection may have.
pub(super) const MOST_KEYS: usize = 24;

/// For how long a document with as many keys keeps them before those of another set of indexes replace them.
pub(super) const KEYED_FOR: Duration = Duration::from_secs(600);

/// How long a file is pending before the sweep deletes it, and how long the bytes of a deleted file are kept.
pub(super) const FILE_GRACE: Duration = Duration::from_secs(24 * 3600);

/// An owner's work does not exist for other owners.
fn owned_by<O: PartialEq>(owner: &O, asking: Option<&O>) -> LedgerResult<()> {
    if asking == Some(owner) { Ok(()) } else { Err(LedgerError::NotFound) }
}

fn held_by(holder: &Incarnation, asking: &Incarnation) -> LedgerResult<()> {
    if holder == asking { Ok(()) } else { Err(LedgerError::NotHolder) }
}
