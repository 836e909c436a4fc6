//! One run of a job: claimed and ended with writes of its schedule, supervised as a call is.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::jobs::Job;
use super::outcome::short;
use super::runner::{as_node, rewritten};
use super::{Run, RunState, ScheduleBody};
use crate::codes;
use crate::context::{Context, Origin, Services, StopReason, WorkSpan};
use crate::ids::{CallId, ScheduleId};
use crate::ledger::{JobStep, LedgerError, LedgerResult, ScheduleWrite, StoredSchedule};
use crate::panic_text::{log_excerpt, panic_text};
use crate::platform::Node;
use crate::platform::active::{ActiveWork, Lease};
use crate::platform::durable_write::write_backoff;
use crate::platform::messages::{self, WorkRef};
use crate::platform::meters::{CallOutcome, Scheduled};
use crate::result::WireResult;
use crate::secrets::SecretsInUse;
use crate::task::{Label, Limits, Returned, SpawnedWork, supervise};
use crate::trace;
use crate::user::User;

/// The longest run.
const JOB_CAP: Duration = Duration::from_secs(600);

/// A run that was written with its schedule.
struct Begun {
    job: Job,
    schedule_id: ScheduleId,
    origin: Origin,
    lease: Lease,
    slot: OwnedSemaphorePermit,
}

impl Node {
    /// Claims a time of a job, and runs it.
    pub(super) async fn begin_job(
        self: &Arc<Self>,
        stored: StoredSchedule,
        mut body: ScheduleBody,
        job: Job,
        user: User,
        (due_at, late_by, now): (Timestamp, u64, Timestamp),
        (lease, services): (Lease, &Arc<Services>),
    ) -> LedgerResult<bool> {
        let Ok(slot) = self.job_slots.clone().try_acquire_owned() else { return Ok(false) };
        let call_id = CallId::generate();
        body.begin(due_at, late_by, call_id, now);
        let write = rewritten(&stored, &body).job_step(JobStep::Begin(call_id));
        if !self.claim_job(&lease, write, call_id).await? {
            return Ok(false);
        }
        self.meters.scheduled(Scheduled::Started);
        let origin = Origin {
            app_id: job.app_id,
            function: job.def.name,
            user,
            call_id,
            task_id: None,
            attempt: 0,
            secrets: SecretsInUse::default(),
        };
        let span = tracing::info_span!("job", app = job.app_id, job = job.def.name, call = %call_id, user = %origin.user.id, schedule = %stored.schedule_id);
        trace::named(&span, "job", job.def.name);
        let ctx = Context::new(origin.clone(), services.clone(), WorkSpan::of(&span));
        let begun = Begun { job, schedule_id: stored.schedule_id, origin, lease, slot };
        let node = self.clone();
        let run = async move {
            let running = AssertUnwindSafe(node.run_job(&begun, &ctx));
            if let Err(payload) = running.catch_unwind().await {
                tracing::error!(panic = log_excerpt(&panic_text(payload)), "the platform panicked while it ran a job");
                ctx.signal().close(StopReason::Interrupted);
                let result = messages::interrupted(begun.job.def.name);
                node.end_job(&begun, &result).await;
                // Tasks of the job wait for its end.
                if let Some(work) = node.active.find(&begun.origin) {
                    work.tasks.note_reply();
                }
                node.active.remove(&begun.origin);
            }
            drop(begun.slot);
        };
        self.tracker.spawn(run.instrument(span));
        Ok(true)
    }

    /// Writes the beginning. After a lost answer the schedule says whether it was written.
    async fn claim_job(&self, lease: &Lease, write: ScheduleWrite, call_id: CallId) -> LedgerResult<bool> {
        let schedule_id = write.schedule_id;
        let lost = match self.ledger.write_schedule(as_node(lease), write).await {
            Err(error @ LedgerError::Indeterminate(_)) => error,
            done => return done,
        };
        let mut backoff = write_backoff();
        loop {
            match self.ledger.find_schedule(schedule_id).await {
                Ok(found) => return Ok(found.is_some_and(|stored| has_run(&stored, call_id))),
                Err(error) => tracing::warn!(%error, "cannot read whether a job was begun"),
            }
            let wait = tokio::time::sleep(backoff.next_wait());
            if self.ended.run_until_cancelled(wait).await.is_none() {
                return Err(lost);
            }
        }
    }

