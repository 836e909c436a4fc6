//! Schedules: the methods of the contract, and their reads.

use std::time::Duration;

use rusqlite::params;

use super::job::Weight;
use super::rows::{all, one};
use super::{SqliteLedger, json};
use crate::ids::ScheduleId;
use crate::ledger::clock::before;
use crate::ledger::contract::{LedgerResult, Schedules};
use crate::ledger::{
    AppOwners, DueSchedule, JobOwners, NewAudit, NewSeen, Owner, ScheduleKind, ScheduleSource, ScheduleWrite, SeenUser,
    StoredSchedule, decode,
};

macro_rules! select_schedule {
    ($rest:literal) => {
        select_schedule!("", "", $rest)
    };
    ($columns:literal, $joins:literal, $rest:expr) => {
        concat!(
            "SELECT s.schedule_no, s.schedule_id, s.job, s.version, s.wake_at, s.created_at, s.updated_at, s.body, ",
            "w.tenant_id, w.user_id",
            $columns,
            " FROM schedule s CROSS JOIN owner w ON w.owner_id = s.owner_id ",
            $joins,
            $rest
        )
    };
}

pub(super) const ONE: &str = select_schedule!("WHERE s.schedule_id = ?1");

pub(super) const BY_NUMBER: &str = select_schedule!("WHERE s.schedule_no = ?1");

pub(super) const OF_OWNER: &str = select_schedule!(
    "WHERE s.owner_id = (SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2) AND s.job IS NULL
    ORDER BY s.created_at DESC, s.schedule_no DESC"
);

pub(super) const JOBS_OF_OWNER: &str = select_schedule!(
    "WHERE s.owner_id = (SELECT owner_id FROM owner WHERE tenant_id = ?1 AND user_id = ?2) AND s.job IS NOT NULL
    ORDER BY s.schedule_id"
);

pub(super) const OWNERS_OF_APP: &str = "SELECT w.tenant_id, w.user_id FROM (
        SELECT owner_id FROM seen WHERE app_id = ?1 AND seen_at >= ?2
        UNION
        SELECT f.owner_id FROM shelf f CROSS JOIN collection c ON c.shelf_no = f.shelf_no AND c.name = ?3
            WHERE f.app_id = ?1 AND EXISTS (SELECT 1 FROM document d WHERE d.collection_no = c.collection_no)
    ) o CROSS JOIN owner w ON w.owner_id = o.owner_id
    WHERE NOT EXISTS (SELECT 1 FROM schedule s WHERE s.job = ?4 AND s.owner_id = o.owner_id) LIMIT ?5";

pub(super) const JOB_OWNERS: &str = "SELECT job, count(*) AS owners, min(wake_at) AS wake_at FROM schedule
    WHERE job IS NOT NULL GROUP BY job ORDER BY job";

/// The earliest of each owner whose time has come.
macro_rules! select_due {
    ($is_job:literal) => {
        select_schedule!(
            ", u.seen_at, u.seen_user",
            "LEFT JOIN seen u ON u.owner_id = s.owner_id AND u.app_id = '' ",
            concat!(
                "WHERE s.wake_at <= ?1 AND s.job ",
                $is_job,
                " AND NOT EXISTS (SELECT 1 FROM schedule o WHERE o.owner_id = s.owner_id AND o.job ",
                $is_job,
                " AND (o.wake_at, o.schedule_no) < (s.wake_at, s.schedule_no))
                ORDER BY s.wake_at, s.schedule_no LIMIT ?2"
            )
        )
    };
}

pub(super) const DUE: &str = select_due!("IS NULL");
pub(super) const DUE_JOBS: &str = select_due!("IS NOT NULL");

pub(super) const FIRST_WAKE: &str = "SELECT min(wake_at) FROM (
    SELECT min(wake_at) AS wake_at FROM schedule WHERE wake_at IS NOT NULL AND job IS NULL
    UNION ALL SELECT min(wake_at) FROM schedule WHERE wake_at IS NOT NULL AND job IS NOT NULL)";

pub(super) const SEEN: &str = "SELECT u.seen_at, u.seen_user FROM owner w
    CROSS JOIN seen u ON u.owner_id = w.owner_id AND u.app_id = ?3 WHERE w.tenant_id = ?1 AND w.user_id = ?2";

impl Schedules for SqliteLedger {
    async fn write_schedule(&self, source: ScheduleSource, write: ScheduleWrite) -> LedgerResult<bool> {
        let turn = write.turn.as_ref().or(write.call.as_ref().map(|call| &call.turn)).map(json).transpose()?;
        let bytes = write.body.len() + turn.as_ref().map_or(0, |turn| turn.json.len());
        let work = move |tx: &mut super::ops::Tx<'_>| tx.write_schedule(&source, &write, turn.as_ref());
        self.writer.write_sized(Weight::Durable, bytes, work).await
    }

