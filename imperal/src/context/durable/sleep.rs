//! `ctx.sleep(..)`: waits that cost nothing and survive the process.

use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;

use super::begin::Begin;
use super::waits::{after, until};
use super::{StepName, TaskContext};
use crate::context::StopReason;
use crate::error::Error;
use crate::result::Result;
use crate::rows::{NewStep, StepKind};

/// Longest sleep, and longest time of a question: 366 days.
pub(super) const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A sleep of a durable task: await it. Made by [`TaskContext::sleep`].
#[must_use = "the task does not sleep unless this is awaited: add `.await?`"]
pub struct Sleep<'a>(Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>);

impl<'a> IntoFuture for Sleep<'a> {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        self.0
    }
}

impl std::fmt::Debug for Sleep<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}

impl TaskContext {
    /// Waits for this long, also over restarts and deploys: the end is fixed when the sleep is first stored, and
    /// no later attempt waits longer.
    ///
    /// A wait of 60 s or more parks the task as soon as nothing else of it is in flight: the body is dropped, and
    /// no process holds it, so it costs no memory and no running time, for days. At its time the body runs again
    /// from its top, on any node. A shorter wait stays in the process and is no running time either, as long as nothing
    /// else of the task is in flight. A tokio timer does not keep the task from being parked.
    ///
    /// The name is as that of a [`step`](TaskContext::step): unique within the task and the same on every attempt.
    /// Limits: 366 days.
    ///
    /// **Cancel.** A cancel of a parked task ends it at once.
    ///
    /// # Errors
    /// [`Error::cancelled`] when the task is cancelled or over. `INTERNAL` for a bad name, a name that is another
    /// step's, and a time over the limit.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # use std::time::Duration;
    /// # async fn remind(ctx: TaskContext) -> Result<()> {
    /// ctx.sleep("a day", Duration::from_secs(24 * 3600)).await?;
    /// ctx.deliver_chat_message("Your trial ends tomorrow.").await?;
    /// # Ok(()) }
    /// ```
    pub fn sleep<N: StepName>(&self, name: N, time: Duration) -> Sleep<'_> {
        let name = name.into_name();
        Sleep(Box::pin(async move {
            let due = after(self.run.latest_ledger_time(), time);
            self.sleep_to(name, due, time).await
        }))
    }

    /// Waits until this time by the ledger's clock. As [`TaskContext::sleep`]; a time that is over returns at once.
    /// The time of the first attempt stays, whatever later ones compute.
    ///
    /// # Errors
    /// As [`TaskContext::sleep`].
    pub fn sleep_until<N: StepName>(&self, name: N, at: Timestamp) -> Sleep<'_> {
        let name = name.into_name();
        Sleep(Box::pin(async move {
            let time = until(self.run.ledger_time(), at);
            self.sleep_to(name, at, time).await
        }))
    }

    async fn sleep_to(&self, name: String, due: Timestamp, time: Duration) -> Result<()> {
        if time > LONGEST {
            return Err(Error::internal(format!("the sleep `{name}` is longer than 366 days")));
        }
        let (ordinal, due) = match self.begin_named(name.clone(), StepKind::Sleep).await? {
            Begin::Stored(known) => (known.ordinal, self.read_stored(&name, known).await?),
            Begin::Run(running) => {
                let ordinal = self.run.take_ordinal(0)?;
                let value = serde_json::to_string(&due).unwrap_or_default();
                let step = NewStep::new(ordinal, running.name(), StepKind::Sleep, value);
                self.store_row(&running, step).await?;
                (ordinal, due)
            }
            Begin::Leave | Begin::Storing => std::future::pending().await,
        };
        let left = until(self.run.ledger_time(), due);
        if left.is_zero() {
            return Ok(());
        }
        let _waiting = self.run.wait_for(ordinal, due, false);
        self.wait_quietly(left).await?;
        // The sleep was announced, so it is no silence.
        self.ctx.signal().touch();
        Ok(())
    }

    /// Waits for a time, or until the task has to stop. It is no sign of life: a step that runs may hang.
    pub(super) async fn wait_quietly(&self, time: Duration) -> Result<()> {
        tokio::select! {
            biased;
            reason = self.ctx.signal().stopped() => Err(StopReason::into_error(reason)),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }
}