    async fn run_job(self: &Arc<Self>, begun: &Begun, ctx: &Context) {
        let Begun { job: Job { app_id, def }, origin, lease, .. } = begun;
        let started = Instant::now();
        let work = ActiveWork { lease: lease.clone(), ctx: ctx.clone(), acceptance: None, tasks: Arc::default() };
        self.active.insert(work.clone());
        let limits = Limits { cap: JOB_CAP, liveness: JOB_CAP * 2, grace: self.settings.cancel_grace };
        let handler = {
            let (ctx, run) = (ctx.clone(), def.run);
            Box::pin(async move { Returned::Answer(run(ctx).await.map(Box::new)) })
        };
        let handler = self.watchdog.watch(Label::Call(origin.call_id, def.name), handler);
        // Without the lease the handler does not begin.
        let supervised = pin!(async {
            let handler = SpawnedWork::start(ctx, handler);
            supervise(ctx, handler, limits.cap, &limits, &self.killing, &lease.lost).await
        });
        let Some(ending) = lease.lost.run_until_cancelled(supervised).await.flatten() else {
            trace::ended(ctx.span(), "lost", true);
            return self.active.remove(origin);
        };
        let outcome = CallOutcome::from(&ending);
        self.meters.call(app_id, def.name, outcome, started.elapsed());
        let result = messages::call_answer(WorkRef::from(origin), ending, &limits);
        self.end_job(begun, &result).await;
        trace::ended(ctx.span(), outcome.as_str(), !matches!(outcome, CallOutcome::Success));
        work.tasks.note_reply();
        self.active.remove(origin);
    }

    /// Writes how a run ended, until it is written or another incarnation does it.
    async fn end_job(&self, begun: &Begun, result: &WireResult) {
        let mut backoff = write_backoff();
        loop {
            match self.try_end_job(begun, result).await {
                Ok(true) | Err(LedgerError::AlreadyReplied) => return,
                Ok(false) => {}
                Err(error @ (LedgerError::Fenced | LedgerError::NotFound | LedgerError::NotHolder)) => {
                    return tracing::warn!(%error, "the end of a job is not written: another incarnation writes it");
                }
                Err(error) => tracing::warn!(%error, "the end of a job is not written yet"),
            }
            let wait = tokio::time::sleep(backoff.next_wait());
            if self.ended.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    }

    async fn try_end_job(&self, begun: &Begun, result: &WireResult) -> LedgerResult<bool> {
        let call_id = begun.origin.call_id;
        let Some(stored) = self.ledger.find_schedule(begun.schedule_id).await? else { return Ok(true) };
        let Ok(mut body) = serde_json::from_str::<ScheduleBody>(&stored.body) else { return Ok(true) };
        let Some(open) = body.open_run().filter(|run| run.call_id == Some(call_id)).cloned() else { return Ok(true) };
        let now = self.ledger.time().await?;
        let state = match &result.error_code {
            _ if result.is_success() => RunState::Succeeded,
            Some(code) if *code == codes::INTERRUPTED => RunState::Interrupted,
            Some(code) if *code == codes::CANCELLED => RunState::Cancelled,
            _ => RunState::Failed,
        };
        let text = Some(short(result.text())).filter(|text| !text.is_empty());
        body.note_run(&Run { state, ended_at: Some(now), text, ..open }, now);
        let write = rewritten(&stored, &body).job_step(JobStep::End(call_id));
        let is_written = self.ledger.write_schedule(as_node(&begun.lease), write).await?;
        if is_written && state != RunState::Succeeded {
            let code = result.error_code.as_ref().map_or("", codes::ErrorCode::as_str);
            let in_a_row = body.counts.failures_in_a_row;
            tracing::warn!(app = begun.job.app_id, job = begun.job.def.name, code, in_a_row, "a job did not succeed");
        }
        Ok(is_written)
    }
}

fn has_run(stored: &StoredSchedule, call_id: CallId) -> bool {
    let body = serde_json::from_str::<ScheduleBody>(&stored.body);
    body.is_ok_and(|body| body.open_run().is_some_and(|run| run.call_id == Some(call_id)))
}
