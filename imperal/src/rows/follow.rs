//! The link from a durable task to the ended one that it goes on from, or runs again.
//!
//! A task that goes on inherits rows of the ended one as attempt 0. Questions that nobody answered are left out, so that
//! they are asked again, and so are the messages of steps that run again. Rows of effects are always inherited, so that
//! no effect is done twice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::effect::RESERVED_NAMES;
use super::step::is_zero;
use super::{StepKind, StoredAnswer};
use crate::ids::TaskId;

/// The ended task that a task follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Follows {
    /// The ended task.
    pub task_id: TaskId,
    /// The task goes on: it keeps the ended task's rows up to this ordinal, and all of its effects. Absent for a task
    /// that runs again from the start and keeps nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<u16>,
    /// How many steps and done effects it keeps.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kept: u32,
}

impl Follows {
    /// The attempt of inherited rows: no attempt of their task stored them.
    pub const INHERITED: u32 = 0;

    /// A task that goes on behind the row with this ordinal, with this number of steps and done effects.
    pub const fn going_on(task_id: TaskId, through: u16, kept: u32) -> Self {
        Self { task_id, through: Some(through), kept }
    }

    /// A task that runs again from the start.
    pub const fn running_again(task_id: TaskId) -> Self {
        Self { task_id, through: None, kept: 0 }
    }
}

/// Whether a task that goes on behind the ordinal `through` inherits a row. `None` if that cannot be said, because its
/// value is no longer kept. `is_kept` says of the step or effect of a message whether it [is kept](keeps_step).
pub(crate) fn is_inherited(
    through: u16,
    ordinal: u16,
    kind: StepKind,
    name: &str,
    value: Option<&str>,
    is_kept: impl FnOnce(&str) -> bool,
) -> Option<bool> {
    if !kind.is_of_effect() && ordinal > through {
        return Some(false);
    }
    if kind == StepKind::Message && step_of_message(name).is_some_and(|step| !is_kept(step)) {
        return Some(false);
    }
    let value = value?;
    Some(kind != StepKind::Question || (!name.starts_with(RESERVED_NAMES) && StoredAnswer::is_answered(value)))
}

/// Whether a row is of a step or an effect that a task which goes on behind `through` does not do again.
pub(crate) fn keeps_step(through: u16, ordinal: u16, kind: StepKind) -> bool {
    match kind {
        StepKind::Step => ordinal <= through,
        StepKind::Effect => true,
        _ => false,
    }
}

/// The step or effect in which the message with this key was said, which is `step:LENGTH:STEP:..` or
/// `named:LENGTH:STEP:..`; `None` for a message outside of steps. The ledgers in SQL read the keys in the same way.
pub(crate) fn step_of_message(key: &str) -> Option<&str> {
    let rest = key.strip_prefix("step:").or_else(|| key.strip_prefix("named:"))?;
    let (length, rest) = rest.split_once(':')?;
    rest.get(..length.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::QuestionId;

    #[test]
    fn effects_are_inherited_always_and_questions_with_their_answers() {
        let row = |ordinal, kind, name: &str, value: &str| is_inherited(5, ordinal, kind, name, Some(value), |_| false);
        let answered = StoredAnswer::answered("true");
        let [open, expired] =
            [StoredAnswer::Open(QuestionId::generate()), StoredAnswer::Expired].map(|one: StoredAnswer| one.to_json());
        for kind in [StepKind::Step, StepKind::Sleep, StepKind::Message] {
            assert_eq!(row(5, kind, "a", "1"), Some(true));
            assert_eq!(row(6, kind, "a", "1"), Some(false));
        }
        for kind in [StepKind::Intent, StepKind::Effect, StepKind::NotDone] {
            assert_eq!(row(6, kind, "pay", "null"), Some(true));
        }
        assert_eq!(row(5, StepKind::Question, "a", &answered), Some(true));
        assert_eq!(row(6, StepKind::Question, "a", &answered), Some(false));
        assert_eq!(row(5, StepKind::Question, "a", &open), Some(false));
        assert_eq!(row(5, StepKind::Question, "a", &expired), Some(false));
        let name = format!("{RESERVED_NAMES}effect/1/0/x/pay");
        assert_eq!(row(5, StepKind::Question, &name, &answered), Some(false), "of an intent of the ended task");
        let gone = |ordinal| is_inherited(5, ordinal, StepKind::Step, "a", None, |_| true);
        assert_eq!((gone(5), gone(6)), (None, Some(false)), "its value is gone");
    }

    #[test]
    fn messages_are_inherited_with_their_steps() {
        let row = |ordinal, key: &str, is_kept| {
            is_inherited(5, ordinal, StepKind::Message, key, Some("1"), |step| step == "a:1" && is_kept)
        };
        for key in ["step:3:a:1:0", "named:3:a:1:halfway"] {
            assert_eq!(
                (row(5, key, true), row(5, key, false), row(6, key, true)),
                (Some(true), Some(false), Some(false))
            );
        }
        for key in ["name:step:3:a:1:0", "text:0a:0", "step:x", "step:9:a"] {
            assert_eq!(row(5, key, false), Some(true), "{key}");
        }
        let kept = [StepKind::Step, StepKind::Effect, StepKind::Intent, StepKind::NotDone]
            .map(|kind| (keeps_step(5, 5, kind), keeps_step(5, 6, kind)));
        assert_eq!(kept, [(true, false), (true, true), (false, false), (false, false)]);
    }
}
