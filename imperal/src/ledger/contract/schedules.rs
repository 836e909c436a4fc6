//! Schedules: functions that run for their users at times.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;

use super::LedgerResult;
use crate::ids::ScheduleId;
use crate::ledger::{DueSchedule, NewAudit, NewSeen, Owner, ScheduleSource, ScheduleWrite, SeenUser, StoredSchedule};

/// Schedules, and users as they were last seen. Used by the loop that runs schedules on every node, by handlers, and by
/// everything that shows or changes schedules.
///
/// **Once.** A due schedule is read by many nodes, and one of them writes it: the write names the version that the
/// schedule becomes, and carries the call that begins. So one time makes one call, and the call exists exactly if the
/// schedule has moved on. A node does not wait for a schedule that another transaction writes; for it the version is
/// another one.
///
/// **Body.** What a schedule runs, and when, is JSON of the platform. The ledger does not read it.
pub trait Schedules: Send + Sync {
    /// Writes a schedule with its call, turn and audit row, if the stored one has the version before: none for version
    /// 1. Returns whether it did; if not, nothing was written. Another owner's schedule is not written.
    ///
    /// Only a node may write a call with it.
    ///
    /// # Errors
    /// `TooDeep`. Of a node and of work: `Fenced`. Of work: `NotFound`, also for another owner's work; `NotHolder`;
    /// `AlreadyReplied`, `AlreadyEnded`. `IdExists` of the call or a turn; `TooManySchedules`; `QuotaExceeded`.
    fn write_schedule(
        &self,
        source: ScheduleSource,
        write: ScheduleWrite,
    ) -> impl Future<Output = LedgerResult<bool>> + Send;

    /// Removes a schedule of the owner. Returns whether there was one; if not, there is no audit row either.
    ///
    /// # Errors
    /// Of work, as [`Schedules::write_schedule`].
    fn remove_schedule(
        &self,
        owner: &Owner,
        source: ScheduleSource,
        schedule_id: ScheduleId,
        audit: NewAudit,
    ) -> impl Future<Output = LedgerResult<bool>> + Send;

    /// A schedule, for any owner: the caller must check the owner.
    fn find_schedule(
        &self,
        schedule_id: ScheduleId,
    ) -> impl Future<Output = LedgerResult<Option<StoredSchedule>>> + Send;

    /// The owner's schedules, newest first.
    fn schedules_of(&self, owner: &Owner) -> impl Future<Output = LedgerResult<Vec<StoredSchedule>>> + Send;

    /// Schedules whose time to wake has come, by the ledger's clock: the earliest first, at most one of an owner.
    fn due_schedules(&self, limit: u32) -> impl Future<Output = LedgerResult<Vec<DueSchedule>>> + Send;

    /// How long until the next schedule wakes; zero if one is due, `None` if none wakes.
    fn next_wake_in(&self) -> impl Future<Output = LedgerResult<Option<Duration>>> + Send;

    /// The time by the ledger's clock.
    fn time(&self) -> impl Future<Output = LedgerResult<Timestamp>> + Send;

    /// Stores that users were seen now. It need not be durable when it returns.
    fn note_seen(&self, seen: Vec<NewSeen>) -> impl Future<Output = LedgerResult<()>> + Send;

    /// The owner as last seen: in any request for an empty extension, or in a call of the extension.
    fn seen_user(&self, owner: &Owner, app_id: &str) -> impl Future<Output = LedgerResult<Option<SeenUser>>> + Send;
}
