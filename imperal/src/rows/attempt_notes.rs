//! The notes of an attempt of a durable task besides its rows, for people who ask why it ended.
//!
//! A step has a row once it is done. One that failed or was cut off is noted with the end of its attempt, so an attempt
//! without one costs nothing. The ledger keeps the notes as JSON and does not read them.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the holder of a durable task says of the attempt that it ends by a release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptReport {
    /// How much of the attempt is no running time: how long the body only waited in its process, and if a stop cut its work
    /// off, the time since the last row that the attempt stored.
    pub unused: Duration,
    /// What [`TaskAttempt::notes`](super::TaskAttempt::notes) keeps.
    pub notes: Option<String>,
}

impl AttemptReport {
    /// A report without notes.
    pub fn new(unused: Duration) -> Self {
        Self { unused, notes: None }
    }

    /// Sets the notes.
    #[must_use]
    pub fn notes(self, notes: impl Into<Option<String>>) -> Self {
        Self { notes: notes.into(), ..self }
    }
}

/// How a step ended without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepEnding {
    /// It returned an error, after its last try.
    Failed,
    /// It was dropped: by a cancel, a time limit, a panic, the end of its process, or the body.
    CutOff,
    /// It is an effect, and it is not known whether it was done.
    Unknown,
}

/// A step or an effect that an attempt began and that has no row from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct UnfinishedStep {
    /// Its number if it had been stored: one more than the steps that were done.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// How it ended.
    pub how: StepEnding,
    /// When it began.
    #[schemars(with = "String")]
    pub began_at: Timestamp,
    /// When it failed or was cut off.
    #[schemars(with = "String")]
    pub ended_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// How many tries it had at most, if it was retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_tries: Option<u32>,
    /// The text of its latest error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// It failed, and the body went on without it: the task did not fail at this step.
    #[serde(default, skip_serializing_if = "super::step::is_zero")]
    pub went_on: bool,
    /// Its requests and failed tries, as those of a stored step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<Value>,
}

/// The notes on an attempt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AttemptNotes {
    /// In the order in which they ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unfinished: Vec<UnfinishedStep>,
    /// Names of stored steps that the attempt never asked for, before its task ended with an answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unasked: Vec<String>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "super::step::is_zero")]
    pub(crate) more_unasked: u32,
}

impl AttemptNotes {
    /// Most bytes of notes: a read of a timeline reads those of up to 257 attempts.
    const LIMIT: usize = 8192;

    /// The JSON that is stored; `None` if there is nothing to say. What is too large is left out, first the logs of the
    /// earlier steps.
    pub(crate) fn into_json(mut self) -> Option<String> {
        if self.unfinished.is_empty() && self.unasked.is_empty() {
            return None;
        }
        loop {
            let json = serde_json::to_string(&self).ok()?;
            if json.len() <= Self::LIMIT {
                return Some(json);
            }
            if let Some(step) = self.unfinished.iter_mut().find(|step| !step.log.is_empty()) {
                step.log.clear();
            } else if self.unfinished.len() > 1 {
                self.unfinished.remove(0);
            } else {
                self.unasked.pop()?;
                self.more_unasked += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(name: &str, log: usize) -> UnfinishedStep {
        UnfinishedStep {
            number: 1,
            name: name.to_owned(),
            how: StepEnding::Failed,
            began_at: Timestamp::UNIX_EPOCH,
            ended_at: Timestamp::UNIX_EPOCH,
            tries: 1,
            of_tries: None,
            error: None,
            went_on: false,
            log: vec![json!({ "method": "GET", "url": "x".repeat(log) }); usize::from(log > 0)],
        }
    }

    #[test]
    fn notes_are_small_and_keep_the_log_of_the_latest_step() {
        assert_eq!(AttemptNotes::default().into_json(), None, "an attempt without notes costs nothing");
        let unfinished = vec![step("a", 4000), step("b", 4000), step("c", 4000)];
        let notes = AttemptNotes { unfinished, unasked: vec!["x".repeat(512); 8], more_unasked: 0 };
        let json = notes.into_json().unwrap();
        assert!(json.len() <= AttemptNotes::LIMIT, "{}", json.len());
        let read: AttemptNotes = serde_json::from_str(&json).unwrap();
        let logs: Vec<_> = read.unfinished.iter().map(|step| step.log.len()).collect();
        assert_eq!((logs, read.unasked.len() + read.more_unasked as usize), (vec![0, 0, 0], 8));
        let few = AttemptNotes { unfinished: vec![step("a", 4000), step("b", 4000)], ..AttemptNotes::default() };
        let read: AttemptNotes = serde_json::from_str(&few.into_json().unwrap()).unwrap();
        assert_eq!(read.unfinished.iter().map(|step| step.log.len()).collect::<Vec<_>>(), [0, 1]);
    }
}
