//! Schedules as their user sees and changes them.

mod operate;
mod shapes;
mod view;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

pub use self::operate::{OperatorJob, UserSchedules};
pub use self::shapes::{NewSchedule, NextRun, Preview, PreviewRequest, RecentRun, Schedule, ScheduleChanges};
use self::view::read;
use super::Access;
use crate::codes;
use crate::error::Error;
use crate::files::FileRef;
use crate::ids::{FileId, ScheduleId};
use crate::ledger::{AuditOutcome, NewAudit, ScheduleSource, ScheduleWrite, StoredSchedule};
use crate::platform::Node;
use crate::platform::ledger_errors::{unavailable, unreadable};
use crate::platform::schedules::{
    MOST_SCHEDULES, Refusal, Run, ScheduleBody, ScheduleReason, ScheduleState, Wanted, check_resume, invalid,
    rewritten, unwritten,
};
use crate::result::Result;
use crate::schedule::{Timetable, start_of_interval};

/// How often a change is tried that another writer comes before.
const TRIES: usize = 8;
/// Days of clock changes that a preview explains.
const NOTED_DAYS: i64 = 400;
/// Times of a preview: usual and most.
const TIMES: u8 = 5;
const MOST_TIMES: u8 = 20;

/// The schedules of one user. Made by [`Access::schedules`].
#[derive(Debug, Clone)]
pub struct ScheduleAccess {
    access: Access,
}

impl Access {
    /// The user's schedules.
    pub fn schedules(&self) -> ScheduleAccess {
        ScheduleAccess { access: self.clone() }
    }
}

impl ScheduleAccess {
    /// All of them, newest first.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the ledger cannot be read.
    pub async fn list(&self) -> Result<Vec<Schedule>> {
        let access = &self.access;
        let stored = access.read(access.ledger().schedules_of(&access.owner)).await?;
        let mut found = Vec::with_capacity(stored.len());
        for stored in stored {
            found.push(self.access.shown_schedule(stored).await?);
        }
        Ok(found)
    }

    /// One schedule.
    ///
    /// # Errors
    /// `NOT_FOUND`; `PERMISSION_DENIED`, audited, for another user's.
    pub async fn find(&self, id: ScheduleId) -> Result<Schedule> {
        let stored = self.own(id, "schedule.read").await?;
        self.access.shown_schedule(stored).await
    }

    /// The latest runs, newest first: at most 50.
    ///
    /// # Errors
    /// As [`ScheduleAccess::find`].
    pub async fn runs(&self, id: ScheduleId) -> Result<Vec<Run>> {
        let stored = self.own(id, "schedule.read").await?;
        let mut body = read(&stored)?;
        self.access.refresh_schedule(&stored, &mut body).await?;
        body.runs.reverse();
        Ok(body.runs)
    }

    /// The next times, and whether the function can run by itself. Creates nothing.
    ///
    /// # Errors
    /// `SCHEDULE_INVALID`; as a call's for the function and its parameters.
    pub async fn preview(&self, request: PreviewRequest) -> Result<Preview> {
        let PreviewRequest { when, zone, starts_at, ends_at, count, app_id, function, params } = request;
        let now = self.now().await?;
        let mut approval = None;
        if let (Some(app_id), Some(function)) = (app_id, function) {
            let node = &self.access.platform.node;
            let params = Value::Object(params);
            let files = self.files_named(&app_id, &function, &params).await?;
            let runnable = node.find_runnable(&app_id, &function, &params, &files);
            approval = runnable.map_err(|(_, error)| error)?.approval(None);
        }
        let from = start_of_interval(starts_at, now);
        let table = Timetable::new(&when, &zone, from).map_err(|why| invalid(&why))?;
        table.check_distance().map_err(|why| invalid(&why))?;
        let just_before = |at: Timestamp| at.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap_or(at);
        let mut at = starts_at.map_or(now, |starts| now.max(just_before(starts)));
        let mut next = Vec::new();
        for _ in 0..count.unwrap_or(TIMES).clamp(1, MOST_TIMES) {
            match table.next_after(at).filter(|next| ends_at.is_none_or(|ends| *next <= ends)) {
                Some(found) => at = found,
                None => break,
            }
            let local = at.to_zoned(table.zone().clone());
            next.push(NextRun {
                at,
                local: local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
                offset: local.strftime("%:z").to_string(),
            });
        }
        let (words, zone) = (table.words(), table.zone_name().to_owned());
        Ok(Preview { words, zone, next, notes: table.clock_notes(now, NOTED_DAYS), approval })
    }

