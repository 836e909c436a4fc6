//! Schedules that extensions keep for their users: found by their names, changed by running work.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::body::{ScheduleBody, Wanted};
use super::checks::{Refusal, Runnable, check_resume, invalid, unwritten};
use super::runner::rewritten;
use super::{MOST_SCHEDULES, ScheduleReason, ScheduleState};
use crate::codes;
use crate::context::{Origin, OwnSchedule, ScheduleChange};
use crate::error::Error;
use crate::ids::ScheduleId;
use crate::ledger::{AuditOutcome, LedgerError, NewAudit, Owner, ScheduleSource, ScheduleWrite, StoredSchedule};
use crate::platform::Node;
use crate::platform::ledger_errors::unreadable;
use crate::platform::messages::{self, WorkRef};
use crate::result::Result;

/// How often a change is tried that another writer comes before.
const TRIES: usize = 8;

impl Node {
    /// Does what running work wants with a schedule of its extension and user. Returns whether there is one.
    pub(in crate::platform) async fn change_schedule_of(
        &self,
        origin: &Origin,
        change: ScheduleChange,
    ) -> Result<bool> {
        let owner = Owner::from(&origin.user);
        let name = match &change {
            ScheduleChange::Set(schedule) => schedule.name.trim(),
            ScheduleChange::Pause(name) | ScheduleChange::Resume(name) | ScheduleChange::Remove(name) => name.trim(),
        };
        let id = id_of(&owner, origin.app_id, name);
        for _ in 0..TRIES {
            let stored = self.ledger.find_schedule(id).await.map_err(|error| unreadable(&error))?;
            if stored.is_none() && !matches!(change, ScheduleChange::Set(_)) {
                return Ok(false);
            }
            if self.try_change(origin, &owner, id, stored, &change).await? {
                self.schedules_changed.notify_one();
                return Ok(true);
            }
        }
        Err(Error::user(codes::SCHEDULE_CHANGED, "The schedule changes all the time. Try again."))
    }

