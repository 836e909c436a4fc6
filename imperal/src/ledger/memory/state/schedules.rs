//! Schedules, and users as last seen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use jiff::Timestamp;

use super::State;
use crate::ids::ScheduleId;
use crate::ledger::clock::before;
use crate::ledger::{
    AppOwners, DueSchedule, Incarnation, JobOwners, JobStep, LedgerError, NewAudit, NewSeen, Owner, ScheduleKind,
    ScheduleSource, ScheduleWrite, SeenUser, StoredSchedule,
};

impl State {
    pub(in crate::ledger::memory) fn write_schedule(
        &mut self,
        source: &ScheduleSource,
        write: ScheduleWrite,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.may_write_schedule(source, &write.owner)?;
        let ScheduleWrite { schedule_id, owner, version, wake_at, body, most, job, files, call, job_step, turn, audit } =
            write;
        let stored = self.schedules.get(&schedule_id);
        if version != stored.map_or(0, |stored| stored.version) + 1
            || stored.is_some_and(|stored| stored.owner != owner)
        {
            return Ok(false);
        }
        let created_at = stored.map_or(now, |stored| stored.created_at);
        let job = stored.map_or(job, |stored| stored.job.clone());
        if stored.is_none()
            && let Some(most) = most
            && self.schedules_of(&owner).len() >= most as usize
        {
            return Err(LedgerError::TooManySchedules(most));
        }
        if let Some(turn) = &turn {
            self.fresh(turn)?;
        }
        if let Some((app_id, files)) = &files {
            self.check_claim(&owner, app_id, files.iter().copied(), now)?;
        }
        match (job_step, source) {
            (Some(step), ScheduleSource::Node(incarnation)) => self.write_job(incarnation, &owner, step)?,
            (Some(_), _) => return Err(LedgerError::NotHolder),
            (None, _) => {}
        }
        match (call, source) {
            (Some(call), ScheduleSource::Node(incarnation)) => {
                self.accept_call(incarnation, call, now)?;
            }
            (Some(_), _) => return Err(LedgerError::NotHolder),
            (None, _) => {}
        }
        if let Some(turn) = turn {
            self.add_turn(owner.clone(), turn, now);
        }
        if let Some(audit) = audit {
            self.audit(audit, now);
        }
        for file_id in files.into_iter().flat_map(|(_, files)| files) {
            self.claim_file(file_id);
        }
        let updated_at = now;
        let row = StoredSchedule { schedule_id, owner, job, version, wake_at, created_at, updated_at, body };
        self.schedules.insert(schedule_id, row);
        Ok(true)
    }

    pub(in crate::ledger::memory) fn remove_schedule(
        &mut self,
        owner: &Owner,
        source: &ScheduleSource,
        schedule_id: ScheduleId,
        audit: Option<NewAudit>,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.may_write_schedule(source, owner)?;
        if self.schedules.get(&schedule_id).is_none_or(|stored| stored.owner != *owner) {
            return Ok(false);
        }
        self.schedules.remove(&schedule_id);
        if let Some(audit) = audit {
            self.audit(audit, now);
        }
        Ok(true)
    }

    fn write_job(&mut self, incarnation: &Incarnation, owner: &Owner, step: JobStep) -> Result<(), LedgerError> {
        let (call_id, is_reclaimed) = match step {
            JobStep::Begin(call_id) => return self.begin_silent_call(incarnation, owner, call_id),
            JobStep::End(call_id) => (call_id, false),
            JobStep::Reclaim(call_id) => (call_id, true),
        };
        self.end_silent_call(incarnation, call_id, is_reclaimed)
    }

    fn may_write_schedule(&self, source: &ScheduleSource, owner: &Owner) -> Result<(), LedgerError> {
        match source {
            ScheduleSource::Person => Ok(()),
            ScheduleSource::Work(fence) => self.may_write_for(owner, fence),
            ScheduleSource::Node(incarnation) => self.fence(incarnation),
        }
    }

    pub(in crate::ledger::memory) fn find_schedule(&self, schedule_id: ScheduleId) -> Option<StoredSchedule> {
        self.schedules.get(&schedule_id).cloned()
    }

