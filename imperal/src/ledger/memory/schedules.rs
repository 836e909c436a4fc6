//! Schedules: the methods of the contract.

use std::time::Duration;

use super::MemoryLedger;
use crate::ids::ScheduleId;
use crate::ledger::contract::{LedgerResult, Schedules};
use crate::ledger::{
    AppOwners, DueSchedule, JobOwners, NewAudit, NewSeen, Owner, ScheduleKind, ScheduleSource, ScheduleWrite, SeenUser,
    StoredSchedule,
};

impl Schedules for MemoryLedger {
    async fn write_schedule(&self, source: ScheduleSource, write: ScheduleWrite) -> LedgerResult<bool> {
        for turn in write.turn.iter().chain(write.call.as_ref().map(|call| &call.turn)) {
            turn.check_depth()?;
        }
        let owner = write.owner.clone();
        let has_events = write.turn.is_some() || write.call.is_some();
        let is_written = self.with(|state, now| state.write_schedule(&source, write, now))?;
        if is_written && has_events {
            self.feed.publish_events(&owner);
        }
        Ok(is_written)
    }

    async fn remove_schedule(
        &self,
        owner: &Owner,
        source: ScheduleSource,
        schedule_id: ScheduleId,
        audit: Option<NewAudit>,
    ) -> LedgerResult<bool> {
        self.with(|state, now| state.remove_schedule(owner, &source, schedule_id, audit, now))
    }

    async fn find_schedule(&self, schedule_id: ScheduleId) -> LedgerResult<Option<StoredSchedule>> {
        Ok(self.read(|state| state.find_schedule(schedule_id)))
    }

    async fn schedules_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSchedule>> {
        Ok(self.read(|state| state.schedules_of(owner)))
    }

    async fn jobs_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSchedule>> {
        Ok(self.read(|state| state.jobs_of(owner)))
    }

    async fn owners_of_app(&self, wanted: AppOwners) -> LedgerResult<Vec<Owner>> {
        Ok(self.with(|state, now| state.owners_of_app(&wanted, now)))
    }

    async fn job_owners(&self) -> LedgerResult<Vec<JobOwners>> {
        Ok(self.read(super::state::State::job_owners))
    }

    async fn due_schedules(&self, kind: ScheduleKind, limit: u32) -> LedgerResult<Vec<DueSchedule>> {
        Ok(self.with(|state, now| state.due_schedules(kind, limit as usize, now)))
    }

    async fn next_wake_in(&self) -> LedgerResult<Option<Duration>> {
        let left = self.with(|state, now| state.first_wake_at().map(|at| now.duration_until(at)));
        Ok(left.map(|left| Duration::try_from(left).unwrap_or_default()))
    }

    async fn time(&self) -> LedgerResult<jiff::Timestamp> {
        Ok(self.with(|_, now| now))
    }

    async fn note_seen(&self, seen: Vec<NewSeen>) -> LedgerResult<()> {
        self.with(|state, now| state.note_seen(seen, now));
        Ok(())
    }

    async fn forget_seen(&self, not_for: Duration, limit: u32) -> LedgerResult<u64> {
        Ok(self.with(|state, now| state.forget_seen(not_for, limit as usize, now)))
    }

    async fn seen_user(&self, owner: &Owner, app_id: &str) -> LedgerResult<Option<SeenUser>> {
        Ok(self.read(|state| state.seen_user(owner, app_id)))
    }
}
