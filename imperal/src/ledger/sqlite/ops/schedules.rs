//! Schedules: compared by version, written with their call, turn and audit row.

use rusqlite::params;

use super::{TurnJson, Tx};
use crate::ids::ScheduleId;
use crate::ledger::sqlite::fault::Fault;
use crate::ledger::sqlite::rows::{execute, get_number, number, one};
use crate::ledger::{JobStep, LedgerError, NewAudit, NewSeen, Owner, ScheduleSource, ScheduleWrite};

/// The stored values that a write compares.
struct Found {
    number: i64,
    owner_id: i64,
    version: i64,
}

impl Tx<'_> {
    /// The turn is the call's, or that of the write.
    pub(in crate::ledger::sqlite) fn write_schedule(
        &mut self,
        source: &ScheduleSource,
        write: &ScheduleWrite,
        turn: Option<&TurnJson>,
    ) -> Result<bool, Fault> {
        self.may_write_schedule(source, &write.owner)?;
        let owner_id = self.find_or_add_owner(&write.owner)?;
        let found = self.schedule(write.schedule_id)?;
        let version = number(write.version);
        if version != found.as_ref().map_or(0, |found| found.version) + 1
            || found.as_ref().is_some_and(|found| found.owner_id != owner_id)
        {
            return Ok(false);
        }
        let (wake_at, now) = (write.wake_at.map(jiff::Timestamp::as_microsecond), self.now.as_microsecond());
        if let Some(found) = found {
            let sql =
                "UPDATE schedule SET version = ?2, wake_at = ?3, updated_at = ?4, body = ?5 WHERE schedule_no = ?1";
            execute(self.conn, sql, params![found.number, version, wake_at, now, write.body])?;
        } else {
            self.check_schedules(owner_id, write.most)?;
            let sql =
                "INSERT INTO schedule (schedule_id, owner_id, job, version, wake_at, created_at, updated_at, body)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)";
            let id = write.schedule_id.to_string();
            execute(self.conn, sql, params![id, owner_id, write.job, version, wake_at, now, write.body])?;
        }
        if let Some((app_id, files)) = &write.files {
            self.claim_files(&write.owner, app_id, files)?;
        }
        match (write.job_step, source) {
            (Some(step), ScheduleSource::Node(incarnation)) => match step {
                JobStep::Begin(call_id) => self.begin_silent_call(incarnation, owner_id, call_id)?,
                JobStep::End(call_id) => self.end_silent_call(incarnation, call_id, false)?,
                JobStep::Reclaim(call_id) => self.end_silent_call(incarnation, call_id, true)?,
            },
            (Some(_), _) => return Err(LedgerError::NotHolder.into()),
            (None, _) => {}
        }
        match (&write.call, source, turn) {
            (Some(call), ScheduleSource::Node(incarnation), Some(turn)) => {
                self.accept_call(incarnation, call.call_id, &write.owner, turn, call.max_stored)?;
            }
            (Some(_), ..) => return Err(LedgerError::NotHolder.into()),
            (None, _, Some(turn)) => {
                self.add_turn(owner_id, turn)?;
            }
            (None, _, None) => {}
        }
        if let Some(audit) = &write.audit {
            self.audit(audit)?;
        }
        Ok(true)
    }

    pub(in crate::ledger::sqlite) fn remove_schedule(
        &mut self,
        owner: &Owner,
        source: &ScheduleSource,
        schedule_id: ScheduleId,
        audit: Option<&NewAudit>,
    ) -> Result<bool, Fault> {
        self.may_write_schedule(source, owner)?;
        let owner_id = self.find_owner(owner)?;
        let Some(found) = self.schedule(schedule_id)?.filter(|found| Some(found.owner_id) == owner_id) else {
            return Ok(false);
        };
        execute(self.conn, "DELETE FROM schedule WHERE schedule_no = ?1", [found.number])?;
        if let Some(audit) = audit {
            self.audit(audit)?;
        }
        Ok(true)
    }

    fn may_write_schedule(&self, source: &ScheduleSource, owner: &Owner) -> Result<(), Fault> {
        match source {
            ScheduleSource::Person => Ok(()),
            ScheduleSource::Work(fence) => self.may_write_for(owner, fence),
            ScheduleSource::Node(incarnation) => self.fence(incarnation),
        }
    }

    fn schedule(&self, schedule_id: ScheduleId) -> Result<Option<Found>, Fault> {
        let read =
            |row: &rusqlite::Row<'_>| Ok(Found { number: row.get(0)?, owner_id: row.get(1)?, version: row.get(2)? });
        let sql = "SELECT schedule_no, owner_id, version FROM schedule WHERE schedule_id = ?1";
        let found = one(self.conn, sql, [schedule_id.to_string()], read)?;
        match (found, schedule_id.row()) {
            (None, Some(row)) => {
                let sql = "SELECT schedule_no, owner_id, version FROM schedule WHERE schedule_no = ?1";
                one(self.conn, sql, [row], read)
            }
            (found, _) => Ok(found),
        }
    }

    fn check_schedules(&self, owner_id: i64, most: Option<u32>) -> Result<(), Fault> {
        let Some(most) = most else { return Ok(()) };
        let sql = "SELECT count(*) FROM schedule WHERE owner_id = ?1 AND job IS NULL";
        let count = one(self.conn, sql, [owner_id], |row| get_number(row, 0))?.unwrap_or_default();
        if count >= u64::from(most) { Err(LedgerError::TooManySchedules(most).into()) } else { Ok(()) }
    }

    pub(in crate::ledger::sqlite) fn note_seen(&mut self, seen: &[NewSeen]) -> Result<(), Fault> {
        for NewSeen { owner, app_id, user } in seen {
            let owner_id = self.find_or_add_owner(owner)?;
            let sql = "INSERT INTO seen (owner_id, app_id, seen_at, seen_user) VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (owner_id, app_id) DO UPDATE SET seen_at = excluded.seen_at, seen_user = excluded.seen_user";
            execute(self.conn, sql, params![owner_id, app_id, self.now.as_microsecond(), user])?;
        }
        Ok(())
    }

    pub(in crate::ledger::sqlite) fn forget_seen(&mut self, since: jiff::Timestamp, limit: u32) -> Result<u64, Fault> {
        let sql = "DELETE FROM seen WHERE (owner_id, app_id) IN
            (SELECT owner_id, app_id FROM seen WHERE seen_at < ?1 ORDER BY seen_at LIMIT ?2)";
        Ok(execute(self.conn, sql, params![since.as_microsecond(), limit])? as u64)
    }
}
