//! How a process ends.
//!
//! A named moment is a call of `crash::point` in the platform. Both sides must use the same names; a
//! campaign reports a moment that is never reached.

use std::time::Duration;

use crate::Dice;

/// Each named moment with the largest number of times that the process passes it.
pub(crate) const POINTS: &[(&str, u64)] = &[
    ("before-accept", 12),
    ("after-accept", 12),
    ("before-task-row", 10),
    ("after-task-row", 10),
    ("before-reply", 12),
    ("after-reply", 12),
    ("after-ack", 12),
    ("before-progress", 6),
    ("after-progress", 6),
    ("before-delivery", 12),
    ("after-delivery", 12),
    ("work-done", 8),
    ("before-outcome", 8),
    ("after-outcome", 8),
    ("cancel-noted", 2),
    ("before-commit", 40),
    ("after-commit", 40),
    ("before-recovery", 1),
    ("call-recovered", 3),
    ("task-recovered", 3),
    ("before-step", 10),
    ("after-step", 10),
    ("claim", 2),
    ("claimed", 4),
    ("before-question", 3),
    ("after-question", 3),
    ("before-answer", 3),
    ("after-answer", 3),
    ("before-question-end", 2),
    ("after-question-end", 2),
    ("before-documents", 10),
    ("after-documents", 10),
    ("file-begun", 10),
    ("file-written", 10),
    ("file-stored", 10),
    ("schedule-due", 2),
    ("schedule-claimed", 2),
    ("before-release", 3),
    ("after-release", 3),
];

/// How a process ends.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// It ends itself at a named moment, the n-th time.
    At(&'static str, u64),
    /// It is killed this long after it accepts calls.
    After(Duration),
    /// It is killed this long after its start.
    Starting(Duration),
    /// It gets SIGTERM this long after it accepts calls, and ends by itself.
    Stopped(Duration),
}

impl Fate {
    pub(crate) fn choose(dice: &mut Dice) -> Self {
        match dice.below(10) {
            0..3 => Self::After(Duration::from_millis(dice.below(500))),
            3 => Self::Starting(Duration::from_millis(dice.below(120))),
            4 => Self::Stopped(Duration::from_millis(dice.below(500))),
            _ => match dice.one_of(POINTS) {
                Some((name, most)) => Self::At(name, 1 + dice.below(*most)),
                None => Self::After(Duration::ZERO),
            },
        }
    }

    /// The environment variable that tells the process.
    pub(crate) fn env(&self) -> Option<(String, String)> {
        match self {
            Self::At(name, n) => Some(("IMPERAL_CRASH_AT".to_owned(), format!("{name}:{n}"))),
            Self::After(_) | Self::Starting(_) | Self::Stopped(_) => None,
        }
    }

    /// The name of its row in the table.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::At(name, _) => name,
            Self::After(_) => "any time at work",
            Self::Starting(_) => "any time at start",
            Self::Stopped(_) => "SIGTERM",
        }
    }
}
