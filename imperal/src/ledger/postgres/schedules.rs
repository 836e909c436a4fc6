//! Schedules: the statement of each method of the contract.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::PostgresLedger;
use super::pool::{Param, int, text, texts};
use super::rows::{audit, get, get_number, get_time, json_text, number, to_json};
use super::stored_text::stored;
use crate::ids::{FileId, ScheduleId};
use crate::ledger::contract::{LedgerResult, Schedules};
use crate::ledger::{
    AppOwners, DueSchedule, Fence, JobOwners, JobStep, LedgerError, NewAudit, NewSeen, Owner, ScheduleKind,
    ScheduleSource, ScheduleWrite, SeenUser, StoredSchedule, Work, decode,
};

const COLUMNS: &str = "s.schedule_no, s.schedule_id::text AS schedule_id, s.job, s.version, s.wake_at, s.created_at, \
    s.updated_at, s.body, w.tenant_id, w.user_id";

const FROM: &str = "FROM @.schedule s JOIN @.owner w ON w.owner_id = s.owner_id";

/// The earliest of each owner whose time has come.
macro_rules! due {
    ($is_job:literal) => {
        concat!(
            "LEFT JOIN @.seen u ON u.owner_id = s.owner_id AND u.app_id = '' WHERE s.wake_at <= @.micros() AND s.job ",
            $is_job,
            " AND NOT EXISTS (SELECT FROM @.schedule o WHERE o.owner_id = s.owner_id AND o.job ",
            $is_job,
            " AND (o.wake_at, o.schedule_no) < (s.wake_at, s.schedule_no)) ORDER BY s.wake_at, s.schedule_no LIMIT $1"
        )
    };
}

const DUE: &str = due!("IS NULL");
const DUE_JOBS: &str = due!("IS NOT NULL");

const OWNERS_OF_APP: &str = "SELECT w.tenant_id, w.user_id FROM ( \
        SELECT u.owner_id FROM @.seen u WHERE u.app_id = $1 AND u.seen_at >= @.micros() - $2 \
        UNION \
        SELECT f.owner_id FROM @.shelf f JOIN @.collection c ON c.shelf_no = f.shelf_no AND c.name = $3 \
        WHERE f.app_id = $1 AND EXISTS (SELECT FROM @.document d WHERE d.collection_no = c.collection_no) \
    ) o JOIN @.owner w ON w.owner_id = o.owner_id \
    WHERE NOT EXISTS (SELECT FROM @.schedule s WHERE s.job = $4 AND s.owner_id = o.owner_id) LIMIT $5";

/// A source as the functions in the database take it: node, incarnation, call, task, attempt.
struct SourceTexts {
    node: Option<String>,
    incarnation: Option<i64>,
    call_id: Option<String>,
    task_id: Option<String>,
    attempt: Option<i64>,
    tenant: String,
    user: String,
}

impl SourceTexts {
    fn new(source: &ScheduleSource, owner: &Owner) -> Self {
        let (mut call_id, mut task_id, mut attempt) = (None, None, None);
        let incarnation = match source {
            ScheduleSource::Person => None,
            ScheduleSource::Node(incarnation) => Some(incarnation),
            ScheduleSource::Work(Fence { incarnation, work }) => {
                match work {
                    Work::Call(id) => call_id = Some(id.to_string()),
                    Work::Task(of) => {
                        (task_id, attempt) = (Some(of.task_id.to_string()), Some(i64::from(of.number)));
                    }
                }
                Some(incarnation)
            }
        };
        Self {
            node: incarnation.map(|incarnation| stored(&incarnation.node).into_owned()),
            incarnation: incarnation.map(|incarnation| incarnation.number),
            call_id,
            task_id,
            attempt,
            tenant: stored(&owner.tenant_id).into_owned(),
            user: stored(&owner.user_id).into_owned(),
        }
    }

    fn params(&self) -> [Param<'_>; 7] {
        [
            (&self.node, Type::TEXT),
            (&self.incarnation, Type::INT8),
            (&self.call_id, Type::TEXT),
            (&self.task_id, Type::TEXT),
            (&self.attempt, Type::INT8),
            text(&self.tenant),
            text(&self.user),
        ]
    }
}

fn ids(files: &[FileId]) -> Vec<String> {
    files.iter().map(ToString::to_string).collect()
}

/// A step as the function in the database takes it.
fn job_step(step: JobStep) -> (&'static str, String) {
    match step {
        JobStep::Begin(call_id) => ("begin", call_id.to_string()),
        JobStep::End(call_id) => ("end", call_id.to_string()),
        JobStep::Reclaim(call_id) => ("reclaim", call_id.to_string()),
    }
}

