//! Jobs of extensions: functions under `#[schedule]`, which run by themselves for each user.
//!
//! Each user has a schedule of the job, which no list of theirs shows. The id comes from user and job, so that every node
//! writes the same one once. A run begins and ends with a write of that schedule. It has no turns: only what the job
//! delivers reaches the chat.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::body::Step;
use super::runner::{SEEN_WITHIN, as_node, rewritten, user_of};
use super::{Run, RunState, ScheduleBody, Wanted};
use crate::context::Services;
use crate::function::JobDef;
use crate::ids::{CallId, ScheduleId};
use crate::ledger::{
    AppOwners, DueSchedule, JobStep, LedgerError, LedgerResult, NewSeen, Owner, ScheduleKind, ScheduleWrite, SeenUser,
    StoredSchedule,
};
use crate::platform::Node;
use crate::platform::meters::Scheduled;
use crate::schedule::{InvalidSchedule, When};
use crate::user::User;

/// Jobs that run on one node at once. They are apart from the schedules of users, which do not wait behind them.
pub(in crate::platform) const JOBS_AT_ONCE: usize = 16;
/// How often all users of an extension are looked through for those without a schedule of a job.
const ENLIST_EVERY: Duration = Duration::from_secs(3600);
/// Users that are read at once.
const PAGE: u32 = 500;
/// How long a job of another program, or of an earlier version of this one, is left to other nodes.
const LEFT_TO_OTHERS: SignedDuration = SignedDuration::from_secs(60);
/// How long a job of an extension that this program does not have sleeps.
const OTHER_PROGRAM: SignedDuration = SignedDuration::from_secs(300);
/// A user counts as one of the extension's for this long after their last call.
const CALLED_WITHIN: Duration = Duration::from_secs(90 * 24 * 3600);

/// A job of an extension of this program.
#[derive(Clone, Copy)]
pub(super) struct Job {
    pub(super) app_id: &'static str,
    pub(super) def: &'static JobDef,
}

impl Job {
    /// Names the job, and its times: with other times it is another one, which has schedules of its own.
    fn key(&self) -> String {
        let Self { app_id, def } = self;
        let mut hash = Sha256::new();
        hash.update(def.cron);
        hash.update(def.spread.to_be_bytes());
        let times = hash.finalize().iter().take(4).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        format!("{app_id}/{}@{times}", def.name)
    }

    /// The same on every node.
    fn id_for(&self, owner: &Owner) -> (ScheduleId, u64) {
        let mut hash = Sha256::new();
        for part in ["imperal job 1", &owner.tenant_id, &owner.user_id, &self.key()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        let place = hash.iter().skip(16).take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte));
        (ScheduleId::derived(&hash), place % u64::from(self.def.spread.max(1)))
    }

    fn body(&self, offset_s: u64, now: Timestamp) -> Result<ScheduleBody, InvalidSchedule> {
        let wanted = Wanted {
            name: self.def.name.to_owned(),
            params: Value::Null,
            when: When::cron(self.def.cron),
            zone: "UTC".to_owned(),
            starts_at: None,
            ends_at: None,
            max_runs: None,
        };
        let by = format!("extension:{}", self.app_id);
        Ok(ScheduleBody::new(self.app_id, self.def.name, wanted, by, now)?.spread_by(offset_s))
    }
}

impl Node {
    fn jobs(&self) -> impl Iterator<Item = Job> {
        self.registry.extensions().flat_map(|extension| {
            let app_id = extension.app_id();
            extension.jobs().iter().map(move |def| Job { app_id, def })
        })
    }

    /// The jobs of this program with their times.
    pub(in crate::platform) fn job_crons(&self) -> Vec<(String, &'static str)> {
        self.jobs().map(|job| (job.key(), job.def.cron)).collect()
    }

