//! Effects of durable tasks: what their rows hold, and the question about one that may or may not have happened.
//!
//! All rows of an effect have its name. In the order of their ordinals: an intent, then "done", which is final, or
//! "not done", after which the next row is an intent again. An intent without a later row is *open*: the effect may have
//! happened.

use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::StepKind;
use super::question::{NewQuestion, Question};
use crate::ids::TaskId;

/// How many effects of a task are open. `kinds` are those of all its rows.
pub(crate) fn open_effects(kinds: impl IntoIterator<Item = StepKind>) -> u32 {
    let of_effects = kinds.into_iter().filter(|kind| kind.is_of_effect());
    let open = of_effects.fold(0_i64, |open, kind| if kind == StepKind::Intent { open + 1 } else { open - 1 });
    u32::try_from(open).unwrap_or_default()
}

/// The value of a done effect's row: the evidence that it was done, and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a body that ignores how an effect is known to be done must not compile")]
pub enum StoredEffect<T = Value> {
    /// Its closure returned this.
    Returned(T),
    /// Its look-up found this.
    Found(T),
    /// A person said that it was done. Nobody knows what it returned.
    Confirmed,
    /// Its closure returned a value that could not be stored, for this reason.
    WithoutValue(String),
}

impl StoredEffect {
    /// The stored form of a closure's result, from its JSON.
    pub(crate) fn returned(value: &str) -> String {
        format!("{{\"returned\":{value}}}")
    }

    /// The stored form of a look-up's result, from its JSON.
    pub(crate) fn found(value: &str) -> String {
        format!("{{\"found\":{value}}}")
    }

    /// The JSON that is stored.
    pub(crate) fn to_json(&self) -> String {
        // These values have no form that is not JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The value of a "not done" row: how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NotDoneBy {
    /// Its closure never began.
    NotBegun,
    /// Its one request did not reach the service, or the service refused it.
    Request,
    /// The author's code said so.
    Author,
    /// The look-up found nothing.
    LookUp,
    /// A person said so.
    User,
}

impl NotDoneBy {
    pub(crate) fn to_json(self) -> String {
        serde_json::to_string(&self).unwrap_or_default()
    }
}

/// How it is known that an effect was done, or that it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KnownBy {
    /// Done: its closure returned.
    Returned,
    /// Done: its look-up found it.
    Found,
    /// Done: the user said so.
    Confirmed,
    /// Done: its closure returned a value that could not be stored.
    WithoutValue,
    /// Not done: its closure never began.
    NotBegun,
    /// Not done: its request did not reach the service, or the service refused it.
    Request,
    /// Not done: the program said so.
    Author,
    /// Not done: its look-up found nothing.
    LookUp,
    /// Not done: the user said so.
    User,
}

impl KnownBy {
    /// Of a row with this value; `None` for rows of other kinds, and if the value is not at hand.
    pub(crate) fn of_row(kind: StepKind, value: Option<&str>) -> Option<Self> {
        let value = value?.as_bytes();
        match kind {
            StepKind::Effect => Some(match imperal_manifest::json::read::<StoredEffect<IgnoredAny>>(value).ok()? {
                StoredEffect::Returned(_) => Self::Returned,
                StoredEffect::Found(_) => Self::Found,
                StoredEffect::Confirmed => Self::Confirmed,
                StoredEffect::WithoutValue(_) => Self::WithoutValue,
            }),
            StepKind::NotDone => Some(match imperal_manifest::json::read::<NotDoneBy>(value).ok()? {
                NotDoneBy::NotBegun => Self::NotBegun,
                NotDoneBy::Request => Self::Request,
                NotDoneBy::Author => Self::Author,
                NotDoneBy::LookUp => Self::LookUp,
                NotDoneBy::User => Self::User,
            }),
            _ => None,
        }
    }
}

/// The answer to the question about an effect that may or may not have happened. On the wire it is its name in lower
/// case: `done`, `again`, `look`, `stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EffectAnswer {
    /// It was done. The task goes on.
    Done,
    /// It was not done. The task does it again.
    Again,
    /// Look it up again, for an effect with a look-up that failed.
    Look,
    /// The task ends.
    Stop,
}

impl From<EffectAnswer> for Value {
    fn from(answer: EffectAnswer) -> Self {
        serde_json::to_value(answer).unwrap_or_default()
    }
}

