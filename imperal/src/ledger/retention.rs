//! How long rows are kept, and what one step of pruning took.
//!
//! Owns the words of retention and how ages become moments. What may go is a rule of the contract,
//! see [`Ledger::prune`](super::Ledger::prune); when to look is the platform's business.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::AuditHash;

/// How old rows get. `None` keeps them for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keep {
    /// Turns, and the calls that they began.
    pub turns: Option<Duration>,
    /// Tasks, from their end on. A task's result lies in its outcome turn and goes with that.
    pub tasks: Option<Duration>,
    /// Events: what a stream can resume from. They outlive neither turns nor tasks.
    pub events: Option<Duration>,
    /// Audit rows.
    pub audit: Option<Duration>,
}

impl Keep {
    /// Everything, for ever.
    pub const FOREVER: Self = Self { turns: None, tasks: None, events: None, audit: None };

    /// Whether there is nothing to prune, ever.
    pub fn is_forever(&self) -> bool {
        *self == Self::FOREVER
    }

    /// The shortest of the ages that are set.
    pub fn shortest(&self) -> Option<Duration> {
        [self.turns, self.tasks, self.events, self.audit].into_iter().flatten().min()
    }

    /// The age of events: as long as asked, and no longer than what they are about.
    pub fn events(&self) -> Option<Duration> {
        [self.turns, self.tasks, self.events].into_iter().flatten().min()
    }
}

/// What is older than these moments may go; in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cuts {
    pub(super) turns: Option<i64>,
    pub(super) tasks: Option<i64>,
    pub(super) events: Option<i64>,
    pub(super) audit: Option<i64>,
}

impl Cuts {
    pub(super) fn at(now: Timestamp, keep: &Keep) -> Self {
        let before = |age: Duration| {
            let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
            now.checked_sub(age).unwrap_or(Timestamp::MIN).as_microsecond()
        };
        Self {
            turns: keep.turns.map(before),
            tasks: keep.tasks.map(before),
            events: keep.events().map(before),
            audit: keep.audit.map(before),
        }
    }
}

/// What a step of pruning took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Turns.
    pub turns: u64,
    /// Calls.
    pub calls: u64,
    /// Tasks.
    pub tasks: u64,
    /// Events of tasks; those of turns are the turns.
    pub events: u64,
    /// Audit rows.
    pub audit: u64,
    /// Where the next step goes on; `None` when all owners were looked at.
    pub next: Option<u64>,
}

impl Pruned {
    /// Rows of every kind.
    pub fn rows(&self) -> u64 {
        self.turns + self.calls + self.tasks + self.events + self.audit
    }

    /// Adds up two steps; goes on where the later one does.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            turns: self.turns + later.turns,
            calls: self.calls + later.calls,
            tasks: self.tasks + later.tasks,
            events: self.events + later.events,
            audit: self.audit + later.audit,
            next: later.next,
        }
    }
}

/// Both ends of an owner's audit chain, kept beside the owner and not read from the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEnds {
    /// The hash of the last row that retention took: the oldest row that is kept follows it. None
    /// when nothing was taken.
    pub anchor: Option<AuditHash>,
    /// How many rows retention took.
    pub pruned: u64,
    /// The hash of the latest row. It shows that rows are missing.
    pub end: AuditHash,
}

impl AuditEnds {
    /// From its parts; for backends.
    pub fn new(anchor: Option<AuditHash>, pruned: u64, end: AuditHash) -> Self {
        Self { anchor, pruned, end }
    }
}