    /// Looks for users without a schedule of a job: at the start, which may bring new jobs, and for documents that were
    /// imported. A user who calls the extension has one at once.
    pub(in crate::platform) async fn enlist_loop(self: Arc<Self>) {
        loop {
            for job in self.jobs() {
                if let Err(error) = self.enlist_all(job).await {
                    tracing::warn!(app = job.app_id, job = job.def.name, %error, "not all users have this job yet");
                }
            }
            if self.ended.run_until_cancelled(tokio::time::sleep(ENLIST_EVERY)).await.is_none() {
                return;
            }
        }
    }

    async fn enlist_all(&self, job: Job) -> LedgerResult<()> {
        loop {
            let mut wanted = AppOwners::new(job.app_id, CALLED_WITHIN, &job.key(), PAGE);
            if !job.def.collection.is_empty() {
                wanted = wanted.or_documents_in(job.def.collection);
            }
            let owners = self.ledger.owners_of_app(wanted).await?;
            let mut added = 0;
            for owner in &owners {
                if self.stopping.is_cancelled() {
                    return Ok(());
                }
                added += u32::from(self.enlist(owner, job).await?);
            }
            if owners.len() < PAGE as usize || added == 0 {
                return Ok(());
            }
            self.schedules_changed.notify_one();
        }
    }

    /// Gives the users who called an extension its jobs.
    pub(in crate::platform) async fn enlist_seen(&self, seen: &[NewSeen]) {
        for NewSeen { owner, app_id, .. } in seen {
            for job in self.jobs().filter(|job| job.app_id == app_id) {
                if let Err(error) = self.enlist(owner, job).await {
                    tracing::debug!(app = job.app_id, job = job.def.name, %error, "a user does not have this job yet");
                }
            }
        }
    }

    /// Returns whether the user had no schedule of the job before.
    async fn enlist(&self, owner: &Owner, job: Job) -> LedgerResult<bool> {
        let (schedule_id, offset) = job.id_for(owner);
        if self.ledger.find_schedule(schedule_id).await?.is_some() {
            return Ok(false);
        }
        match job.body(offset, self.ledger.time().await?) {
            Ok(body) => {
                let json = serde_json::to_string(&body).unwrap_or_default();
                let new = ScheduleWrite::new(schedule_id, owner.clone(), 1, body.wake_at(), json).job(&job.key());
                self.ledger.write_schedule(as_node(&self.lease()), new).await
            }
            Err(error) => {
                tracing::error!(app = job.app_id, job = job.def.name, %error, "the job has no times: it does not run");
                Ok(false)
            }
        }
    }

    /// Looks at the due jobs once. Returns whether any of them moved on.
    pub(super) async fn run_due_jobs(self: &Arc<Self>, services: &Arc<Services>) -> LedgerResult<bool> {
        let free = self.job_slots.available_permits();
        if free == 0 {
            return Ok(false);
        }
        let mut moved = false;
        for due in self.ledger.due_schedules(ScheduleKind::OfJobs, u32::try_from(free).unwrap_or(1)).await? {
            let id = due.schedule.schedule_id;
            match self.look_at_job(due, services).await {
                Ok(has_moved) => moved |= has_moved,
                Err(LedgerError::Fenced) => return Err(LedgerError::Fenced),
                // The others still run.
                Err(error) => tracing::warn!(schedule = %id, %error, "a due job was not run yet"),
            }
        }
        Ok(moved)
    }

