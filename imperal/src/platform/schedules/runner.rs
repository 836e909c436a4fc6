//! Runs schedules when they are due.
//!
//! Each node looks at the due rows and claims as many as it has free slots, the earliest first, one of a user. The
//! claim writes the next time and the call in one transaction, so that one time has one call. A run that is cut off is
//! not run again; a durable task that it started goes on.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;
use tracing::Instrument;

use super::body::Step;
use super::checks::Runnable;
use super::{Refusal, Run, ScheduleBody, ScheduleReason, ScheduleState};
use crate::context::{Context, Origin, Services, WorkSpan};
use crate::failpoint;
use crate::ids::CallId;
use crate::ledger::{
    AuditOutcome, DueSchedule, Incarnation, LedgerError, LedgerResult, NewAudit, NewCall, Owner, Role, ScheduleKind,
    ScheduleMark, ScheduleSource, ScheduleWrite, SeenUser, StoredSchedule, TurnBody,
};
use crate::platform::Node;
use crate::platform::active::Lease;
use crate::platform::admission::CallPermit;
use crate::platform::call_run::guarded_run;
use crate::platform::dispatch::user_turn;
use crate::platform::durable_write::write_backoff;
use crate::platform::meters::Scheduled;
use crate::platform::seen::new_seen;
use crate::rows::MsgType;
use crate::secrets::SecretsInUse;
use crate::trace;
use crate::user::User;

/// Scheduled calls that run on one node at once.
pub(in crate::platform) const AT_ONCE: usize = 32;
/// How long after its user's last request a schedule still runs.
pub(super) const SEEN_WITHIN: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long after a user's last request it is forgotten: once it is too old for every use, however wrong a clock is.
const FORGET_AFTER: Duration = Duration::from_secs(2 * 90 * 24 * 3600);
/// How often, and how many at once.
const FORGET_EVERY: Duration = Duration::from_secs(3600);
const FORGOTTEN_AT_ONCE: u32 = 500;
/// For how long a node leaves a run to others whose program fits it, before it stops the schedule.
const LEFT_TO_OTHERS: SignedDuration = SignedDuration::from_secs(60);
/// How often a due schedule is looked at again that could not begin.
const AGAIN: Duration = Duration::from_secs(1);
/// How often the end of a run is written that other writers come before.
const TRIES: usize = 5;

/// A call that was written with its schedule.
struct Begun {
    stored: StoredSchedule,
    origin: Origin,
    runnable: Runnable,
    lease: Lease,
    slot: OwnedSemaphorePermit,
    permit: CallPermit,
}