    pub(in crate::ledger::memory) fn schedules_of(&self, owner: &Owner) -> Vec<StoredSchedule> {
        let is_own = |schedule: &&StoredSchedule| schedule.owner == *owner && schedule.job.is_none();
        let mut own: Vec<_> = self.schedules.values().filter(is_own).cloned().collect();
        own.sort_by_key(|one| Reverse((one.created_at, one.schedule_id)));
        own
    }

    pub(in crate::ledger::memory) fn jobs_of(&self, owner: &Owner) -> Vec<StoredSchedule> {
        let is_job = |schedule: &&StoredSchedule| schedule.owner == *owner && schedule.job.is_some();
        let mut jobs: Vec<_> = self.schedules.values().filter(is_job).cloned().collect();
        jobs.sort_by_key(|one| one.schedule_id);
        jobs
    }

    pub(in crate::ledger::memory) fn owners_of_app(&self, wanted: &AppOwners, now: Timestamp) -> Vec<Owner> {
        let since = before(now, wanted.called_within);
        let called = self.seen.iter().filter(|((_, app), seen)| *app == wanted.app_id && seen.at >= since);
        let mut owners: BTreeSet<&Owner> = called.map(|((owner, _), _)| owner).collect();
        if let Some(collection) = &wanted.collection {
            owners.extend(self.owners_with_documents(&wanted.app_id, collection));
        }
        let has_job = |owner: &Owner| {
            let is_it = |one: &StoredSchedule| one.owner == *owner && one.job.as_ref() == Some(&wanted.without_job);
            self.schedules.values().any(is_it)
        };
        owners.into_iter().filter(|owner| !has_job(owner)).take(wanted.limit as usize).cloned().collect()
    }

    pub(in crate::ledger::memory) fn job_owners(&self) -> Vec<JobOwners> {
        let mut jobs: BTreeMap<&str, (u64, Option<Timestamp>)> = BTreeMap::new();
        for schedule in self.schedules.values() {
            let Some(job) = &schedule.job else { continue };
            let (owners, next) = jobs.entry(job).or_default();
            *owners += 1;
            *next = [*next, schedule.wake_at].into_iter().flatten().min();
        }
        jobs.into_iter().map(|(job, (owners, next))| JobOwners::new(job.to_owned(), owners, next)).collect()
    }

    pub(in crate::ledger::memory) fn due_schedules(
        &self,
        kind: ScheduleKind,
        limit: usize,
        now: Timestamp,
    ) -> Vec<DueSchedule> {
        let is_due = |schedule: &&StoredSchedule| {
            schedule.job.is_some() == (kind == ScheduleKind::OfJobs) && schedule.wake_at.is_some_and(|at| at <= now)
        };
        let mut due: Vec<_> = self.schedules.values().filter(is_due).collect();
        due.sort_by_key(|schedule| (schedule.wake_at, schedule.schedule_id));
        let mut owners = HashSet::new();
        due.retain(|schedule| owners.insert(&schedule.owner));
        due.truncate(limit);
        let with_user = |schedule: &StoredSchedule| DueSchedule {
            seen: self.seen_user(&schedule.owner, ""),
            schedule: schedule.clone(),
            now,
        };
        due.into_iter().map(with_user).collect()
    }

    pub(in crate::ledger::memory) fn first_wake_at(&self) -> Option<Timestamp> {
        self.schedules.values().filter_map(|schedule| schedule.wake_at).min()
    }

    pub(in crate::ledger::memory) fn note_seen(&mut self, seen: Vec<NewSeen>, now: Timestamp) {
        for NewSeen { owner, app_id, user } in seen {
            self.seen.insert((owner, app_id), SeenUser { at: now, user });
        }
    }

    pub(in crate::ledger::memory) fn forget_seen(&mut self, not_for: Duration, limit: usize, now: Timestamp) -> u64 {
        let since = before(now, not_for);
        let old = self.seen.iter().filter(|(_, seen)| seen.at < since).map(|(place, _)| place.clone());
        let old: Vec<_> = old.take(limit).collect();
        for place in &old {
            self.seen.remove(place);
        }
        old.len() as u64
    }

    pub(in crate::ledger::memory) fn seen_user(&self, owner: &Owner, app_id: &str) -> Option<SeenUser> {
        self.seen.get(&(owner.clone(), app_id.to_owned())).cloned()
    }
}