    async fn look_at_job(self: &Arc<Self>, due: DueSchedule, services: &Arc<Services>) -> LedgerResult<bool> {
        let DueSchedule { schedule: stored, seen, now } = due;
        let lease = self.lease();
        let Ok(mut body) = serde_json::from_str::<ScheduleBody>(&stored.body) else {
            tracing::error!(schedule = %stored.schedule_id, "a job's schedule cannot be read: it is made again");
            return self.ledger.remove_schedule(&stored.owner, as_node(&lease), stored.schedule_id, None).await;
        };
        let mut step = None;
        if let Some((call_id, open)) = body.open_run().and_then(|run| Some((run.call_id?, run.clone()))) {
            if !self.is_at_work(call_id) {
                let interrupted = Run {
                    state: RunState::Interrupted,
                    ended_at: Some(now),
                    text: Some("Its process stopped.".to_owned()),
                    ..open.clone()
                };
                let mut ended = body.clone();
                ended.note_run(&interrupted, now);
                let write = rewritten(&stored, &ended);
                match self.ledger.write_schedule(as_node(&lease), write.job_step(JobStep::Reclaim(call_id))).await {
                    // Another node is at work on it.
                    Err(LedgerError::NotOrphaned) => {}
                    // Its row is lost: there is nothing to reclaim.
                    Err(LedgerError::NotFound | LedgerError::AlreadyReplied) => {
                        return self.ledger.write_schedule(as_node(&lease), rewritten(&stored, &ended)).await;
                    }
                    written => return written,
                }
            }
            step = Some(open);
        }
        if let Some(open) = &step {
            body.note_run(open, now);
        }
        let Some(job) = self.jobs().find(|job| stored.job.as_deref() == Some(&job.key())) else {
            return self.leave_job(&stored, &body, now).await;
        };
        let before = body.clone();
        match body.step(now) {
            Err(error) => {
                tracing::error!(schedule = %stored.schedule_id, %error, "a job has no times: it is made again");
                self.ledger.remove_schedule(&stored.owner, as_node(&lease), stored.schedule_id, None).await
            }
            Ok(Step::Nothing | Step::MovedOn) => {
                let skipped = body.counts.skipped > before.counts.skipped;
                let is_written = self.ledger.write_schedule(as_node(&lease), rewritten(&stored, &body)).await?;
                if is_written && skipped {
                    self.meters.scheduled(Scheduled::Skipped);
                }
                Ok(is_written)
            }
            Ok(Step::Begin { due_at, late_by }) => {
                let Some(user) = self.user_of_job(job, &stored.owner, seen.as_ref(), now).await? else {
                    // Neither documents nor a call for 90 days. Their next call brings it back.
                    return self.ledger.remove_schedule(&stored.owner, as_node(&lease), stored.schedule_id, None).await;
                };
                self.begin_job(stored, body, job, user, (due_at, late_by, now), (lease, services)).await
            }
        }
    }

    /// A job that this program does not have. One of its own extensions has other jobs now: the schedule goes. Another
    /// program's stays, and sleeps for a while.
    async fn leave_job(&self, stored: &StoredSchedule, body: &ScheduleBody, now: Timestamp) -> LedgerResult<bool> {
        let source = as_node(&self.lease());
        if self.registry.extension(&body.app_id).is_none() {
            let mut asleep = rewritten(stored, body);
            asleep.wake_at = now.checked_add(OTHER_PROGRAM).ok();
            return self.ledger.write_schedule(source, asleep).await;
        }
        let since = stored.wake_at.unwrap_or(now);
        if body.open_run().is_some() || now.duration_since(since) < LEFT_TO_OTHERS {
            return Ok(false);
        }
        self.ledger.remove_schedule(&stored.owner, source, stored.schedule_id, None).await
    }

    /// The user that a job runs as, if it is still one of the job's users: with the scopes of their last request, or
    /// with none if that was long ago.
    async fn user_of_job(
        &self,
        job: Job,
        owner: &Owner,
        seen: Option<&SeenUser>,
        now: Timestamp,
    ) -> LedgerResult<Option<User>> {
        let called = self.ledger.seen_user(owner, job.app_id).await?;
        let mut is_user = called.is_some_and(|called| now.duration_since(called.at) < SEEN_WITHIN);
        if !is_user && !job.def.collection.is_empty() {
            let collections = self.ledger.collections(owner, Some(job.app_id)).await?;
            is_user = collections.iter().any(|of| of.collection == job.def.collection && of.documents > 0);
        }
        let user = || user_of(seen, owner, now).unwrap_or_else(|| User::new(&*owner.user_id, &*owner.tenant_id));
        Ok(is_user.then(user))
    }

    fn is_at_work(&self, call_id: CallId) -> bool {
        self.active.has_call(call_id)
    }
}