impl Schedules for PostgresLedger {
    async fn write_schedule(&self, source: ScheduleSource, write: ScheduleWrite) -> LedgerResult<bool> {
        let needs_node = write.call.is_some() || write.job_step.is_some();
        if needs_node && !matches!(source, ScheduleSource::Node(_)) {
            return Err(LedgerError::NotHolder);
        }
        let sql = "SELECT * FROM @.write_schedule($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8::uuid, $9, $10, $11, $12, \
                   $13, $14::uuid, $15::uuid, $16, $17, $18, $19, $20::uuid, $21, $22::uuid[])";
        let of = SourceTexts::new(&source, &write.owner);
        let (id, version, body) = (write.schedule_id.to_string(), number(write.version), json_text(&write.body)?);
        let wake_at = write.wake_at.map(Timestamp::as_microsecond);
        let most = write.most.map(i64::from);
        let row = write.audit.as_ref().map(audit);
        let turn = write.turn.as_ref().or(write.call.as_ref().map(|call| &call.turn));
        let (turn_id, turn) = (turn.map(|turn| turn.turn_id.to_string()), turn.map(to_json).transpose()?);
        let call_id = write.call.as_ref().map(|call| call.call_id.to_string());
        let max_stored = write.call.as_ref().and_then(|call| call.max_stored);
        let most_bytes = max_stored.map(number);
        let job = write.job.as_deref().map(stored);
        let (step, of_job) = write.job_step.map(job_step).unzip();
        let (app, files) = write.files.as_ref().map(|(app, files)| (stored(app), ids(files))).unzip();
        let what: [Param<'_>; 15] = [
            text(&id),
            int(&version),
            (&wake_at, Type::INT8),
            text(&body),
            (&most, Type::INT8),
            (&row, Type::TEXT_ARRAY),
            (&call_id, Type::TEXT),
            (&turn_id, Type::TEXT),
            (&turn, Type::TEXT),
            (&most_bytes, Type::INT8),
            (&job, Type::TEXT),
            (&step, Type::TEXT),
            (&of_job, Type::TEXT),
            (&app, Type::TEXT),
            (&files, Type::TEXT_ARRAY),
        ];
        let _permit = self.permits.acquire(&write.owner).await?;
        let rows = self.counted(self.store.rows(sql, &[&of.params()[..], &what[..]].concat())).await;
        let rows = rows.map_err(|fault| super::quota(fault.into(), max_stored))?;
        let Some(row) = rows.first() else { return Ok(false) };
        if get::<Option<bool>>(row, 5)? == Some(true) {
            self.notifier.task_is_ready();
        }
        if let Some(seq) = get::<Option<i64>>(row, 0)? {
            let owner = decode::owner(row, self.store.unreadable());
            self.notifier.events(get(row, 2)?, &owner, u64::try_from(seq).unwrap_or_default());
        }
        Ok(true)
    }

    async fn remove_schedule(
        &self,
        owner: &Owner,
        source: ScheduleSource,
        schedule_id: ScheduleId,
        audit_row: Option<NewAudit>,
    ) -> LedgerResult<bool> {
        let sql = "SELECT @.remove_schedule($1, $2, $3::uuid, $4::uuid, $5, $6, $7, $8::uuid, $9)";
        let (of, id) = (SourceTexts::new(&source, owner), schedule_id.to_string());
        let row = audit_row.as_ref().map(audit);
        let _permit = self.permits.acquire(owner).await?;
        let row = self.one(sql, &[&of.params()[..], &[text(&id), (&row, Type::TEXT_ARRAY)][..]].concat()).await?;
        Ok(get(&row, 0)?)
    }

    async fn find_schedule(&self, schedule_id: ScheduleId) -> LedgerResult<Option<StoredSchedule>> {
        let (sql, id) = (format!("SELECT {COLUMNS} {FROM} WHERE s.schedule_id = $1::uuid"), schedule_id.to_string());
        let rows = self.store.repeatable(&sql, &[text(&id)]).await?;
        Ok(rows.first().map(|row| decode::schedule(row, self.store.unreadable())))
    }

    async fn schedules_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSchedule>> {
        let sql = format!(
            "SELECT {COLUMNS} {FROM} WHERE s.owner_id = @.find_owner($1, $2) AND s.job IS NULL \
             ORDER BY s.created_at DESC, s.schedule_no DESC"
        );
        let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
        let rows = self.store.repeatable(&sql, &[text(&tenant), text(&user)]).await?;
        Ok(rows.iter().map(|row| decode::schedule(row, self.store.unreadable())).collect())
    }

    async fn jobs_of(&self, owner: &Owner) -> LedgerResult<Vec<StoredSchedule>> {
        let sql = format!(
            "SELECT {COLUMNS} {FROM} WHERE s.owner_id = @.find_owner($1, $2) AND s.job IS NOT NULL \
             ORDER BY s.schedule_id"
        );
        let (tenant, user) = (stored(&owner.tenant_id), stored(&owner.user_id));
        let rows = self.store.repeatable(&sql, &[text(&tenant), text(&user)]).await?;
        Ok(rows.iter().map(|row| decode::schedule(row, self.store.unreadable())).collect())
    }