    async fn remove_schedule(
        &self,
        owner: &Owner,
        source: ScheduleSource,
        schedule_id: ScheduleId,
        audit: Option<NewAudit>,
    ) -> LedgerResult<bool> {
        let owner = owner.clone();
        let work = move |tx: &mut super::ops::Tx<'_>| tx.remove_schedule(&owner, &source, schedule_id, audit.as_ref());
        self.writer.write(Weight::Durable, work).await
    }

    async fn find_schedule(&self, schedule_id: ScheduleId) -> LedgerResult<Option<StoredSchedule>> {
        self.readers
            .read(move |reading| {
                let read = |row: &rusqlite::Row<'_>| Ok(decode::schedule(row, reading.unreadable));
                let found = one(reading.conn, ONE, [schedule_id.to_string()], read)?;
                match (found, schedule_id.row()) {
                    (None, Some(row)) => one(reading.conn, BY_NUMBER, [row], read),
                    (found, _) => Ok(found),
                }
            })
            .await
    }

    async fn schedules_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSchedule>> {
        let owner = owner.clone();
        self.readers
            .read(move |reading| {
                let params = params![&*owner.tenant_id, &*owner.user_id];
                all(reading.conn, OF_OWNER, params, |row| Ok(decode::schedule(row, reading.unreadable)))
            })
            .await
    }

    async fn jobs_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSchedule>> {
        let owner = owner.clone();
        self.readers
            .read(move |reading| {
                let params = params![&*owner.tenant_id, &*owner.user_id];
                all(reading.conn, JOBS_OF_OWNER, params, |row| Ok(decode::schedule(row, reading.unreadable)))
            })
            .await
    }

    async fn owners_of_app(&self, wanted: AppOwners) -> LedgerResult<Vec<Owner>> {
        let since = before(self.clock.now(), wanted.called_within).as_microsecond();
        self.readers
            .read(move |reading| {
                let params = params![wanted.app_id, since, wanted.collection, wanted.without_job, wanted.limit];
                all(reading.conn, OWNERS_OF_APP, params, |row| Ok(decode::owner(row, reading.unreadable)))
            })
            .await
    }

    async fn job_owners(&self) -> LedgerResult<Vec<JobOwners>> {
        self.readers
            .read(|reading| all(reading.conn, JOB_OWNERS, (), |row| Ok(decode::job_owners(row, reading.unreadable))))
            .await
    }

    async fn due_schedules(&self, kind: ScheduleKind, limit: u32) -> LedgerResult<Vec<DueSchedule>> {
        let sql = if kind == ScheduleKind::OfJobs { DUE_JOBS } else { DUE };
        let now = self.clock.now();
        self.readers
            .read(move |reading| {
                let read = |row: &rusqlite::Row<'_>| Ok(decode::due_schedule(row, now, reading.unreadable));
                all(reading.conn, sql, params![now.as_microsecond(), limit], read)
            })
            .await
    }

    async fn next_wake_in(&self) -> LedgerResult<Option<Duration>> {
        let read =
            self.readers.read(|reading| one(reading.conn, FIRST_WAKE, (), |row| Ok(row.get::<_, Option<i64>>(0)?)));
        let left = read.await?.flatten().map(|at| at.saturating_sub(self.clock.now().as_microsecond()));
        Ok(left.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or_default())))
    }

    async fn time(&self) -> LedgerResult<jiff::Timestamp> {
        Ok(self.clock.now())
    }

    async fn note_seen(&self, seen: Vec<NewSeen>) -> LedgerResult<()> {
        self.writer.write(Weight::Light, move |tx| tx.note_seen(&seen)).await
    }

    async fn forget_seen(&self, not_for: Duration, limit: u32) -> LedgerResult<u64> {
        let since = before(self.clock.now(), not_for);
        self.writer.write(Weight::Light, move |tx| tx.forget_seen(since, limit)).await
    }

    async fn seen_user(&self, owner: &Owner, app_id: &str) -> LedgerResult<Option<SeenUser>> {
        let (owner, app_id) = (owner.clone(), app_id.to_owned());
        self.readers
            .read(move |reading| {
                let params = params![&*owner.tenant_id, &*owner.user_id, app_id];
                one(reading.conn, SEEN, params, |row| Ok(decode::seen_user(row, reading.unreadable)))
            })
            .await
    }
}
