//! Schedules as the ledger stores them, and users as they were last seen.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fence, Incarnation, NewAudit, NewCall, Owner, TurnBody};
use crate::ids::{CallId, FileId, ScheduleId};

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
    /// The job that it belongs to; `None` for one that its user has.
    pub job: Option<String>,
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
        Self { schedule_id, owner, job: None, version, wake_at: None, created_at: at, updated_at: at, body }
    }
}

/// The schedules that a look is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScheduleKind {
    /// Those that users have.
    OfUsers,
    /// Those of an extension's jobs, one for each user.
    OfJobs,
}

/// The change of a job's work in the transaction that writes its schedule.
///
/// The work is a call without turns: it may write as a call may, and neither its beginning nor its end makes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobStep {
    /// It begins, held by this node.
    Begin(CallId),
    /// It ends, by the node that holds it.
    End(CallId),
    /// It ends, because the incarnation that held it has ended.
    Reclaim(CallId),
}

/// Selects owners that an extension's job runs for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppOwners {
    /// The extension.
    pub app_id: String,
    /// Those who called it within this time.
    pub called_within: Duration,
    /// Those who have documents in this collection of it, whenever they called.
    pub collection: Option<String>,
    /// Owners with a schedule of this job are left out.
    pub without_job: String,
    /// The largest number of owners.
    pub limit: u32,
}

impl AppOwners {
    /// Those who called an extension within a time and have no schedule of a job.
    pub fn new(app_id: &str, called_within: Duration, without_job: &str, limit: u32) -> Self {
        let (app_id, without_job) = (app_id.to_owned(), without_job.to_owned());
        Self { app_id, called_within, collection: None, without_job, limit }
    }

    /// Adds owners with documents in a collection.
    #[must_use]
    pub fn or_documents_in(self, collection: &str) -> Self {
        Self { collection: Some(collection.to_owned()), ..self }
    }
}

/// A job and how many owners it has schedules of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobOwners {
    /// The job.
    pub job: String,
    /// Its schedules.
    pub owners: u64,
    /// The next time that one of them wakes.
    pub next_wake_at: Option<Timestamp>,
}

impl JobOwners {
    /// From its parts, for backends.
    pub fn new(job: String, owners: u64, next_wake_at: Option<Timestamp>) -> Self {
        Self { job, owners, next_wake_at }
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

/// A schedule to write, with its call, turn, audit row and files.
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
    /// Refuse a new one if the owner has this number.
    pub most: Option<u32>,
    /// The job that a new one belongs to. Users do not see it, and it does not count for their limit.
    pub job: Option<String>,
    /// Files of the owner that it refers to, and the extension that they belong to: they are stored with it.
    pub files: Option<(String, Vec<FileId>)>,
    /// A call of the owner that a node begins with it.
    pub call: Option<NewCall>,
    /// The change of its job's work.
    pub job_step: Option<JobStep>,
    /// A turn for the owner.
    pub turn: Option<TurnBody>,
    /// The audit row.
    pub audit: Option<NewAudit>,
}

impl ScheduleWrite {
    /// A write of nothing but the schedule.
    pub fn new(schedule_id: ScheduleId, owner: Owner, version: u64, wake_at: Option<Timestamp>, body: String) -> Self {
        Self {
            schedule_id,
            owner,
            version,
            wake_at,
            body,
            most: None,
            job: None,
            files: None,
            call: None,
            job_step: None,
            turn: None,
            audit: None,
        }
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

    /// Sets the files of an extension that it refers to.
    #[must_use]
    pub fn files(self, app_id: &str, files: Vec<FileId>) -> Self {
        Self { files: (!files.is_empty()).then(|| (app_id.to_owned(), files)), ..self }
    }

    /// Sets the job of a new one.
    #[must_use]
    pub fn job(self, job: &str) -> Self {
        Self { job: Some(job.to_owned()), ..self }
    }

    /// Sets what a node does to the work of its job.
    #[must_use]
    pub fn job_step(self, step: JobStep) -> Self {
        Self { job_step: Some(step), ..self }
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