    async fn owners_of_app(&self, wanted: AppOwners) -> LedgerResult<Vec<Owner>> {
        let within = i64::try_from(wanted.called_within.as_micros()).unwrap_or(i64::MAX);
        let (app, job) = (stored(&wanted.app_id), stored(&wanted.without_job));
        let collection = wanted.collection.as_deref().map(stored);
        let limit = i64::from(wanted.limit);
        let params = [text(&app), int(&within), (&collection, Type::TEXT), text(&job), int(&limit)];
        let rows = self.store.repeatable(OWNERS_OF_APP, &params).await?;
        Ok(rows.iter().map(|row| decode::owner(row, self.store.unreadable())).collect())
    }

    async fn job_owners(&self) -> LedgerResult<Vec<JobOwners>> {
        let sql = "SELECT s.job, count(*) AS owners, min(s.wake_at) AS wake_at FROM @.schedule s \
                   WHERE s.job IS NOT NULL GROUP BY s.job ORDER BY s.job";
        let rows = self.store.repeatable(sql, &[]).await?;
        Ok(rows.iter().map(|row| decode::job_owners(row, self.store.unreadable())).collect())
    }

    async fn due_schedules(&self, kind: ScheduleKind, limit: u32) -> LedgerResult<Vec<DueSchedule>> {
        let due = if kind == ScheduleKind::OfJobs { DUE_JOBS } else { DUE };
        let sql = format!("SELECT @.micros() AS now, {COLUMNS}, u.seen_at, u.seen_user {FROM} {due}");
        let limit = i64::from(limit);
        let rows = self.store.repeatable(&sql, &[int(&limit)]).await?;
        let due = |row| Ok(decode::due_schedule(row, get_time(row, 0)?, self.store.unreadable()));
        rows.iter().map(due).collect()
    }

    async fn next_wake_in(&self) -> LedgerResult<Option<Duration>> {
        // A damaged time does not overflow the difference.
        let sql = "SELECT greatest(o.wake_at, 0) - @.micros() FROM \
                   (SELECT min(s.wake_at) AS wake_at FROM @.schedule s WHERE s.wake_at IS NOT NULL) AS o \
                   WHERE o.wake_at IS NOT NULL";
        let rows = self.store.repeatable(sql, &[]).await?;
        let left: Option<i64> = rows.first().map(|row| get(row, 0)).transpose()?.flatten();
        Ok(left.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or_default())))
    }

    async fn time(&self) -> LedgerResult<Timestamp> {
        let rows = self.store.repeatable("SELECT @.micros()", &[]).await?;
        Ok(get_time(&super::writes::one(rows)?, 0)?)
    }

    async fn note_seen(&self, seen: Vec<NewSeen>) -> LedgerResult<()> {
        let sql = "SELECT @.note_seen($1, $2, $3, $4)";
        let column =
            |part: fn(&NewSeen) -> &str| seen.iter().map(|seen| stored(part(seen))).collect::<Vec<Cow<'_, str>>>();
        let (tenants, users) = (column(|seen| &seen.owner.tenant_id), column(|seen| &seen.owner.user_id));
        let apps = column(|seen| &seen.app_id);
        let json = seen.iter().map(|seen| json_text(&seen.user)).collect::<Result<Vec<_>, _>>()?;
        // Running twice stores it once.
        let params = [texts(&tenants), texts(&users), texts(&apps), texts(&json)];
        self.counted(self.store.repeatable(sql, &params)).await?;
        Ok(())
    }

    async fn forget_seen(&self, not_for: Duration, limit: u32) -> LedgerResult<u64> {
        let sql = "WITH gone AS ( \
                DELETE FROM @.seen u USING ( \
                    SELECT o.owner_id, o.app_id FROM @.seen o WHERE o.seen_at < @.micros() - $1 \
                    ORDER BY o.seen_at LIMIT $2 FOR UPDATE SKIP LOCKED \
                ) old WHERE u.owner_id = old.owner_id AND u.app_id = old.app_id RETURNING 1 \
            ) SELECT count(*) FROM gone";
        let not_for = i64::try_from(not_for.as_micros()).unwrap_or(i64::MAX);
        let limit = i64::from(limit);
        let rows = self.counted(self.store.repeatable(sql, &[int(&not_for), int(&limit)])).await?;
        Ok(get_number(&super::writes::one(rows)?, 0)?)
    }

    async fn seen_user(&self, owner: &Owner, app_id: &str) -> LedgerResult<Option<SeenUser>> {
        let sql = "SELECT u.seen_at, u.seen_user FROM @.seen u \
                   WHERE u.owner_id = @.find_owner($1, $2) AND u.app_id = $3";
        let (tenant, user, app) = (stored(&owner.tenant_id), stored(&owner.user_id), stored(app_id));
        let rows = self.store.repeatable(sql, &[text(&tenant), text(&user), text(&app)]).await?;
        Ok(rows.first().map(|row| decode::seen_user(row, self.store.unreadable())))
    }
}
