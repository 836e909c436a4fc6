//! The periods for which rows are kept, and the result of one step of pruning.
//!
//! [`Retention`](super::contract::Retention) has the rules of what may be removed. When to prune is
//! the platform's business.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::clock::after;
use super::{AuditHash, TaskState};

/// How old rows of each kind get. `None` keeps them for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionPolicy {
    /// Turns, and the calls that they began.
    pub turns: Option<Duration>,
    /// Tasks, counted from their end. A task's result is in its outcome turn and goes with it.
    pub tasks: Option<Duration>,
    /// Events, from which a stream can resume. They go with their turns and tasks at the latest.
    pub events: Option<Duration>,
    /// Audit rows.
    pub audit: Option<Duration>,
}

impl RetentionPolicy {
    /// Keeps everything for ever.
    pub const FOREVER: Self = Self { turns: None, tasks: None, events: None, audit: None };

    /// Whether there is never anything to prune.
    pub fn is_forever(&self) -> bool {
        *self == Self::FOREVER
    }

    /// The shortest of the ages that are set.
    pub fn shortest(&self) -> Option<Duration> {
        [self.turns, self.tasks, self.events, self.audit].into_iter().flatten().min()
    }

    /// The age of events: as set, and at most that of turns and tasks.
    pub fn events(&self) -> Option<Duration> {
        [self.turns, self.tasks, self.events].into_iter().flatten().min()
    }
}

/// How long the step values of a task are kept that ended without a success.
const STEP_VALUES: Duration = Duration::from_secs(7 * 24 * 3600);

/// Rows from before these moments may be removed; in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cutoffs {
    pub(super) turns: Option<i64>,
    pub(super) tasks: Option<i64>,
    pub(super) events: Option<i64>,
    pub(super) audit: Option<i64>,
    /// Values of steps that were needed until this.
    pub(super) now: i64,
}

impl Cutoffs {
    pub(super) fn at(now: Timestamp, policy: &RetentionPolicy) -> Self {
        let before = |age: Duration| {
            let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
            now.checked_sub(age).unwrap_or(Timestamp::MIN).as_microsecond()
        };
        Self {
            turns: policy.turns.map(before),
            tasks: policy.tasks.map(before),
            events: policy.events().map(before),
            audit: policy.audit.map(before),
            now: now.as_microsecond(),
        }
    }

    /// From when on the values of a task's steps may be removed, if it ends now in this state.
    pub(super) fn step_values_until(now: Timestamp, state: TaskState) -> Timestamp {
        if state == TaskState::Succeeded { now } else { after(now, STEP_VALUES) }
    }
}

/// The rows that a step of pruning removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Turns.
    pub turns: u64,
    /// Calls.
    pub calls: u64,
    /// Tasks.
    pub tasks: u64,
    /// Events of tasks. An event of a turn is the turn.
    pub events: u64,
    /// Audit rows.
    pub audit: u64,
    /// Values of steps.
    pub step_values: u64,
    /// Documents whose time was over.
    pub documents: u64,
    /// Where the next step continues; `None` after the last owner.
    pub next: Option<u64>,
}

impl Pruned {
    /// The number of rows of every kind, and of removed values.
    pub fn rows(&self) -> u64 {
        self.turns + self.calls + self.tasks + self.events + self.audit + self.step_values + self.documents
    }

    /// Adds two steps. The sum continues where the later one does.
    #[must_use]
    pub fn plus(self, later: Self) -> Self {
        Self {
            turns: self.turns + later.turns,
            calls: self.calls + later.calls,
            tasks: self.tasks + later.tasks,
            events: self.events + later.events,
            audit: self.audit + later.audit,
            step_values: self.step_values + later.step_values,
            documents: self.documents + later.documents,
            next: later.next,
        }
    }
}

/// Both ends of an owner's audit chain. They are stored with the owner, not derived from the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainEnds {
    /// The hash of the last row that retention removed. The oldest kept row follows it. `None` if
    /// nothing was removed.
    pub anchor: Option<AuditHash>,
    /// How many rows retention removed.
    pub pruned: u64,
    /// The hash of the latest row. It reveals that rows at the end are missing.
    pub end: AuditHash,
}

impl ChainEnds {
    /// Ends from their parts, for backends.
    pub fn new(anchor: Option<AuditHash>, pruned: u64, end: AuditHash) -> Self {
        Self { anchor, pruned, end }
    }
}
