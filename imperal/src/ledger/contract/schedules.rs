//! Schedules: functions that run for their users at times.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;

use super::LedgerResult;
use crate::ids::ScheduleId;
use crate::ledger::{
    AppOwners, DueSchedule, JobOwners, NewAudit, NewSeen, Owner, ScheduleKind, ScheduleSource, ScheduleWrite, SeenUser,
    StoredSchedule,
};

/// Schedules, and users as they were last seen. Used by the loop that runs schedules on every node, by handlers, and by
/// everything that shows or changes schedules.
///
/// **Once.** A due schedule is read by many nodes, and one of them writes it: the write names the version that the
/// schedule becomes, and carries the call that begins. So one time makes one call, and the call exists exactly if the
/// schedule has moved on. A node does not wait for a schedule that another transaction writes; for it the version is
/// another one.
///
/// **Jobs.** An extension's job has a schedule for each of its users. The work of such a run is a call without turns,
/// which begins and ends in writes of its schedule: `orphans` does not list it, `find_call` does not find it, and its
/// row goes with its end unless a task belongs to it.
///
/// **Body.** What a schedule runs, and when, is JSON of the platform. The ledger does not read it.
pub trait Schedules: Send + Sync {
    /// Writes a schedule with its call, turn and audit row, if the stored one has the version before: none for version
    /// 1. Returns whether it did; if not, nothing was written. Another owner's schedule is not written.
    ///
    /// Only a node may write a call or a step of a job with it.
    ///
    /// # Errors
    /// `TooDeep`. Of a node and of work: `Fenced`. Of work: `NotFound`, also for another owner's work; `NotHolder`;
    /// `AlreadyReplied`, `AlreadyEnded`. `IdExists` of the call or a turn; `TooManySchedules`; `QuotaExceeded`; `FileMissing`. Of the
    /// end of a job's work: `NotFound`; `NotHolder`, or `NotOrphaned` for `Reclaim`; `AlreadyReplied`.
    fn write_schedule(
        &self,
        source: ScheduleSource,
        write: ScheduleWrite,
    ) -> impl Future<Output = LedgerResult<bool>> + Send;

    /// Removes a schedule of the owner, with an audit row unless it is a job's. Returns whether there was one; if not,
    /// there is no audit row either.
    ///
    /// # Errors
    /// Of work, as [`Schedules::write_schedule`].
    fn remove_schedule(
        &self,
        owner: &Owner,
        source: ScheduleSource,
        schedule_id: ScheduleId,
        audit: Option<NewAudit>,
    ) -> impl Future<Output = LedgerResult<bool>> + Send;

    /// A schedule, for any owner: the caller must check the owner.
    fn find_schedule(
        &self,
        schedule_id: ScheduleId,
    ) -> impl Future<Output = LedgerResult<Option<StoredSchedule>>> + Send;

    /// The owner's schedules, newest first, without those of jobs.
    fn schedules_of(&self, owner: &Owner) -> impl Future<Output = LedgerResult<Vec<StoredSchedule>>> + Send;

    /// The owner's schedules of jobs, by their id.
    fn jobs_of(&self, owner: &Owner) -> impl Future<Output = LedgerResult<Vec<StoredSchedule>>> + Send;

    /// Owners that a job runs for and that have no schedule of it yet, each once, in no order.
    fn owners_of_app(&self, wanted: AppOwners) -> impl Future<Output = LedgerResult<Vec<Owner>>> + Send;

    /// The jobs that have schedules, by their name.
    fn job_owners(&self) -> impl Future<Output = LedgerResult<Vec<JobOwners>>> + Send;

    /// Schedules of a kind whose time to wake has come, by the ledger's clock: the earliest first, at most one of an
    /// owner.
    fn due_schedules(
        &self,
        kind: ScheduleKind,
        limit: u32,
    ) -> impl Future<Output = LedgerResult<Vec<DueSchedule>>> + Send;

    /// How long until the next schedule wakes; zero if one is due, `None` if none wakes.
    fn next_wake_in(&self) -> impl Future<Output = LedgerResult<Option<Duration>>> + Send;

    /// The time by the ledger's clock.
    fn time(&self) -> impl Future<Output = LedgerResult<Timestamp>> + Send;

    /// Stores that users were seen now. It need not be durable when it returns.
    fn note_seen(&self, seen: Vec<NewSeen>) -> impl Future<Output = LedgerResult<()>> + Send;

    /// Removes users who were not seen for a time, by the ledger's clock: at most `limit` rows, and returns how many. It
    /// need not be durable when it returns.
    fn forget_seen(&self, not_for: Duration, limit: u32) -> impl Future<Output = LedgerResult<u64>> + Send;

    /// The owner as last seen: in any request for an empty extension, or in a call of the extension.
    fn seen_user(&self, owner: &Owner, app_id: &str) -> impl Future<Output = LedgerResult<Option<SeenUser>>> + Send;
}
