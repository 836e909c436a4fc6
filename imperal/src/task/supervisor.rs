//! Runs one piece of work and decides how it ends.
//!
//! The work runs in a tokio task of its own, so that a future which blocks its thread does not delay its own
//! cap. One timer serves all deadlines, which keeps a parked task small. The cap counts running time: not the time in
//! which a durable body only waits.
//!
//! The cancel ladder: the work notices a cancel through its surfaces. If it still runs after the grace period, it
//! is dropped, or once no effect of it is in flight, but after 30 s at the latest. A result after the work noticed the cancel is discarded; a result before that is kept.
//!
//! The work's `on_cancel` cleanups run when the work is gone and before its ending is reported, with a grace
//! period of their own.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::context::{
    Context, Disturbance, EFFECT_GRACE, Leaving, StopReason, clean_up, forget_cleanups, screen_ending,
};
use crate::error::Error;
use crate::panic_text::panic_text;
use crate::result::{Result, WireResult};

/// The time limits of a piece of work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From its start to its end, all its attempts together.
    pub(crate) cap: Duration,
    /// From one sign of life to the next.
    pub(crate) liveness: Duration,
    /// From a cancel to being dropped.
    pub(crate) grace: Duration,
}

/// The outcome of a piece of work.
#[derive(Debug)]
pub(crate) enum Returned {
    /// It ran to its end.
    Answer(Result<Box<WireResult>>),
    /// The body of a durable task was dropped before its end.
    Left(Leaving),
}

/// How a piece of work ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It returned an answer, which may be a failure.
    Answered(Box<WireResult>),
    /// It returned an error.
    Failed(Error),
    /// It panicked, with this message.
    Panicked(String),
    /// It was cancelled.
    Cancelled,
    /// It ran into its cap.
    TimedOut,
    /// It was silent for the liveness window.
    Silent,
    /// The process is stopping and could not wait for it.
    Interrupted,
    /// Another attempt of a durable task continues it.
    Left(Leaving),
}

/// A piece of work that runs in a tokio task of its own. It is aborted when this is dropped.
#[derive(Debug)]
pub(crate) struct SpawnedWork(AbortOnDropHandle<Returned>);

impl SpawnedWork {
    /// Starts the work inside the span of its context.
    pub(crate) fn start(ctx: &Context, work: impl Future<Output = Returned> + Send + 'static) -> Self {
        Self(AbortOnDropHandle::new(tokio::spawn(work.instrument(ctx.span().span().clone()))))
    }
}