impl Node {
    /// Looks for due schedules until the platform ends, and writes which users were seen.
    pub(in crate::platform) async fn schedule_loop(self: Arc<Self>, services: Arc<Services>) {
        let mut wait = Duration::ZERO;
        let mut forgotten: Option<Instant> = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.schedules_changed.notified() => {}
                () = self.ended.cancelled() => return,
            }
            wait = self.settings.look_every;
            self.write_seen().await;
            if forgotten.is_none_or(|at| at.elapsed() >= FORGET_EVERY) {
                forgotten = Some(Instant::now());
                self.forget_seen().await;
            }
            if !self.settings.takes_up_tasks || self.stopping.is_cancelled() || self.may_have_lapsed() {
                continue;
            }
            let looked = match self.run_due(&services).await {
                Ok(moved) => self.run_due_jobs(&services).await.map(|jobs_moved| moved || jobs_moved),
                Err(error) => Err(error),
            };
            match looked {
                Ok(true) => wait = Duration::ZERO,
                Ok(false) => wait = self.next_wake().await,
                Err(LedgerError::Fenced) => {}
                Err(error) => {
                    if !self.ended.is_cancelled() {
                        tracing::warn!(%error, "looking for due schedules failed");
                    }
                }
            }
        }
    }

    /// Removes users who are long gone. A failure is left to the next time.
    async fn forget_seen(&self) {
        loop {
            match self.ledger.forget_seen(FORGET_AFTER, FORGOTTEN_AT_ONCE).await {
                Ok(gone) if gone >= u64::from(FORGOTTEN_AT_ONCE) => {}
                Ok(_) => return,
                Err(error) => return tracing::debug!(%error, "users who are long gone are not removed yet"),
            }
        }
    }

    async fn next_wake(&self) -> Duration {
        let every = self.settings.look_every;
        match self.ledger.next_wake_in().await {
            // It could not begin.
            Ok(Some(Duration::ZERO)) => AGAIN,
            Ok(Some(next)) => (next + jitter()).min(every),
            Ok(None) | Err(_) => every,
        }
    }

    /// Writes the users that requests have shown since the last time.
    pub(in crate::platform) async fn write_seen(&self) {
        let seen = self.seen.take();
        if seen.is_empty() {
            return;
        }
        if let Err(error) = self.ledger.note_seen(seen.clone()).await {
            tracing::debug!(%error, "the users' last requests are not noted yet");
            self.seen.forget(&seen);
            return;
        }
        self.enlist_seen(&seen).await;
    }

    /// Writes that a user was seen, and waits for it.
    pub(in crate::platform) async fn write_seen_user(&self, user: &User) -> LedgerResult<()> {
        match new_seen(Owner::from(user), "", user) {
            Some(seen) => self.ledger.note_seen(vec![seen]).await,
            None => Ok(()),
        }
    }

    /// Looks at the due schedules once. Returns whether any of them moved on.
    async fn run_due(self: &Arc<Self>, services: &Arc<Services>) -> LedgerResult<bool> {
        let free = self.schedule_slots.available_permits();
        if free == 0 {
            return Ok(false);
        }
        let mut moved = false;
        for due in self.ledger.due_schedules(ScheduleKind::OfUsers, u32::try_from(free).unwrap_or(1)).await? {
            let id = due.schedule.schedule_id;
            match self.look_at(due, services).await {
                Ok(has_moved) => moved |= has_moved,
                Err(LedgerError::Fenced) => return Err(LedgerError::Fenced),
                // The others still run.
                Err(error) => tracing::warn!(schedule = %id, %error, "a due schedule was not run yet"),
            }
        }
        Ok(moved)
    }

    /// Does what is to do for one schedule whose time has come. Returns whether it moved on here.
    async fn look_at(self: &Arc<Self>, due: DueSchedule, services: &Arc<Services>) -> LedgerResult<bool> {
        let DueSchedule { schedule: stored, seen, now } = due;
        let lease = self.lease();
        let source = as_node(&lease);
        let Ok(mut body) = serde_json::from_str::<ScheduleBody>(&stored.body) else {
            tracing::error!(schedule = %stored.schedule_id, "a schedule cannot be read: it does not run any more");
            let asleep = ScheduleWrite::new(stored.schedule_id, stored.owner, stored.version + 1, None, stored.body);
            return self.ledger.write_schedule(source, asleep).await;
        };
        if let Some(open) = body.open_run().cloned() {
            let outcome = self.outcome_of(&stored.owner, &open).await?;
            body.note_run(&outcome, now);
        }
        if let Some(reason) = body.failing() {
            return self.stop(&stored, body, reason, source).await;
        }
        let user = user_of(seen.as_ref(), &stored.owner, now);
        let before = body.clone();
        match body.step(now) {
            Err(why) => {
                let reason = ScheduleReason { code: "schedule_invalid".to_owned(), text: why.to_string() };
                self.stop(&stored, body, reason, source).await
            }
            Ok(Step::Nothing | Step::MovedOn) => {
                let skipped = body.counts.skipped > before.counts.skipped;
                let is_written = self.ledger.write_schedule(source, rewritten(&stored, &body)).await?;
                if is_written && skipped {
                    self.meters.scheduled(Scheduled::Skipped);
                }
                Ok(is_written)
            }
            Ok(Step::Begin { due_at, late_by }) => {
                let Some(user) = user else {
                    let text = "You have not been here for 90 days, so it was stopped. Resume it to go on.";
                    let reason = ScheduleReason { code: "not_seen".to_owned(), text: text.to_owned() };
                    return self.stop(&stored, body, reason, source).await;
                };
                let wanted = &body.wanted;
                let files = self.files_named(&stored.owner, &body.app_id, &body.function, &wanted.params).await?;
                let runnable = self.find_runnable(&body.app_id, &body.function, &wanted.params, &files);
                let runnable = runnable.and_then(|runnable| {
                    let approved = runnable.check_approval(body.approved.as_deref());
                    approved.map(|()| runnable).map_err(|error| (Refusal::ApprovalNeeded, error))
                });
                match runnable {
                    Ok(runnable) => {
                        self.begin_run(stored, body, user, runnable, (due_at, late_by, now), (lease, services)).await
                    }
                    Err((refusal, _))
                        if refusal != Refusal::ApprovalNeeded && now.duration_since(due_at) < LEFT_TO_OTHERS =>
                    {
                        Ok(false)
                    }
                    Err((refusal, error)) => {
                        let reason = ScheduleReason::of(refusal, &error);
                        self.stop(&stored, body, reason, source).await
                    }
                }
            }
        }
    }

    /// Claims a time: writes its call together with the next time, and runs the call.
    async fn begin_run(
        self: &Arc<Self>,
        stored: StoredSchedule,
        mut body: ScheduleBody,
        user: User,
        runnable: Runnable,
        (due_at, late_by, now): (Timestamp, u64, Timestamp),
        (lease, services): (Lease, &Arc<Services>),
    ) -> LedgerResult<bool> {
        let Ok(slot) = self.schedule_slots.clone().try_acquire_owned() else { return Ok(false) };
        // Its user has as many calls at work as allowed: later.
        let Ok(permit) = self.active_calls.begin(&stored.owner) else { return Ok(false) };
        let origin = Origin {
            app_id: runnable.app_id,
            function: runnable.function,
            user,
            call_id: CallId::generate(),
            task_id: None,
            attempt: 0,
            secrets: SecretsInUse::default(),
        };
        let mark = ScheduleMark::new(stored.schedule_id, body.wanted.name.clone(), due_at, late_by);
        let turn = TurnBody { schedule: Some(Box::new(mark)), ..user_turn(&origin, runnable.checked.redacted.clone()) };
        let over_quota = body.clone();
        body.begin(due_at, late_by, origin.call_id, now);
        let mut call = NewCall::new(origin.call_id, stored.owner.clone(), turn);
        call.max_stored = self.max_stored();
        let write = rewritten(&stored, &body).call(call);
        failpoint::hit("schedule-due");
        match self.claim_run(&lease, write, origin.call_id).await {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(LedgerError::QuotaExceeded(_)) => {
                let reason = ScheduleReason {
                    code: "failing".to_owned(),
                    text: "Your chat has no room left today. Resume it tomorrow.".to_owned(),
                };
                let source = as_node(&lease);
                return self.stop(&stored, over_quota, reason, source).await;
            }
            Err(error) => return Err(error),
        }
        failpoint::hit("schedule-claimed");
        self.meters.scheduled(Scheduled::Started);
        self.run_begun(Begun { stored, origin, runnable, lease, slot, permit }, services);
        Ok(true)
    }

    /// Writes the claim. After a lost answer the call says whether it was written.
    async fn claim_run(&self, lease: &Lease, write: ScheduleWrite, call_id: CallId) -> LedgerResult<bool> {
        let owner = write.owner.clone();
        let source = as_node(lease);
        let lost = match self.ledger.write_schedule(source, write).await {
            Err(error @ LedgerError::Indeterminate(_)) => error,
            done => return done,
        };
        let mut backoff = write_backoff();
        loop {
            match self.ledger.find_call(&owner, call_id).await {
                Ok(found) => return Ok(found.is_some()),
                Err(error) => tracing::warn!(%error, "cannot read whether a scheduled call was written"),
            }
            let wait = tokio::time::sleep(backoff.next_wait());
            if self.ended.run_until_cancelled(wait).await.is_none() {
                return Err(lost);
            }
        }
    }

    fn run_begun(self: &Arc<Self>, begun: Begun, services: &Arc<Services>) {
        let Begun { stored, origin, runnable, lease, slot, permit } = begun;
        let span = tracing::info_span!("call", app = origin.app_id, function = origin.function, call = %origin.call_id, user = %origin.user.id, schedule = %stored.schedule_id);
        trace::named(&span, "call", origin.function);
        let ctx = Context::new(origin, services.clone(), WorkSpan::of(&span));
        let node = self.clone();
        let run = async move {
            // Nobody waits for the answer: the chat has it.
            let (answer, _) = oneshot::channel();
            guarded_run(&node, lease, ctx, runnable.checked.handler, permit, answer).await;
            drop(slot);
            node.note_end(&stored).await;
        };
        self.tracker.spawn(run.instrument(span));
    }

    /// Writes how a run ended, if it has. The loop does it later otherwise.
    async fn note_end(&self, ran: &StoredSchedule) {
        for _ in 0..TRIES {
            match self.try_note_end(ran).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::debug!(%error, "the end of a scheduled run is not noted yet");
                    return;
                }
            }
        }
    }

    async fn try_note_end(&self, ran: &StoredSchedule) -> LedgerResult<bool> {
        let Some(stored) = self.ledger.find_schedule(ran.schedule_id).await? else { return Ok(true) };
        let Ok(mut body) = serde_json::from_str::<ScheduleBody>(&stored.body) else { return Ok(true) };
        let Some(open) = body.open_run().cloned() else { return Ok(true) };
        let outcome = self.outcome_of(&stored.owner, &open).await?;
        if outcome.state.is_open() && outcome == open {
            return Ok(true);
        }
        let now = outcome.ended_at.unwrap_or(stored.updated_at);
        body.note_run(&outcome, now);
        let source = as_node(&self.lease());
        match body.failing() {
            Some(reason) => self.stop(&stored, body, reason, source).await,
            None => self.ledger.write_schedule(source, rewritten(&stored, &body)).await,
        }
    }

    /// Stops a schedule and tells its user, in the chat.
    async fn stop(
        &self,
        stored: &StoredSchedule,
        mut body: ScheduleBody,
        reason: ScheduleReason,
        source: ScheduleSource,
    ) -> LedgerResult<bool> {
        if body.state != ScheduleState::Active {
            return self.ledger.write_schedule(source, rewritten(stored, &body)).await;
        }
        let name = body.wanted.name.clone();
        let text = format!("The schedule \"{name}\" does not run any more. {}", reason.text);
        let detail = format!("{name}: {}", reason.code);
        let due_at = body.runs.last().map_or(stored.updated_at, |run| run.due_at);
        body.stop(reason);
        let turn = TurnBody {
            msg_type: MsgType::System,
            function: Some(body.function.clone()),
            schedule: Some(Box::new(ScheduleMark::new(stored.schedule_id, name, due_at, 0))),
            ..TurnBody::new(Role::Bot, text, body.app_id.clone())
        };
        let audit = NewAudit::new(&stored.owner, "platform", "schedule.stop", AuditOutcome::Done)
            .app_id(body.app_id.clone())
            .target(stored.schedule_id.to_string())
            .detail(detail);
        let is_written = self.ledger.write_schedule(source, rewritten(stored, &body).turn(turn).audit(audit)).await?;
        if is_written {
            self.meters.scheduled(Scheduled::Stopped);
        }
        Ok(is_written)
    }

    /// The schedule as its user sees it: how the open run is now.
    pub(in crate::platform) async fn refresh_run(&self, owner: &Owner, body: &mut ScheduleBody) -> LedgerResult<()> {
        if let Some(open) = body.open_run().cloned() {
            let outcome: Run = self.outcome_of(owner, &open).await?;
            body.note_run(&outcome, outcome.at);
        }
        Ok(())
    }
}

/// Nodes that wait for the same time look at different moments.
fn jitter() -> Duration {
    Duration::from_millis(u64::from(CallId::generate().low_byte()))
}

pub(super) fn as_node(lease: &Lease) -> ScheduleSource {
    ScheduleSource::Node(Incarnation::clone(&lease.incarnation))
}

/// The next version of a schedule.
pub(in crate::platform) fn rewritten(stored: &StoredSchedule, body: &ScheduleBody) -> ScheduleWrite {
    let json = serde_json::to_string(body).unwrap_or_default();
    ScheduleWrite::new(stored.schedule_id, stored.owner.clone(), stored.version + 1, body.wake_at(), json)
}

/// The user of the last request, if it is recent enough. The names are the owner's, whatever the row says.
pub(super) fn user_of(seen: Option<&SeenUser>, owner: &Owner, now: Timestamp) -> Option<User> {
    let seen = seen.filter(|seen| now.duration_since(seen.at) < SEEN_WITHIN)?;
    let user: User = serde_json::from_str(&seen.user).ok()?;
    Some(User { id: owner.user_id.to_string(), tenant_id: owner.tenant_id.to_string(), ..user })
}