    /// Returns whether it is done; if not, another writer came before.
    async fn try_change(
        &self,
        origin: &Origin,
        owner: &Owner,
        id: ScheduleId,
        stored: Option<StoredSchedule>,
        change: &ScheduleChange,
    ) -> Result<bool> {
        let Some(work) = self.active.find(origin) else { return Err(Error::cancelled()) };
        let source = ScheduleSource::Work(work.fence());
        let now = self.ledger.time().await.map_err(|error| unreadable(&error))?;
        let audit = |action: &str, body: &ScheduleBody| -> NewAudit {
            let row = messages::audit(WorkRef::from(origin), action, AuditOutcome::Done);
            row.target(id.to_string()).detail(body.wanted.name.clone())
        };
        let body = stored.as_ref().and_then(|stored| serde_json::from_str::<ScheduleBody>(&stored.body).ok());
        let (write, action, body) = match (change, stored, body) {
            (ScheduleChange::Set(schedule), None, _) => {
                let runnable = self.runnable_of(origin, &schedule.function, &schedule.params).await?;
                let by = format!("extension:{}", origin.app_id);
                let body = ScheduleBody::new(origin.app_id, &schedule.function, wanted_of(schedule), by, now);
                let mut body = body.map_err(|why| invalid(&why))?;
                wait_for_approval(&mut body, &runnable);
                let json = serde_json::to_string(&body).unwrap_or_default();
                let write = ScheduleWrite::new(id, owner.clone(), 1, body.wake_at(), json).most(MOST_SCHEDULES);
                let write = write.files(origin.app_id, runnable.checked.files);
                (write, "schedule.create", body)
            }
            (ScheduleChange::Set(schedule), Some(stored), Some(mut body)) => {
                let runnable = self.runnable_of(origin, &schedule.function, &schedule.params).await?;
                let before = body.clone();
                let wanted = Wanted {
                    starts_at: body.wanted.starts_at,
                    ends_at: body.wanted.ends_at,
                    max_runs: body.wanted.max_runs,
                    ..wanted_of(schedule)
                };
                if body.function == schedule.function && body.is_wanted(&wanted) {
                    return Ok(true);
                }
                body.function.clone_from(&schedule.function);
                body.edit(wanted, now).map_err(|why| invalid(&why))?;
                wait_for_approval(&mut body, &runnable);
                if body == before {
                    return Ok(true);
                }
                let write = rewritten(&stored, &body).files(origin.app_id, runnable.checked.files);
                (write, "schedule.edit", body)
            }
            (ScheduleChange::Pause(_), Some(stored), Some(mut body)) => {
                if body.state != ScheduleState::Active {
                    return Ok(true);
                }
                body.pause(&format!("extension:{}", origin.app_id), now);
                (rewritten(&stored, &body), "schedule.pause", body)
            }
            (ScheduleChange::Resume(_), Some(stored), Some(mut body)) => {
                if body.state == ScheduleState::Active {
                    return Ok(true);
                }
                check_resume(&body)?;
                let runnable = self.runnable_of(origin, &body.function, &body.wanted.params).await?;
                runnable.check_approval(body.approved.as_deref())?;
                body.resume(now).map_err(|why| invalid(&why))?;
                (rewritten(&stored, &body), "schedule.resume", body)
            }
            (ScheduleChange::Remove(_), Some(_), body) => {
                let mut row = messages::audit(WorkRef::from(origin), "schedule.delete", AuditOutcome::Done);
                row.target = Some(id.to_string());
                row.detail = body.map(|body| body.wanted.name);
                let removed = self.ledger.remove_schedule(owner, source, id, Some(row)).await;
                return removed.map_err(|error| refused(&error));
            }
            _ => {
                let text = "The schedule cannot be read. Remove it, then set it again.";
                return Err(Error::user(codes::SCHEDULE_NOT_ACTIVE, text));
            }
        };
        let written = self.ledger.write_schedule(source, write.audit(audit(action, &body))).await;
        written.map_err(|error| refused(&error))
    }

    async fn runnable_of(&self, origin: &Origin, function: &str, params: &Value) -> Result<Runnable> {
        let files = self.files_named(&Owner::from(&origin.user), origin.app_id, function, params).await;
        let files = files.map_err(|error| unreadable(&error))?;
        self.find_runnable(origin.app_id, function, params, &files).map_err(|(_, error)| error)
    }
}

/// A destructive function that its user has not approved with these parameters does not run.
fn wait_for_approval(body: &mut ScheduleBody, runnable: &Runnable) {
    if let Err(error) = runnable.check_approval(body.approved.as_deref())
        && body.state == ScheduleState::Active
    {
        body.stop(ScheduleReason::of(Refusal::ApprovalNeeded, &error));
    }
}

fn wanted_of(schedule: &OwnSchedule) -> Wanted {
    Wanted {
        name: schedule.name.clone(),
        params: schedule.params.clone(),
        when: schedule.when.clone(),
        zone: schedule.zone.clone(),
        starts_at: None,
        ends_at: None,
        max_runs: None,
    }
}

/// The same for the same name, so that work that runs again finds what it has written.
fn id_of(owner: &Owner, app_id: &str, name: &str) -> ScheduleId {
    let mut hash = Sha256::new();
    for part in ["imperal schedule 1", &owner.tenant_id, &owner.user_id, app_id, name] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    ScheduleId::derived(&hash.finalize().into())
}

fn refused(error: &LedgerError) -> Error {
    match error {
        LedgerError::Fenced
        | LedgerError::NotFound
        | LedgerError::NotHolder
        | LedgerError::AlreadyReplied
        | LedgerError::AlreadyEnded => Error::cancelled().with_source(format!("the schedule was not written: {error}")),
        error => unwritten(error),
    }
}
