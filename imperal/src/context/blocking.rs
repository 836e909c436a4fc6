//! `ctx.blocking`: code that blocks its thread, with progress from it.
//!
//! Owns the handle that the code has on the runtime's blocking pool. The supervisor handles cancels, the cap and a
//! stop of the process, as for all work. A thread that ignores them cannot be ended; it is left to run.

use std::fmt;
use std::future::Future;

use tokio_util::task::AbortOnDropHandle;

use super::{Context, DurableRun, Log, Percent, User};
use crate::error::Error;
use crate::ids::TaskId;
use crate::result::Result;

impl Context {
    /// Runs code that blocks or computes on a thread of its own, and waits for its answer.
    ///
    /// For engines that know no `async`: a parser, a crawler, a database file, a loop of
    /// computation. The closure gets a [`Blocking`] through which it reports progress and hears of
    /// a cancel. It may hold no borrow of the handler's values: move or clone them in. A panic in
    /// it is the panic of the work that waits.
    ///
    /// **Limits.** A thread cannot be ended from outside. The code notices a cancel at the next
    /// [`progress`](Blocking::progress) or [`check`](Blocking::check). Code that calls neither is left alone after
    /// the grace period (10 s): the task ends `cancelled`, and the thread runs on while its handle refuses
    /// everything. The same holds at the cap, and after the liveness
    /// window (300 s) without a report or check. A process that stops does not wait for such
    /// threads. The pool has 512 threads, then closures wait for their turn.
    ///
    /// # Errors
    /// The closure's own error; [`Error::cancelled`] when the work was cancelled before the closure began.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # fn count_words(page: &str) -> usize { page.split_whitespace().count() }
    /// # async fn work(ctx: Context, pages: Vec<String>) -> Result<ActionResult> {
    /// let words = ctx
    ///     .blocking(move |thread| {
    ///         let mut words = 0;
    ///         for (done, page) in pages.iter().enumerate() {
    ///             thread.progress(done * 100 / pages.len(), "Counting")?;
    ///             words += count_words(page);
    ///         }
    ///         Ok(words)
    ///     })
    ///     .await?;
    /// # Ok(ActionResult::done(format!("{words} words.")))
    /// # }
    /// ```
    pub fn blocking<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        F: FnOnce(Blocking) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let ctx = self.clone();
        async move {
            ctx.check_active()?;
            let (span, thread) = (tracing::Span::current(), Blocking(ctx.clone()));
            // A thread cannot be dropped: a durable task is not handed over while it runs.
            let in_flight = ctx.durable_run().map(DurableRun::enter_thread);
            // A closure that is dropped while it waits for a pool thread never begins.
            let running = AbortOnDropHandle::new(tokio::task::spawn_blocking(move || {
                let _in_flight = in_flight;
                span.in_scope(|| work(thread))
            }));
            match running.await {
                Ok(answer) => {
                    ctx.signal().touch();
                    answer
                }
                Err(failed) => match failed.try_into_panic() {
                    Ok(payload) => std::panic::resume_unwind(payload),
                    Err(_) => Err(Error::cancelled().with_source("the process stops: the code did not begin")),
                },
            }
        }
    }
}

/// The surfaces of blocking code: progress, cancel checks, the log. Made by [`Context::blocking`]; clones may move
/// to other threads.
#[derive(Clone)]
pub struct Blocking(Context);

impl Blocking {
    /// Reports how far the work is, as [`Context::progress`] does, from this thread. A sign of life.
    ///
    /// # Errors
    /// [`Error::cancelled`] once the user has cancelled or the task has ended: hand it on with `?`.
    /// `VALIDATION_TYPE_ERROR` for a percent outside 0 to 100.
    pub fn progress(&self, percent: impl Percent, message: impl Into<String>) -> Result<()> {
        self.0.report(percent.into_percent(), message.into())
    }

    /// Checks whether to go on, without a report. A sign of life: call it at least every few minutes.
    ///
    /// # Errors
    /// [`Error::cancelled`], as [`progress`](Self::progress).
    pub fn check(&self) -> Result<()> {
        self.0.check_active()
    }

    /// The user who made the call.
    pub fn user(&self) -> &User {
        self.0.user()
    }

    /// The background task, or `None` in a handler.
    pub fn task_id(&self) -> Option<TaskId> {
        self.0.task_id()
    }

    /// The log of this call or task.
    pub fn log(&self) -> Log<'_> {
        self.0.log()
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Blocking").field(&self.0).finish()
    }
}
