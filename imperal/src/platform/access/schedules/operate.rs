//! Schedules and jobs as an operator sees and stops them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TRIES;
use super::shapes::Schedule;
use super::view::read;
use crate::codes;
use crate::error::Error;
use crate::ledger::{AuditOutcome, NewAudit, Owner, ScheduleSource, StoredSchedule};
use crate::platform::Operator;
use crate::platform::ledger_errors::unavailable;
use crate::platform::schedules::{ScheduleState, rewritten};
use crate::result::Result;

/// A job of an extension: a function under `#[schedule]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OperatorJob {
    /// The extension, the name, and a number of its times: `page-speed/digest@1f0c9a2b`.
    pub job: String,
    /// Its times in UTC; absent if this program does not have it with these times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Its users.
    pub users: u64,
    /// When a run is looked at or begins next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub next_at: Option<jiff::Timestamp>,
}

/// The schedules and jobs of one user, as an operator sees them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct UserSchedules {
    /// Those that the user has, newest first.
    pub schedules: Vec<Schedule>,
    /// Those of jobs.
    pub jobs: Vec<Schedule>,
}

impl Operator {
    /// The jobs that have users.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, for an operator of one tenant; `UNAVAILABLE` when the ledger cannot read.
    pub async fn jobs(&self) -> Result<Vec<OperatorJob>> {
        self.check_all_tenants("schedule.jobs").await?;
        let access = self.access();
        let known = access.platform.node.job_crons();
        let stored = access.read(access.ledger().job_owners()).await?;
        let job = |stored: crate::ledger::JobOwners| OperatorJob {
            cron: known.iter().find(|(key, _)| *key == stored.job).map(|(_, cron)| (*cron).to_owned()),
            users: stored.owners,
            next_at: stored.next_wake_at,
            job: stored.job,
        };
        Ok(stored.into_iter().map(job).collect())
    }

    /// The schedules and jobs of a user, with their latest runs.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`, audited, for a user of another tenant; `UNAVAILABLE` when the ledger cannot read.
    pub async fn schedules(&self, owner: &Owner) -> Result<UserSchedules> {
        self.check_owner(owner, "schedule.read").await?;
        let access = self.access();
        let (own, jobs) = self.schedules_and_jobs(owner).await?;
        let (mut schedules, mut shown_jobs) = (Vec::with_capacity(own.len()), Vec::with_capacity(jobs.len()));
        for stored in own {
            schedules.push(access.shown_schedule(stored).await?);
        }
        for stored in jobs {
            shown_jobs.push(access.shown_schedule(stored).await?);
        }
        Ok(UserSchedules { schedules, jobs: shown_jobs })
    }

    /// Pauses all schedules and jobs of a user, or resumes those that an operator has paused. The user cannot resume
    /// what an operator paused. A run that is at work goes on. Returns how many it changed.
    ///
    /// # Errors
    /// As [`Operator::schedules`]; `SCHEDULE_CHANGED` if one of them changes all the time.
    pub async fn pause_schedules(&self, owner: &Owner, paused: bool) -> Result<u64> {
        let action = if paused { "schedule.pause" } else { "schedule.resume" };
        self.check_owner(owner, action).await?;
        let (own, jobs) = self.schedules_and_jobs(owner).await?;
        let mut changed = 0;
        for stored in own.into_iter().chain(jobs) {
            changed += u64::from(self.pause_schedule(stored, paused, action).await?);
        }
        Ok(changed)
    }

    async fn pause_schedule(&self, mut stored: StoredSchedule, paused: bool, action: &str) -> Result<bool> {
        let access = self.access();
        for _ in 0..TRIES {
            // One that cannot be read does not run.
            let Ok(mut body) = read(&stored) else { return Ok(false) };
            let now = access.ledger().time().await.map_err(|error| unavailable(&error))?;
            if paused && body.state == ScheduleState::Active {
                body.pause(&self.actor(), now);
            } else if !paused && body.is_paused_by_operator() {
                // One whose times are over stays as it is.
                if body.resume(now).is_err() {
                    return Ok(false);
                }
            } else {
                return Ok(false);
            }
            let audit = NewAudit {
                tenant_id: stored.owner.tenant_id.to_string(),
                user_id: stored.owner.user_id.to_string(),
                actor: self.actor(),
                app_id: Some(body.app_id.clone()),
                detail: Some(body.wanted.name.clone()),
                ..access.audit_row(action, stored.schedule_id.to_string(), AuditOutcome::Done)
            };
            let write = rewritten(&stored, &body).audit(audit);
            let written = access.ledger().write_schedule(ScheduleSource::Person, write).await;
            if written.map_err(|error| unavailable(&error))? {
                access.platform.node.schedules_changed.notify_one();
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            match access.read(access.ledger().find_schedule(stored.schedule_id)).await? {
                Some(later) => stored = later,
                None => return Ok(false),
            }
        }
        Err(Error::user(codes::SCHEDULE_CHANGED, "A schedule changes all the time. Try again."))
    }

    async fn schedules_and_jobs(&self, owner: &Owner) -> Result<(Vec<StoredSchedule>, Vec<StoredSchedule>)> {
        let access = self.access();
        let own = access.read(access.ledger().schedules_of(owner)).await?;
        Ok((own, access.read(access.ledger().jobs_of(owner)).await?))
    }
}