impl EffectAnswer {
    const fn word(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Done => ("done", "It was done", "The task goes on with what comes next."),
            Self::Again => ("again", "It was not done", "The task does it again."),
            Self::Look => ("look", "Look again", "The task asks the service again whether it was done."),
            Self::Stop => ("stop", "Stop the task", "The task ends. Whether it was done stays unknown."),
        }
    }

    /// The schema of a question with these answers, as the buttons need it.
    pub(crate) fn schema(answers: &[Self]) -> String {
        let choices: Vec<Value> = answers
            .iter()
            .map(|answer| {
                let (word, title, description) = answer.word();
                json!({"const": word, "title": title, "description": description, "type": "string"})
            })
            .collect();
        json!({ "oneOf": choices }).to_string()
    }
}

/// The beginning of names that no author can give.
pub(crate) const RESERVED_NAMES: &str = "imperal:";

/// The name of the k-th question about an open effect: it belongs to this intent of this task.
pub(crate) fn effect_question(effect: &str, intent: u16, k: u32, task_id: TaskId) -> String {
    format!("{RESERVED_NAMES}effect/{intent}/{k}/{task_id}/{effect}")
}

impl NewQuestion {
    /// Whether it is about an effect that may or may not have happened.
    pub(crate) fn is_about_effect(&self) -> bool {
        self.name.starts_with(RESERVED_NAMES)
    }
}

impl Question {
    /// The name of the effect that this question is about: whether it was done. `None` for a question of the author.
    pub fn effect(&self) -> Option<&str> {
        let parts = self.name.strip_prefix(RESERVED_NAMES)?.strip_prefix("effect/")?;
        parts.splitn(4, '/').nth(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_without_a_later_row_is_open() {
        use StepKind::{Effect, Intent, Message, NotDone, Step};
        let open = |kinds: &[StepKind]| open_effects(kinds.iter().copied());
        assert_eq!(open(&[Step, Message]), 0);
        assert_eq!(open(&[Intent]), 1);
        assert_eq!(open(&[Intent, Intent, Effect]), 1);
        assert_eq!(open(&[Intent, NotDone, Intent]), 1);
        assert_eq!(open(&[Intent, NotDone, Intent, Effect]), 0);
        assert_eq!(open(&[Effect]), 0, "a damaged history has no negative count");
    }

    #[test]
    fn a_question_knows_the_effect_that_it_is_about() {
        let task_id = TaskId::generate();
        let now = jiff::Timestamp::UNIX_EPOCH;
        let named = |name: &str| Question::open(task_id, &NewQuestion::new(1, name, "?", "{}"), now, now);
        for effect in ["publish", "a/b", "imperal"] {
            assert_eq!(named(&effect_question(effect, 7, 0, task_id)).effect(), Some(effect));
        }
        assert_eq!(named("publish").effect(), None);
    }

    #[test]
    fn every_answer_is_a_choice_of_its_schema() {
        use EffectAnswer::{Again, Done, Look, Stop};
        let schema: Value = serde_json::from_str(&EffectAnswer::schema(&[Done, Again, Look, Stop])).unwrap();
        for (choice, answer) in schema["oneOf"].as_array().unwrap().iter().zip([Done, Again, Look, Stop]) {
            assert_eq!(choice["const"], Value::from(answer));
        }
    }

    #[test]
    fn a_row_says_how_its_outcome_is_known() {
        let of = |kind, value: &str| KnownBy::of_row(kind, Some(value));
        assert_eq!(of(StepKind::Effect, &StoredEffect::returned("{\"id\":1}")), Some(KnownBy::Returned));
        assert_eq!(of(StepKind::Effect, &StoredEffect::found("null")), Some(KnownBy::Found));
        assert_eq!(of(StepKind::Effect, &StoredEffect::Confirmed.to_json()), Some(KnownBy::Confirmed));
        let without: StoredEffect = StoredEffect::WithoutValue("too large".to_owned());
        assert_eq!(of(StepKind::Effect, &without.to_json()), Some(KnownBy::WithoutValue));
        assert_eq!(of(StepKind::NotDone, &NotDoneBy::LookUp.to_json()), Some(KnownBy::LookUp));
        assert_eq!(of(StepKind::Step, "\"user\""), None, "the value of a step says nothing");
        assert_eq!(KnownBy::of_row(StepKind::Effect, None), None, "a large value is not at hand");
    }

    #[test]
    fn a_value_of_nothing_is_not_the_word_of_a_person() {
        let read = |json: &str| serde_json::from_str::<StoredEffect<()>>(json).unwrap();
        assert_eq!(read(&StoredEffect::returned("null")), StoredEffect::Returned(()));
        assert_eq!(read(&StoredEffect::Confirmed.to_json()), StoredEffect::Confirmed);
    }
}
