//! Requests and answers about schedules, as the API has them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::ids::ScheduleId;
use crate::platform::schedules::{Approval, Run, RunState, ScheduleCounts, ScheduleReason, ScheduleState};
use crate::schedule::{ClockNote, When};

/// A schedule to create.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NewSchedule {
    /// For people: 1 to 100 characters.
    pub name: String,
    /// The extension.
    pub app_id: String,
    /// The function to run.
    pub function: String,
    /// Its parameters; `{}` when absent.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// When to run it.
    pub when: When,
    /// The IANA name of the zone whose clocks count.
    #[serde(default = "utc")]
    pub zone: String,
    /// It is not due before.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub starts_at: Option<Timestamp>,
    /// It is not due after.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub ends_at: Option<Timestamp>,
    /// It ends after this number of runs.
    #[serde(default)]
    pub max_runs: Option<u64>,
    /// The approval of a destructive function: `approval.digest` of a preview.
    #[serde(default)]
    pub approve: Option<String>,
}

impl NewSchedule {
    /// A schedule of a function without parameters, in UTC.
    pub fn new(name: impl Into<String>, app_id: impl Into<String>, function: impl Into<String>, when: When) -> Self {
        Self {
            name: name.into(),
            app_id: app_id.into(),
            function: function.into(),
            params: Map::new(),
            when,
            zone: utc(),
            starts_at: None,
            ends_at: None,
            max_runs: None,
            approve: None,
        }
    }
}

pub(super) fn utc() -> String {
    "UTC".to_owned()
}

/// What to change of a schedule. Absent parts stay; `null` removes an end or a start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ScheduleChanges {
    /// Change it only if it has this version.
    pub version: Option<u64>,
    /// Its name.
    pub name: Option<String>,
    /// The parameters of the function. Those of a destructive function need a new approval.
    pub params: Option<Map<String, Value>>,
    /// When to run it.
    pub when: Option<When>,
    /// The zone.
    pub zone: Option<String>,
    /// It is not due before.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    pub starts_at: Option<Option<Timestamp>>,
    /// It is not due after.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    pub ends_at: Option<Option<Timestamp>>,
    /// It ends after this number of runs.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Option<u64>")]
    pub max_runs: Option<Option<u64>>,
    /// The approval of a destructive function.
    pub approve: Option<String>,
}

/// Tells `null` from an absent field.
#[expect(clippy::option_option, reason = "an absent part stays, and `null` removes it")]
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Times to look at before a schedule is created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PreviewRequest {
    /// When it would run.
    pub when: When,
    /// The zone.
    #[serde(default = "utc")]
    pub zone: String,
    /// It would not be due before.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub starts_at: Option<Timestamp>,
    /// It would not be due after.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub ends_at: Option<Timestamp>,
    /// How many times to show, 1 to 20; 5 when absent.
    #[serde(default)]
    pub count: Option<u8>,
    /// The extension of a function to check too.
    #[serde(default)]
    pub app_id: Option<String>,
    /// The function to check too.
    #[serde(default)]
    pub function: Option<String>,
    /// Its parameters.
    #[serde(default)]
    pub params: Map<String, Value>,
}

/// One of the next times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct NextRun {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// As clocks in the zone show it: `2026-11-29T08:00:00+01:00`.
    pub local: String,
    /// How far those clocks are from UTC: `+01:00`.
    pub offset: String,
}

/// The next times of a schedule that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Preview {
    /// `every day at 08:00`.
    pub words: String,
    /// The zone, spelt as the zone database spells it.
    pub zone: String,
    /// The next times.
    pub next: Vec<NextRun>,
    /// The effect of the next clock changes on it, at most two.
    pub(super) notes: Vec<ClockNote>,
    /// Of a destructive function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

impl Preview {
    /// The effect of the next clock changes on it.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(|note| note.text.as_str())
    }
}

/// How one of the latest runs is or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RecentRun {
    /// When it was due.
    #[schemars(with = "String")]
    pub due_at: Timestamp,
    /// How it is or was.
    pub state: RunState,
}

impl From<&Run> for RecentRun {
    fn from(run: &Run) -> Self {
        Self { due_at: run.due_at, state: run.state }
    }
}

/// A schedule of the user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// For people.
    pub name: String,
    /// The extension.
    pub app_id: String,
    /// The function that it runs.
    pub function: String,
    /// The parameters of the function.
    pub params: Value,
    /// When it runs.
    pub when: Option<When>,
    /// The zone whose clocks count.
    pub zone: String,
    /// `every day at 08:00`.
    pub words: String,
    /// Its state.
    pub state: ScheduleState,
    /// The person or extension that paused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<String>,
    /// Since when it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub paused_at: Option<Timestamp>,
    /// Why it stopped by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ScheduleReason>,
    /// When it runs next, while it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub next_at: Option<Timestamp>,
    /// That time as clocks in the zone show it, with the zone: `2026-11-29T08:00:00+01:00[Europe/Berlin]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_local: Option<String>,
    /// It is not due before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub starts_at: Option<Timestamp>,
    /// It is not due after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ends_at: Option<Timestamp>,
    /// It ends after this number of runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<u64>,
    /// The run that has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Run>,
    /// The latest run that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<Run>,
    /// Its latest runs, newest first: at most 7.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<RecentRun>,
    /// How many of its times ran, failed or were left out.
    pub counts: ScheduleCounts,
    /// Of a destructive function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The person or extension that created it.
    pub created_by: String,
    /// When it was created.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When it was last written.
    #[schemars(with = "String")]
    pub updated_at: Timestamp,
    /// One more with each write.
    pub version: u64,
}
