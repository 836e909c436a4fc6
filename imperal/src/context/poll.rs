//! `ctx.poll`: waits for a job that runs elsewhere.
//!
//! Owns the intervals between checks, the deadline, the failures of checks that are tolerated, the job's progress
//! as a part of the task's, and the cancel of a job that is no longer waited for.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use super::progress::ProgressRange;
use super::{Context, OnCancel, Percent};
use crate::codes;
use crate::error::{Error, ErrorKind, PollFailure};
use crate::result::Result;

const FIRST_INTERVAL: Duration = Duration::from_secs(2);
const MAX_GROWN_INTERVAL: Duration = Duration::from_secs(15);
/// Shorter than the liveness window, so that waiting is never taken for silence.
const MAX_INTERVAL: Duration = Duration::from_secs(120);
const GROWTH: f64 = 1.5;
const MAX_FAILED_CHECKS: u32 = 3;
/// How long the cancel of a job may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// The state of a job elsewhere, as a check of [`Context::poll`] found it.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobStatus<T> {
    /// Not done, and it says no more.
    Pending,
    /// Not done, and it says how far it is: make it with [`at`](Self::at).
    Working {
        /// 0 to 100 of the job; a value outside counts as the nearest.
        percent: f64,
        /// The stage, for the user.
        message: String,
    },
    /// Done.
    Done(T),
    /// Over without a result, and why: what the await then returns. A retryable error is no reason
    /// to look again, and there is nothing left to cancel.
    Failed(Error),
}

impl<T> JobStatus<T> {
    /// Not done, but so far.
    pub fn at(percent: impl Percent, message: impl Into<String>) -> Self {
        Self::Working { percent: percent.into_percent(), message: message.into() }
    }
}

type Check<'a, T> = Box<dyn FnMut() -> Pin<Box<dyn Future<Output = Result<JobStatus<T>>> + Send + 'a>> + Send + 'a>;

impl Context {
    /// Waits for a job that was started elsewhere: calls `check` from time to time until it returns
    /// [`JobStatus::Done`], and returns the value of that.
    ///
    /// The first check is made at once, the next after 2 s, then in growing intervals of at most
    /// 15 s; see [`every`](Polling::every). A check may fail with a retryable error (a timeout, a
    /// 5xx, 429) up to three times in a row; every other error ends the wait, and the await returns it. A job that failed is [`JobStatus::Failed`], with the error that the await
    /// returns. [`Error::poll_failure`] tells the two apart: after a failed job there is nothing left to
    /// cancel, after a failed check the job may still run, so the cancel of
    /// [`on_cancel`](Polling::on_cancel) runs.
    ///
    /// Each check is a sign of life; the wait between two checks is none and never longer than 120 s. A cancel ends
    /// the wait at once. Cancel safe: dropping it stops the checks, and the cancel of
    /// [`on_cancel`](Polling::on_cancel) stays registered for the end of the task.
    ///
    /// # Errors
    /// The error of `check` or of [`JobStatus::Failed`]; `BACKEND_TIMEOUT`, retryable, after
    /// [`within`](Polling::within); [`Error::cancelled`] once the user has cancelled; `INTERNAL` for an interval of zero or over
    /// 120 s or a range of progress outside 0 to 100.
    ///
    /// ```
    /// # use imperal::{prelude::*, context::JobStatus};
    /// # #[derive(Deserialize)] struct Job { state: String, percent: f64, video: Option<String> }
    /// # async fn work(ctx: Context, job_url: String) -> Result<ActionResult> {
    /// let cancel_url = job_url.clone();
    /// let video = ctx
    ///     .poll(async || {
    ///         let job: Job = ctx.http().get(&job_url).send().await?.error_for_status()?.json()?;
    ///         Ok(match (job.state.as_str(), job.video) {
    ///             ("done", Some(video)) => JobStatus::Done(video),
    ///             ("failed", _) => JobStatus::Failed(Error::user("RENDER_FAILED", "The video could not be made.")),
    ///             _ => JobStatus::at(job.percent, "Rendering"),
    ///         })
    ///     })
    ///     .every(Duration::from_secs(3))
    ///     .within(Duration::from_secs(600))
    ///     .progress(10..=90)
    ///     .on_cancel(move |ctx| async move {
    ///         ctx.http().delete(cancel_url).timeout(5).send().await?;
    ///         Ok(())
    ///     })
    ///     .await?;
    /// # Ok(ActionResult::done(video)) }
    /// ```
    pub fn poll<'a, T, F, Fut>(&'a self, mut check: F) -> Polling<'a, T>
    where
        T: Send + 'a,
        F: FnMut() -> Fut + Send + 'a,
        Fut: Future<Output = Result<JobStatus<T>>> + Send + 'a,
    {
        Polling {
            ctx: self,
            check: Box::new(move || Box::pin(check())),
            every: FIRST_INTERVAL,
            growing_to: Some(MAX_GROWN_INTERVAL),
            within: None,
            tolerated: MAX_FAILED_CHECKS,
            share: Ok(ProgressRange::WHOLE),
            armed: None,
        }
    }
}

