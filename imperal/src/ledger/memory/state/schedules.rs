//! Schedules, and users as last seen.

use std::cmp::Reverse;
use std::collections::HashSet;

use jiff::Timestamp;

use super::State;
use crate::ids::ScheduleId;
use crate::ledger::{
    DueSchedule, LedgerError, NewAudit, NewSeen, Owner, ScheduleSource, ScheduleWrite, SeenUser, StoredSchedule,
};

impl State {
    pub(in crate::ledger::memory) fn write_schedule(
        &mut self,
        source: &ScheduleSource,
        write: ScheduleWrite,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.may_write_schedule(source, &write.owner)?;
        let ScheduleWrite { schedule_id, owner, version, wake_at, body, most, call, turn, audit } = write;
        let stored = self.schedules.get(&schedule_id);
        if version != stored.map_or(0, |stored| stored.version) + 1
            || stored.is_some_and(|stored| stored.owner != owner)
        {
            return Ok(false);
        }
        let created_at = stored.map_or(now, |stored| stored.created_at);
        if stored.is_none()
            && let Some(most) = most
            && self.schedules.values().filter(|schedule| schedule.owner == owner).count() >= most as usize
        {
            return Err(LedgerError::TooManySchedules(most));
        }
        if let Some(turn) = &turn {
            self.fresh(turn)?;
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
        let updated_at = now;
        let row = StoredSchedule { schedule_id, owner, version, wake_at, created_at, updated_at, body };
        self.schedules.insert(schedule_id, row);
        Ok(true)
    }

    pub(in crate::ledger::memory) fn remove_schedule(
        &mut self,
        owner: &Owner,
        source: &ScheduleSource,
        schedule_id: ScheduleId,
        audit: NewAudit,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.may_write_schedule(source, owner)?;
        if self.schedules.get(&schedule_id).is_none_or(|stored| stored.owner != *owner) {
            return Ok(false);
        }
        self.schedules.remove(&schedule_id);
        self.audit(audit, now);
        Ok(true)
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
        let mut own: Vec<_> = self.schedules.values().filter(|schedule| schedule.owner == *owner).cloned().collect();
        own.sort_by_key(|one| Reverse((one.created_at, one.schedule_id)));
        own
    }

    pub(in crate::ledger::memory) fn due_schedules(&self, limit: usize, now: Timestamp) -> Vec<DueSchedule> {
        let mut due: Vec<_> =
            self.schedules.values().filter(|schedule| schedule.wake_at.is_some_and(|at| at <= now)).collect();
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

    pub(in crate::ledger::memory) fn seen_user(&self, owner: &Owner, app_id: &str) -> Option<SeenUser> {
        self.seen.get(&(owner.clone(), app_id.to_owned())).cloned()
    }
}
