//! `ctx.retrying(..)`: steps that are run again when they fail.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::in_flight::Running;
use super::name::StepName;
use super::step::{Begun, Failure, Step};
use super::step_log::{Entry, StepLog, cut};
use super::{StepValue, TaskContext};
use crate::backoff::Backoff;
use crate::codes;
use crate::context::{Context, StopReason};
use crate::error::{Error, ErrorKind};
use crate::result::Result;

/// Longest wait that an author can set. It is shorter than the default liveness window (300 s).
const LONGEST_WAIT: Duration = Duration::from_secs(100);

/// Longest text of an error that watchers are shown, in bytes.
const SHOWN_ERROR: usize = 300;

/// How a failing step is repeated, for [`TaskContext::retrying`].
#[derive(Debug, Clone, Copy)]
#[must_use = "give it to `ctx.retrying(..)`"]
pub struct StepRetry {
    attempts: u32,
    first: Duration,
    longest: Duration,
}

impl StepRetry {
    /// At most `attempts` tries, the first one included. The waits double from 1 s to 60 s.
    pub const fn backoff(attempts: u32) -> Self {
        Self { attempts, first: Duration::from_secs(1), longest: Duration::from_secs(60) }
    }

    /// The wait after the first try, instead of 1 s; at most 100 s.
    pub fn first_wait(self, wait: Duration) -> Self {
        Self { first: wait.min(LONGEST_WAIT), ..self }
    }

    /// The longest wait, instead of 60 s; at most 100 s, so that the platform does not take a waiting task for a
    /// silent one.
    pub fn longest_wait(self, wait: Duration) -> Self {
        Self { longest: wait.min(LONGEST_WAIT), ..self }
    }
}

/// Steps that are repeated when they fail. Made by [`TaskContext::retrying`].
#[derive(Debug)]
#[must_use = "call `.step(..)` on it"]
pub struct Retrying<'c> {
    ctx: &'c TaskContext,
    retry: StepRetry,
}

impl TaskContext {
    /// Makes steps that are run again when they fail. An error for the user ([`Error::user`]) and a cancel go
    /// to the body at once, and so does the error of the last try.
    ///
    /// Tries are counted within one attempt of the task: after a crash they begin again. A wait between tries
    /// does not hold up a hand-over.
    ///
    /// ```
    /// # use imperal::{prelude::*, context::StepRetry};
    /// # async fn render(ctx: &Context, role: &str) -> Result<String> { Ok(String::new()) }
    /// # async fn example(ctx: TaskContext, role: String) -> Result<()> {
    /// let retry = StepRetry::backoff(5).longest_wait(Duration::from_secs(20));
    /// let image = ctx.retrying(retry).step("image", async |ctx| render(&ctx, &role).await).await?;
    /// # Ok(()) }
    /// ```
    pub fn retrying(&self, retry: StepRetry) -> Retrying<'_> {
        Retrying { ctx: self, retry }
    }
}

impl<'c> Retrying<'c> {
    /// As [`TaskContext::step`]. `work` runs once for each try, so it must not move what it captures.
    pub fn step<'a, N, F, Fut, T>(self, name: N, mut work: F) -> Step<'a, T>
    where
        'c: 'a,
        N: StepName,
        F: FnMut(Context) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
        T: StepValue + 'a,
    {
        let name = name.into_name();
        let Self { ctx, retry } = self;
        Step(Box::pin(async move {
            let mut backoff = Backoff::new(retry.first, retry.longest);
            let log = Arc::new(StepLog::default());
            let began_at = Timestamp::now();
            for tried in 1.. {
                let running = match ctx.begin_step(name.clone()).await? {
                    Begun::Stored(value) => return Ok(value),
                    Begun::Run(running) => running,
                };
                if tried > 1 {
                    running.show(|step| {
                        (step.attempt, step.of_attempts) = (Some(tried), Some(retry.attempts));
                    });
                    ctx.show_steps();
                }
                let error = match ctx.run_once(&running, &log, &mut work).await {
                    Ok(value) => return Ok(value),
                    Err(Failure::Work(error)) if tried < retry.attempts && !is_final(&error) => error,
                    Err(Failure::Work(error) | Failure::Value(error)) => {
                        running.fail(&error, Some(began_at));
                        ctx.show_steps();
                        return Err(error);
                    }
                };
                log.add(&Entry::Try { attempt: tried, error: cut(error.to_string()) });
                wait(ctx, &running, &error, backoff.next_wait(), (tried, retry.attempts)).await?;
            }
            Err(Error::internal("a step was tried without end".to_owned()))
        }))
    }
}

/// The tries of one thing within one attempt of the task.
pub(super) struct Tries {
    backoff: Backoff,
    count: u32,
    of: u32,
}

impl Tries {
    /// Five, with waits that double from 1 s.
    pub(super) fn of_effects() -> Self {
        Self { backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)), count: 1, of: 5 }
    }

    pub(super) fn are_left(&self) -> bool {
        self.count < self.of
    }

    /// Which try this is.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Waits before the next one, which begins then.
    pub(super) async fn wait(&mut self, ctx: &TaskContext, running: &Running, error: &Error) -> Result<()> {
        let tried = (self.count, self.of);
        self.count += 1;
        wait(ctx, running, error, self.backoff.next_wait(), tried).await
    }
}

/// Whether an error is an answer or a fault of the program, so that trying again would not change it.
pub(super) fn is_final(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::User | ErrorKind::Cancelled)
        || [codes::STEP_IN_STEP, codes::EFFECT_TWO_REQUESTS].contains(error.code())
}

/// Waits before the next try. The step stays shown; only the wait is not in flight.
async fn wait(
    ctx: &TaskContext,
    running: &Running,
    error: &Error,
    wait: Duration,
    (tried, of): (u32, u32),
) -> Result<()> {
    let mut text = error.to_string();
    text.truncate(text.floor_char_boundary(SHOWN_ERROR));
    running.show(|step| {
        (step.attempt, step.of_attempts) = (Some(tried), Some(of));
        step.error = Some(text);
        step.next_at = Timestamp::now().checked_add(jiff::SignedDuration::try_from(wait).unwrap_or_default()).ok();
    });
    ctx.show_steps();
    let _pause = running.run().pause();
    tokio::select! {
        biased;
        reason = ctx.ctx.signal().stopped() => return Err(StopReason::into_error(reason)),
        () = tokio::time::sleep(wait) => {}
    }
    // The wait was announced, so it is no silence.
    ctx.ctx.signal().touch();
    Ok(())
}