    /// Creates a schedule, active from now on. It runs as the user, with the scopes of the user's last request.
    ///
    /// # Errors
    /// `SCHEDULE_INVALID`, `APPROVAL_NEEDED`, `TOO_MANY_SCHEDULES`; as a call's for the function and its parameters;
    /// `UNAVAILABLE`.
    pub async fn create(&self, new: NewSchedule) -> Result<Schedule> {
        let access = &self.access;
        let node = &access.platform.node;
        let params = Value::Object(new.params);
        let files = self.files_named(&new.app_id, &new.function, &params).await?;
        let runnable = node.find_runnable(&new.app_id, &new.function, &params, &files).map_err(|(_, error)| error)?;
        runnable.check_approval(new.approve.as_deref())?;
        let wanted = Wanted {
            name: new.name,
            params,
            when: new.when,
            zone: new.zone,
            starts_at: new.starts_at,
            ends_at: new.ends_at,
            max_runs: new.max_runs,
        };
        let (now, by) = (self.now().await?, access.actor.clone());
        let mut body = ScheduleBody::new(&new.app_id, &new.function, wanted, by, now).map_err(|why| invalid(&why))?;
        body.approved = runnable.digest;
        // It runs as the user that this request shows.
        if !access.is_service() {
            node.write_seen_user(&access.user).await.map_err(|error| unavailable(&error))?;
        }
        let id = ScheduleId::generate();
        let json = serde_json::to_string(&body).unwrap_or_default();
        let write = ScheduleWrite::new(id, access.owner.clone(), 1, body.wake_at(), json)
            .most(MOST_SCHEDULES)
            .files(&new.app_id, runnable.checked.files)
            .audit(self.audit("schedule.create", id, &body));
        let written = access.ledger().write_schedule(ScheduleSource::Person, write).await;
        written.map_err(|error| unwritten(&error))?;
        node.schedules_changed.notify_one();
        self.find(id).await
    }

    /// Changes a schedule. New times count from now on.
    ///
    /// # Errors
    /// As [`ScheduleAccess::find`] and [`ScheduleAccess::create`]; `SCHEDULE_CHANGED` for another version.
    pub async fn edit(&self, id: ScheduleId, changes: ScheduleChanges) -> Result<Schedule> {
        let new = changes.params.clone().map(Value::Object);
        self.change(id, "schedule.edit", changes.version, new, |body, (node, files), now, _| {
            let changes = changes.clone();
            let params = changes.params.map_or_else(|| body.wanted.params.clone(), Value::Object);
            let is_same = params == body.wanted.params;
            let runnable = node.find_runnable(&body.app_id, &body.function, &params, files);
            let wanted = Wanted {
                name: changes.name.unwrap_or_else(|| body.wanted.name.clone()),
                params,
                when: changes.when.unwrap_or_else(|| body.wanted.when.clone()),
                zone: changes.zone.unwrap_or_else(|| body.wanted.zone.clone()),
                starts_at: changes.starts_at.unwrap_or(body.wanted.starts_at),
                ends_at: changes.ends_at.unwrap_or(body.wanted.ends_at),
                max_runs: changes.max_runs.unwrap_or(body.wanted.max_runs),
            };
            body.edit(wanted, now).map_err(|why| invalid(&why))?;
            match runnable {
                Ok(runnable) => {
                    if changes.approve.is_some() {
                        body.approved = changes.approve;
                    }
                    if let Err(error) = runnable.check_approval(body.approved.as_deref())
                        && body.state == ScheduleState::Active
                    {
                        body.stop(ScheduleReason::of(Refusal::ApprovalNeeded, &error));
                    }
                    Ok(runnable.checked.files)
                }
                // The name of a schedule whose function is gone can still be changed.
                Err(_) if is_same => Ok(Vec::new()),
                Err((_, error)) => Err(error),
            }
        })
        .await
    }

    /// Pauses a schedule. One that is not active stays as it is.
    ///
    /// # Errors
    /// As [`ScheduleAccess::find`].
    pub async fn pause(&self, id: ScheduleId) -> Result<Schedule> {
        self.change(id, "schedule.pause", None, None, |body, _, now, by| {
            body.pause(by, now);
            Ok(Vec::new())
        })
        .await
    }

    /// Makes a schedule active again from now on, with an approval if its function needs one.
    ///
    /// # Errors
    /// As [`ScheduleAccess::find`]; `SCHEDULE_NOT_ACTIVE` with the cause that remains; `APPROVAL_NEEDED`.
    pub async fn resume(&self, id: ScheduleId, approve: Option<String>) -> Result<Schedule> {
        if !self.access.is_service() {
            let written = self.access.platform.node.write_seen_user(&self.access.user).await;
            written.map_err(|error| unavailable(&error))?;
        }
        self.change(id, "schedule.resume", None, None, |body, (node, files), now, _| {
            check_resume(body)?;
            let runnable = node.find_runnable(&body.app_id, &body.function, &body.wanted.params, files);
            let runnable = runnable.map_err(|(refusal, error)| {
                Error::user(codes::SCHEDULE_NOT_ACTIVE, ScheduleReason::of(refusal, &error).text)
            })?;
            if let Some(approve) = &approve {
                body.approved = Some(approve.clone());
            }
            runnable.check_approval(body.approved.as_deref())?;
            body.resume(now).map_err(|why| invalid(&why))?;
            Ok(runnable.checked.files)
        })
        .await
    }

