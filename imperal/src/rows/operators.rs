//! Open tasks as operators see them, and the durable tasks that they have paused.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TaskRecord;

/// The place of a task among the open ones of all owners. Its text is a cursor for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct TaskPlace {
    owner: i64,
    number: i64,
}

impl TaskPlace {
    /// A place from the numbers of the owner and the task, for backends.
    pub const fn new(owner: i64, number: i64) -> Self {
        Self { owner, number }
    }

    /// The number of the owner.
    pub const fn owner(self) -> i64 {
        self.owner
    }

    /// The number of the task.
    pub const fn number(self) -> i64 {
        self.number
    }
}

impl fmt::Display for TaskPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.owner, self.number)
    }
}

/// A text that is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidPlace;

impl fmt::Display for InvalidPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid place; use the `next` of the page before")
    }
}

impl std::error::Error for InvalidPlace {}

impl FromStr for TaskPlace {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let parse = |part: &str| part.parse().map_err(|_| InvalidPlace);
        let (owner, number) = text.split_once('.').ok_or(InvalidPlace)?;
        Ok(Self { owner: parse(owner)?, number: parse(number)? })
    }
}

/// An open task of any owner, as operators see it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OpenTask {
    /// Its place among the open tasks.
    pub place: TaskPlace,
    /// The task with its owner, without a result.
    pub record: TaskRecord,
    /// The name of the durable task; `None` for a background task.
    pub task_name: Option<String>,
    /// How many attempts in a row crashed their processes.
    pub crashes: u32,
}

impl OpenTask {
    /// An open task from its parts, for backends.
    pub fn new(place: TaskPlace, record: TaskRecord, task_name: Option<String>, crashes: u32) -> Self {
        Self { place, record, task_name, crashes }
    }
}

/// A durable task whose tasks no process takes up until it is resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PausedTask {
    /// The extension.
    pub app_id: String,
    /// The name of the durable task within it.
    pub task_name: String,
    /// Since when it has been paused.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// Who paused it, as the audit trail names it.
    pub by: String,
}

impl PausedTask {
    /// A pause from its parts, for backends.
    pub fn new(
        app_id: impl Into<String>,
        task_name: impl Into<String>,
        since: Timestamp,
        by: impl Into<String>,
    ) -> Self {
        Self { app_id: app_id.into(), task_name: task_name.into(), since, by: by.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_from_its_text() {
        let place = TaskPlace::new(3, 12_345);
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "3", "3.", ".4", "3.4.5", "a.b"] {
            assert_eq!(text.parse::<TaskPlace>(), Err(InvalidPlace), "{text}");
        }
    }
}