/// Runs `work` to its end. On return its context is closed, the work is dropped, and its cleanups have run if it
/// was stopped. `None` if its context was closed meanwhile, because the lease was lost. Without the lease no cleanup begins, and
/// one that runs is dropped: the work may run on another node.
///
/// A cancel of `kill` needs a [`wake_supervisor`](crate::context::Signal::wake_supervisor) behind it.
pub(crate) fn supervise<'a>(
    ctx: &'a Context,
    SpawnedWork(mut work): SpawnedWork,
    cap_left: Duration,
    limits: &'a Limits,
    kill: &'a CancellationToken,
    lost: &'a CancellationToken,
) -> impl Future<Output = Option<Ending>> + Send + 'a {
    let unwaited = Instant::now() + cap_left;
    ctx.signal().expire_at(unwaited);
    // A parked task keeps this block, which holds once what an async fn would hold twice.
    async move {
        let _forgets = Forgets(ctx);
        let timer = tokio::time::sleep_until(unwaited.min(Instant::now() + limits.liveness));
        tokio::pin!(timer);
        // In a box: a parked task has none.
        let mut cancelled: Option<Box<Cancelled>> = None;
        let ending = loop {
            tokio::select! {
                biased;
                joined = &mut work => {
                    break match joined {
                        _ if ctx.signal().was_noticed() => Ending::Cancelled,
                        Ok(Returned::Answer(answer)) => match screen_ending(&ctx.origin().secrets, answer) {
                            Ok(answer) => Ending::Answered(answer),
                            Err(error) => Ending::Failed(error),
                        },
                        // The body is gone, so a cancel that it did not notice can end the task now.
                        Ok(Returned::Left(_)) if cancelled.is_some() => Ending::Cancelled,
                        Ok(Returned::Left(leaving)) => Ending::Left(leaving),
                        Err(failed) => Ending::Panicked(ctx.origin().secrets.replace(&failure_text(failed)).into_owned()),
                    };
                }
                disturbance = ctx.signal().disturbed(kill, cancelled.is_some()) => match disturbance {
                    Disturbance::Killed => break match ctx.durable_run() {
                        Some(_) if cancelled.is_some() => Ending::Cancelled,
                        Some(_) => Ending::Left(Leaving::CutOff),
                        None => Ending::Interrupted,
                    },
                    Disturbance::Cancelled => {
                        let now = Instant::now();
                        let drop_at = now + limits.grace;
                        let effects_until = now + limits.grace.max(EFFECT_GRACE);
                        cancelled = Some(Box::new(Cancelled { drop_at, effects_until }));
                        timer.as_mut().reset(drop_at.min(expiry(ctx, unwaited)));
                    }
                    Disturbance::Closed => return None,
                },
                () = &mut timer => {
                    let (now, signal) = (Instant::now(), ctx.signal());
                    if let Some(Cancelled { drop_at, effects_until }) = cancelled.as_deref_mut()
                        && *drop_at <= now
                    {
                        // Cut off in the middle, an effect would be unknown.
                        let has_effects = ctx.durable_run().is_some_and(|run| run.has_effects());
                        if !has_effects || effects_until <= drop_at {
                            break Ending::Cancelled;
                        }
                        *drop_at = (now + LOOK_EVERY).min(*effects_until);
                    }
                    let expiry = expiry(ctx, unwaited);
                    if expiry <= now {
                        break if signal.was_noticed() { Ending::Cancelled } else { Ending::TimedOut };
                    }
                    let silent_at = signal.last_alive() + limits.liveness;
                    if silent_at <= now && cancelled.is_none() {
                        break Ending::Silent;
                    }
                    // While the body waits, the end by the cap stays as far away as it is now.
                    let moves = ctx.durable_run().is_some_and(|run| run.only_waits());
                    let look = if moves { expiry.max(now + SHORTEST_LOOK) } else { expiry };
                    timer.as_mut().reset(cancelled.as_ref().map_or(silent_at, |cancelled| cancelled.drop_at).min(look));
                }
            }
        };
        let reason = ending.stop_reason();
        ctx.signal().close(reason);
        work.abort();
        if let Some(run) = ctx.durable_run()
            && !work.is_finished()
            && tokio::time::timeout(ABORTED, &mut work).await.is_err()
        {
            // Its thread still runs: another attempt must not begin at the same time.
            run.note_unfinished();
        }
        drop(work);
        if let Some(time) = ending.time_to_clean_up(limits.grace) {
            Box::pin(lost.run_until_cancelled(clean_up(ctx, time, reason))).await;
        }
        Some(ending)
    }
}

/// When cancelled work is dropped.
struct Cancelled {
    drop_at: Instant,
    /// How long the closure of an effect may still run.
    effects_until: Instant,
}

/// When the cap ends the work. The time in which a durable body only waits is no running time.
fn expiry(ctx: &Context, unwaited: Instant) -> Instant {
    unwaited + ctx.durable_run().map_or(Duration::ZERO, |run| run.waited())
}

/// Drops the cleanups that did not run: also when the lease was lost, or the supervision is dropped with the work.
struct Forgets<'a>(&'a Context);

impl Drop for Forgets<'_> {
    fn drop(&mut self) {
        forget_cleanups(self.0);
    }
}

/// How often the cap of a body that waits is looked at, when little of it is left.
const SHORTEST_LOOK: Duration = Duration::from_millis(20);

/// How often a cancelled task is looked at while the closure of an effect runs.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Longest wait for an aborted body of a durable task to be gone.
const ABORTED: Duration = Duration::from_secs(1);

/// Longest time for cleanups when the process stops.
const CLEANUP_TIMEOUT_AT_STOP: Duration = Duration::from_secs(3);

impl Ending {
    /// The stop reason that the work's context reports.
    fn stop_reason(&self) -> StopReason {
        match self {
            Self::Answered(_) | Self::Failed(_) | Self::Panicked(_) => StopReason::Ended,
            Self::Cancelled => StopReason::Cancelled,
            Self::TimedOut => StopReason::TimedOut,
            Self::Silent => StopReason::Silent,
            Self::Interrupted => StopReason::Interrupted,
            Self::Left(_) => StopReason::HandedOver,
        }
    }

    /// How long cleanups may take; `None` when the work ended by itself.
    fn time_to_clean_up(&self, grace: Duration) -> Option<Duration> {
        match self {
            Self::Answered(_) | Self::Failed(_) | Self::Panicked(_) | Self::Left(_) => None,
            Self::Cancelled | Self::TimedOut | Self::Silent => Some(grace),
            Self::Interrupted => Some(grace.min(CLEANUP_TIMEOUT_AT_STOP)),
        }
    }
}

fn failure_text(failed: tokio::task::JoinError) -> String {
    failed.try_into_panic().map_or_else(|aborted| aborted.to_string(), panic_text)
}
