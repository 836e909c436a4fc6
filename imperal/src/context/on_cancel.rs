//! `ctx.on_cancel`: cleanup in other services when work is stopped from outside.
//!
//! The surfaces refuse work that was cancelled, and dropped work can do nothing at all. Its registered cleanups
//! run then, each with a context of its own, between the end of the work and its outcome turn. This file registers
//! and runs cleanups; the supervisor decides when.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::{Context, StopReason};
use crate::panic_text::panic_text;
use crate::result::Result;

type Cleanup = Box<dyn FnOnce(Context) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send>;

/// The cleanups of one call or task, in order of their registration.
#[derive(Default)]
pub(super) struct Cleanups(Mutex<Registered>);

#[derive(Default)]
struct Registered {
    last: u64,
    armed: Vec<(u64, Cleanup)>,
    /// Whether the work is over: cleanups that come later are dropped.
    over: bool,
}

impl Cleanups {
    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arm(&self, cleanup: Cleanup) -> u64 {
        let mut registered = self.lock();
        registered.last += 1;
        let number = registered.last;
        if !registered.over {
            registered.armed.push((number, cleanup));
        }
        number
    }

    pub(super) fn take(&self, number: u64) -> Option<Cleanup> {
        let armed = &mut self.lock().armed;
        let at = armed.iter().position(|(armed, _)| *armed == number)?;
        Some(armed.remove(at).1)
    }
}

impl Context {
    /// Registers a cleanup for the case that this work is stopped from outside: cancelled by its user, ended by
    /// its cap, reclaimed for silence, or interrupted because the process stops. It does not run when the work
    /// returns or panics, nor when the process is killed or loses its lease.
    ///
    /// The work's own calls are aborted by a cancel; `cleanup` gets a context of its own, whose
    /// surfaces work. It runs once the work is gone and before the outcome turn is written. All
    /// cleanups run one after another, the latest first, within the cancel's grace period (10 s; 3 s when the
    /// process stops); then the rest is dropped. An error or a panic of a cleanup is logged and changes no
    /// outcome. [`Context::stop_reason`] of its context says why the work was stopped.
    ///
    /// In a durable task it does not run when the task is handed over to another process. What a body registers
    /// outside of steps is registered again by each attempt; what a step registers ends with the step.
    ///
    /// [`disarm`](OnCancel::disarm) it when there is nothing left to clean up. Dropping the handle does not disarm
    /// it, because cancelled work is dropped with all its values. A cleanup that is registered after the end of
    /// the work is dropped.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # async fn work(ctx: Context, job_url: String) -> Result<ActionResult> {
    /// let url = job_url.clone();
    /// let armed = ctx.on_cancel(move |ctx| async move {
    ///     ctx.http().delete(url).timeout(5).send().await?.error_for_status()?;
    ///     Ok(())
    /// });
    /// ctx.progress(10, "The service is at work").await?;
    /// // .. wait for the job ..
    /// armed.disarm();
    /// # Ok(ActionResult::done("Done.")) }
    /// ```
    pub fn on_cancel<F, Fut>(&self, cleanup: F) -> OnCancel
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let number = self.0.cleanups.arm(Box::new(move |ctx| Box::pin(cleanup(ctx))));
        if let Some(scope) = self.step_scope() {
            scope.note_cleanup(number);
        }
        OnCancel { ctx: self.clone(), number }
    }

    /// A context for a cleanup of the same work. It is active although the work is not.
    fn for_cleanup(&self, until: Instant, after: Option<StopReason>) -> Self {
        let ctx = Self::make(self.origin().clone(), self.services().clone(), self.span().clone(), after, None);
        ctx.signal().expire_at(until);
        ctx
    }
}

/// A registered cleanup. Made by [`Context::on_cancel`].
#[must_use = "keep it to call `.disarm()` once there is nothing left to clean up, or write `let _ =`"]
pub struct OnCancel {
    ctx: Context,
    number: u64,
}

impl OnCancel {
    /// Forgets it: there is nothing left to clean up.
    pub fn disarm(self) {
        drop(self.ctx.0.cleanups.take(self.number));
    }

    /// Runs the cleanup now, for at most this time: for a wait that ends without a cancel.
    pub(super) async fn run_now(self, time: Duration) {
        if let Some(cleanup) = self.ctx.0.cleanups.take(self.number) {
            run(&self.ctx, cleanup, Instant::now() + time, None).await;
        }
    }
}

impl fmt::Debug for OnCancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnCancel").field("number", &self.number).finish_non_exhaustive()
    }
}

/// Drops the work's cleanups, and all that it registers from now on. A cleanup that holds the work's context
/// would otherwise keep both for ever.
pub(crate) fn forget_cleanups(ctx: &Context) {
    let mut registered = ctx.0.cleanups.lock();
    registered.over = true;
    let armed = std::mem::take(&mut registered.armed);
    drop(registered);
    // After the lock is released: a dropped closure may disarm another cleanup.
    drop(armed);
}

/// Runs the work's cleanups, the latest first, all within the given time.
pub(crate) async fn clean_up(ctx: &Context, time: Duration, after: StopReason) {
    let until = Instant::now() + time;
    loop {
        // One at a time: a cleanup may register more.
        let next = ctx.0.cleanups.lock().armed.pop();
        let Some((_, cleanup)) = next else { return };
        run(ctx, cleanup, until, Some(after)).await;
    }
}

async fn run(ctx: &Context, cleanup: Cleanup, until: Instant, after: Option<StopReason>) {
    let its_own = ctx.for_cleanup(until, after);
    let running = {
        let its_own = its_own.clone();
        // In a tokio task of its own: its panic ends nothing else.
        AbortOnDropHandle::new(tokio::spawn(async move { cleanup(its_own).await }.in_current_span()))
    };
    match tokio::time::timeout_at(until, running).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => ctx.log().warn(format_args!("cleaning up after a cancel failed: {error}")),
        Ok(Err(failed)) => {
            let text = failed.try_into_panic().map_or_else(|error| error.to_string(), panic_text);
            ctx.log().error(format_args!("cleaning up after a cancel panicked: {text}"));
        }
        Err(_) => ctx.log().warn("cleaning up after a cancel took longer than the grace period and was dropped"),
    }
    its_own.signal().close(StopReason::Ended);
    forget_cleanups(&its_own);
}
