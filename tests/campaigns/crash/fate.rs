//! How a life is to end.
//!
//! The named moments are those at which the platform calls `crash::point`; what stands here and
//! what stands there must be the same, or a campaign reports the moment as never reached.

use std::time::Duration;

use super::dice::Dice;

/// Each named moment, and the number of times up to which it is let pass.
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
];

/// How a life is to end.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// At a named moment, the n-th time.
    At(&'static str, u64),
    /// Killed so long after it accepts calls.
    After(Duration),
    /// Killed so long after it was started, whatever it does by then.
    Starting(Duration),
}

impl Fate {
    pub(crate) fn choose(dice: &mut Dice) -> Self {
        match dice.below(10) {
            0..3 => Self::After(Duration::from_millis(dice.below(500))),
            3 => Self::Starting(Duration::from_millis(dice.below(120))),
            _ => match dice.one_of(POINTS) {
                Some((name, most)) => Self::At(name, 1 + dice.below(*most)),
                None => Self::After(Duration::ZERO),
            },
        }
    }

    /// The environment that lets the process know.
    pub(crate) fn env(&self) -> Option<(String, String)> {
        match self {
            Self::At(name, n) => Some(("IMPERAL_CRASH_AT".to_owned(), format!("{name}:{n}"))),
            Self::After(_) | Self::Starting(_) => None,
        }
    }

    /// Its line in the table.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::At(name, _) => name,
            Self::After(_) => "any time at work",
            Self::Starting(_) => "any time at start",
        }
    }
}
