//! Schedules as the ledger stores them, and users as they were last seen.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fence, Incarnation, NewAudit, NewCall, Owner, TurnBody};
use crate::ids::ScheduleId;

/// The schedule that a turn belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ScheduleMark {
    /// Its id.
    pub id: ScheduleId,
    /// Its name, as it was then.
    pub name: String,
    /// When the run was due.
    #[schemars(with = "String")]
    pub due_at: Timestamp,
    /// How much later it began, in seconds.
    pub late_by: u64,
}

impl ScheduleMark {
    /// From its parts.
    pub fn new(id: ScheduleId, name: String, due_at: Timestamp, late_by: u64) -> Self {
        Self { id, name, due_at, late_by }
    }
}

/// A stored schedule. The ledger knows when it wakes; the platform reads the rest from the body.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredSchedule {
    /// Its id.
    pub schedule_id: ScheduleId,
    /// Its user.
    pub owner: Owner,
    /// 1, and one more with each write.
    pub version: u64,
    /// When a node looks at it next; `None` for one that is not active.
    pub wake_at: Option<Timestamp>,
    /// When it was first written.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// JSON of the platform.
    pub body: String,
}

impl StoredSchedule {
    /// One that does not wake, for backends.
    pub fn new(schedule_id: ScheduleId, owner: Owner, version: u64, at: Timestamp, body: String) -> Self {
        Self { schedule_id, owner, version, wake_at: None, created_at: at, updated_at: at, body }
    }
}

/// A schedule to look at now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DueSchedule {
    /// The schedule.
    pub schedule: StoredSchedule,
    /// Its user as last seen in a request, if ever.
    pub seen: Option<SeenUser>,
    /// The time by the ledger's clock.
    pub now: Timestamp,
}

impl DueSchedule {
    /// From its parts, for backends.
    pub fn new(schedule: StoredSchedule, seen: Option<SeenUser>, now: Timestamp) -> Self {
        Self { schedule, seen, now }
    }
}

/// A user as last seen in an authenticated request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenUser {
    /// When.
    pub at: Timestamp,
    /// The user with the scopes of that request, as JSON of the platform.
    pub user: String,
}

impl SeenUser {
    /// From its parts, for backends.
    pub fn new(at: Timestamp, user: String) -> Self {
        Self { at, user }
    }
}

/// A user that was seen in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewSeen {
    /// The user.
    pub owner: Owner,
    /// The extension that the user called; empty for any request.
    pub app_id: String,
    /// The user with the scopes of the request, as JSON of the platform.
    pub user: String,
}

impl NewSeen {
    /// From its parts.
    pub fn new(owner: Owner, app_id: &str, user: String) -> Self {
        Self { owner, app_id: app_id.to_owned(), user }
    }
}

/// The right to write a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScheduleSource {
    /// A person, whose right the caller has checked.
    Person,
    /// A handler or a step of the schedule's user.
    Work(Fence),
    /// A node whose schedule is due.
    Node(Incarnation),
}

/// A schedule to write, and what is written together with it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScheduleWrite {
    /// Its id.
    pub schedule_id: ScheduleId,
    /// Its user.
    pub owner: Owner,
    /// The version that it becomes: one more than the stored one, 1 for a new one.
    pub version: u64,
    /// When a node looks at it next.
    pub wake_at: Option<Timestamp>,
    /// JSON of the platform.
    pub body: String,
    /// Refuse a new one if the owner has so many.
    pub most: Option<u32>,
    /// A call of the owner that a node begins with it.
    pub call: Option<NewCall>,
    /// A turn for the owner.
    pub turn: Option<TurnBody>,
    /// The audit row.
    pub audit: Option<NewAudit>,
}

impl ScheduleWrite {
    /// A write of nothing but the schedule.
    pub fn new(schedule_id: ScheduleId, owner: Owner, version: u64, wake_at: Option<Timestamp>, body: String) -> Self {
        Self { schedule_id, owner, version, wake_at, body, most: None, call: None, turn: None, audit: None }
    }

    /// Sets the audit row.
    #[must_use]
    pub fn audit(self, audit: NewAudit) -> Self {
        Self { audit: Some(audit), ..self }
    }

    /// Sets the call.
    #[must_use]
    pub fn call(self, call: NewCall) -> Self {
        Self { call: Some(call), ..self }
    }

    /// Sets the turn.
    #[must_use]
    pub fn turn(self, turn: TurnBody) -> Self {
        Self { turn: Some(turn), ..self }
    }

    /// Sets the limit on the owner's schedules.
    #[must_use]
    pub fn most(self, most: u32) -> Self {
        Self { most: Some(most), ..self }
    }
}