    /// Makes an active schedule due now. Its later times do not move.
    ///
    /// # Errors
    /// As [`ScheduleAccess::find`]; `SCHEDULE_NOT_ACTIVE`.
    pub async fn run(&self, id: ScheduleId) -> Result<Schedule> {
        self.change(id, "schedule.run", None, None, |body, _, now, _| {
            if body.state != ScheduleState::Active {
                let text = "The schedule is not active. Resume it, or run its function by hand.";
                return Err(Error::user(codes::SCHEDULE_NOT_ACTIVE, text));
            }
            body.run_now(now);
            Ok(Vec::new())
        })
        .await
    }

    /// Deletes a schedule. Its past runs stay in the chat.
    ///
    /// # Errors
    /// As [`ScheduleAccess::find`].
    pub async fn remove(&self, id: ScheduleId) -> Result<()> {
        let access = &self.access;
        let stored = self.own(id, "schedule.delete").await?;
        let audit = match read(&stored) {
            Ok(body) => self.audit("schedule.delete", id, &body),
            Err(_) => access.audit_row("schedule.delete", id.to_string(), AuditOutcome::Done),
        };
        let removed = access.ledger().remove_schedule(&access.owner, ScheduleSource::Person, id, Some(audit)).await;
        if removed.map_err(|error| unavailable(&error))? { Ok(()) } else { Err(not_found(id)) }
    }

    /// Changes a schedule and writes it, again if another writer comes before. `new`: the parameters that it gets. The
    /// change returns the files that they name, which are stored with the schedule.
    async fn change(
        &self,
        id: ScheduleId,
        action: &str,
        version: Option<u64>,
        new: Option<Value>,
        change: impl Fn(&mut ScheduleBody, (&Node, &[FileRef]), Timestamp, &str) -> Result<Vec<FileId>>,
    ) -> Result<Schedule> {
        let access = &self.access;
        let node = &access.platform.node;
        for _ in 0..TRIES {
            let stored = self.own(id, action).await?;
            if version.is_some_and(|version| version != stored.version) {
                return Err(changed(stored.version));
            }
            let mut body = read(&stored)?;
            let before = body.clone();
            let params = new.as_ref().unwrap_or(&body.wanted.params);
            let files = self.files_named(&body.app_id, &body.function, params).await?;
            let files = change(&mut body, (node, &files), self.now().await?, &access.actor)?;
            if body == before {
                return self.access.shown_schedule(stored).await;
            }
            let write = rewritten(&stored, &body).files(&body.app_id, files).audit(self.audit(action, id, &body));
            let written = access.ledger().write_schedule(ScheduleSource::Person, write).await;
            if written.map_err(|error| unwritten(&error))? {
                node.schedules_changed.notify_one();
                return self.find(id).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(Error::user(codes::SCHEDULE_CHANGED, "The schedule changes all the time. Read it, then try again."))
    }

    async fn own(&self, id: ScheduleId, action: &str) -> Result<StoredSchedule> {
        let access = &self.access;
        match access.read(access.ledger().find_schedule(id)).await? {
            Some(stored) if stored.job.is_some() => Err(not_found(id)),
            Some(stored) if stored.owner == access.owner => Ok(stored),
            Some(_) => {
                let why = "This schedule belongs to another user.";
                Err(access.refuse(action, &id.to_string(), why).await)
            }
            None => Err(not_found(id)),
        }
    }

    async fn files_named(&self, app_id: &str, function: &str, params: &Value) -> Result<Vec<FileRef>> {
        let access = &self.access;
        let named = access.platform.node.files_named(&access.owner, app_id, function, params).await;
        named.map_err(|error| unreadable(&error))
    }

    async fn now(&self) -> Result<Timestamp> {
        self.access.ledger().time().await.map_err(|error| unreadable(&error))
    }

    fn audit(&self, action: &str, id: ScheduleId, body: &ScheduleBody) -> NewAudit {
        let row = self.access.audit_row(action, id.to_string(), AuditOutcome::Done);
        row.app_id(body.app_id.clone()).detail(body.wanted.name.clone())
    }
}

fn not_found(id: ScheduleId) -> Error {
    Error::user(codes::NOT_FOUND, format!("There is no schedule {id}."))
}

fn changed(version: u64) -> Error {
    let text = format!("The schedule has version {version} now. Read it, then make your change again.");
    Error::user(codes::SCHEDULE_CHANGED, text)
}
