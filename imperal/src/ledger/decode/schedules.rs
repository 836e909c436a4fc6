//! From rows of schedules to those of the contract.

use super::columns::{Cell, Columns, RowDecoder};
use crate::ids::ScheduleId;
use crate::ledger::unreadable::Unreadable;
use crate::ledger::{DueSchedule, JobOwners, SeenUser, StoredSchedule};

/// A schedule. A body that cannot be read is empty; an id that cannot be read names the row.
pub(in crate::ledger) fn schedule(row: &impl Columns, unreadable: &Unreadable) -> StoredSchedule {
    let mut decoder = RowDecoder::new(row);
    let number = decoder.int("schedule_no");
    let schedule_id = decoder.maybe_id("schedule_id").unwrap_or_else(|| ScheduleId::of_row(number));
    let owner = decoder.owner();
    let schedule = StoredSchedule {
        schedule_id,
        job: decoder.maybe_text("job"),
        version: decoder.count("version"),
        wake_at: decoder.maybe_time("wake_at"),
        created_at: decoder.time("created_at"),
        updated_at: decoder.time("updated_at"),
        body: decoder.raw("body").unwrap_or_default().to_owned(),
        owner,
    };
    decoder.report(unreadable, "schedule", schedule_id, Some(&schedule.owner));
    schedule
}

/// A schedule that is due, with its user as last seen and the time.
pub(in crate::ledger) fn due_schedule(
    row: &impl Columns,
    now: jiff::Timestamp,
    unreadable: &Unreadable,
) -> DueSchedule {
    let schedule = schedule(row, unreadable);
    let seen = (!matches!(row.cell("seen_at"), Cell::Null)).then(|| seen_user(row, unreadable));
    DueSchedule { schedule, seen, now }
}

/// A job with the number of its schedules.
pub(in crate::ledger) fn job_owners(row: &impl Columns, unreadable: &Unreadable) -> JobOwners {
    let mut decoder = RowDecoder::new(row);
    let job = decoder.text("job");
    let owners = JobOwners::new(job, decoder.count("owners"), decoder.maybe_time("wake_at"));
    decoder.report(unreadable, "schedule", &owners.job, None);
    owners
}

/// A user as last seen.
pub(in crate::ledger) fn seen_user(row: &impl Columns, unreadable: &Unreadable) -> SeenUser {
    let mut decoder = RowDecoder::new(row);
    let seen = SeenUser { at: decoder.time("seen_at"), user: decoder.raw("seen_user").unwrap_or_default().to_owned() };
    decoder.report(unreadable, "seen", seen.at, None);
    seen
}