/// A wait to be begun: await it. Made by [`Context::poll`].
#[must_use = "nothing is checked unless this is awaited: add `.await?`"]
pub struct Polling<'a, T> {
    ctx: &'a Context,
    check: Check<'a, T>,
    every: Duration,
    growing_to: Option<Duration>,
    within: Option<Duration>,
    tolerated: u32,
    share: Result<ProgressRange>,
    armed: Option<OnCancel>,
}

impl<T> Polling<'_, T> {
    /// The time between two checks, the same throughout unless
    /// [`growing_to`](Self::growing_to) follows. Up to 120 s.
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = interval;
        self.growing_to = None;
        self
    }

    /// Lets each interval be half as long again as the one before, up to this.
    pub fn growing_to(mut self, longest: Duration) -> Self {
        self.growing_to = Some(longest);
        self
    }

    /// How long to wait in all, with a last check at the end; until the task's cap when not given.
    pub fn within(mut self, time: Duration) -> Self {
        self.within = Some(time);
        self
    }

    /// The range of the task's percents that the job's 0 to 100 fill; the job's own percents when not given. The
    /// progress never falls.
    pub fn progress(mut self, range: RangeInclusive<u8>) -> Self {
        self.share = ProgressRange::new(range);
        self
    }

    /// How many checks in a row may fail with a retryable error; 3 when not given.
    pub fn tolerating(mut self, failures: u32) -> Self {
        self.tolerated = failures;
        self
    }

    /// How to cancel the job. It runs when the task is stopped from outside (see [`Context::on_cancel`]), and when
    /// the wait ends before the job does, by its deadline or by a failed check.
    pub fn on_cancel<F, Fut>(mut self, cancel: F) -> Self
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.forget_job();
        self.armed = Some(self.ctx.on_cancel(cancel));
        self
    }

    fn forget_job(&mut self) {
        if let Some(armed) = self.armed.take() {
            armed.disarm();
        }
    }

    async fn cancel_job(&mut self) {
        if let Some(armed) = self.armed.take() {
            armed.run_now(CANCEL_TIMEOUT).await;
        }
    }

    async fn run(mut self) -> Result<T> {
        let share = std::mem::replace(&mut self.share, Ok(ProgressRange::WHOLE));
        let (share, mut interval) = match share.and_then(|share| Ok((share, self.checked_interval()?))) {
            Ok(sound) => sound,
            Err(unsound) => {
                self.cancel_job().await;
                return Err(unsound);
            }
        };
        let deadline = self.within.and_then(|within| Instant::now().checked_add(within));
        let (mut failures, mut furthest) = (0, 0.0_f64);
        loop {
            self.ctx.check_active()?;
            match (self.check)().await {
                Ok(JobStatus::Done(done)) => {
                    self.forget_job();
                    return Ok(done);
                }
                Ok(JobStatus::Failed(error)) => {
                    self.forget_job();
                    return Err(error.with_poll_failure(PollFailure::Job));
                }
                Ok(JobStatus::Working { percent, message }) => {
                    failures = 0;
                    furthest = furthest.max(share.at(percent / 100.0));
                    self.ctx.progress(furthest, message).await?;
                }
                Ok(JobStatus::Pending) => failures = 0,
                Err(error) if error.kind() == ErrorKind::Retryable => {
                    failures += 1;
                    if failures > self.tolerated {
                        self.cancel_job().await;
                        return Err(error.with_poll_failure(PollFailure::Check));
                    }
                    self.ctx.log().info(format_args!("check {failures} of a job failed, going on: {error}"));
                }
                // The work was cancelled: the supervisor runs the cleanups when the work is gone.
                Err(error) if error.is_cancelled() => return Err(error),
                // The check failed, not the job: it may still run.
                Err(error) => {
                    self.cancel_job().await;
                    return Err(error.with_poll_failure(PollFailure::Check));
                }
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                self.cancel_job().await;
                return Err(self.late());
            }
            let next = deadline.map_or(now + interval, |deadline| deadline.min(now + interval));
            tokio::time::sleep_until(next).await;
            if let Some(longest) = self.growing_to {
                interval = interval.mul_f64(GROWTH).min(longest).max(self.every);
            }
        }
    }

    fn checked_interval(&self) -> Result<Duration> {
        let longest = self.growing_to.unwrap_or(self.every).max(self.every);
        if self.every.is_zero() || longest > MAX_INTERVAL {
            return Err(Error::internal(format!(
                "the time between two checks is more than 0 and at most {} s, not {longest:?}",
                MAX_INTERVAL.as_secs()
            )));
        }
        Ok(self.every)
    }

    fn late(&self) -> Error {
        let seconds = self.within.unwrap_or_default().as_secs();
        Error::retryable(codes::BACKEND_TIMEOUT, format!("The service's job was not done within {seconds} s."))
            .with_poll_failure(PollFailure::Deadline)
    }
}

impl<'a, T: Send + 'a> IntoFuture for Polling<'a, T> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let ctx = self.ctx;
            ctx.until_stopped(self.run()).await
        })
    }
}

impl<T> fmt::Debug for Polling<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polling")
            .field("every", &self.every)
            .field("growing_to", &self.growing_to)
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}
