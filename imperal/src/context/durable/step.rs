//! `ctx.step`: a named piece of a durable task whose result is stored.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use tracing::Instrument;

use super::in_flight::Running;
use super::name::{StepName, checked};
use super::run::Begin;
use super::step_log::StepLog;
use super::stored::Known;
use super::{DurableRun, StepScope, StepValue, TaskContext};
use crate::codes;
use crate::context::Context;
use crate::error::Error;
use crate::result::Result;
use crate::rows::{NewStep, StepKind};

/// Largest value of a step, as JSON, in bytes.
const VALUE_LIMIT: usize = 1 << 20;

/// A step's future, erased.
pub(super) type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A step of a durable task: await it. Made by [`TaskContext::step`].
#[must_use = "the step never runs unless this is awaited: add `.await?`"]
pub struct Step<'a, T>(pub(super) Pending<'a, T>);

impl<'a, T> IntoFuture for Step<'a, T> {
    type Output = Result<T>;
    type IntoFuture = Pending<'a, T>;

    fn into_future(self) -> Self::IntoFuture {
        self.0
    }
}

impl<T> fmt::Debug for Step<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").finish_non_exhaustive()
    }
}

impl TaskContext {
    /// Runs `work` unless a step of this name is stored, then stores its value. A stored step returns its value
    /// and never runs again, on any node and under any version of the program.
    ///
    /// At least once until stored, then never again: a crash between the end of `work` and the commit makes it
    /// run again. [`Context::http`] in it sends an `Idempotency-Key` that is the same on every attempt.
    ///
    /// `work` gets a context of its own, which belongs to the step and ends with it. The value is stored as
    /// JSON, and what this returns is read back from it: what every later attempt gets. Give new fields
    /// `#[serde(default)]`, and add enum variants only: a stored value that a program cannot read makes the
    /// task wait for a version that can.
    ///
    /// A failed step stores nothing, and its name is free: the error goes to the body, which may try again.
    /// [`TaskContext::retrying`] repeats a failing step by itself.
    ///
    /// Limits: a name of 1 to 512 bytes; a value of 1 MiB; 10,000 steps and 16 MiB of values a task.
    ///
    /// **Cancel.** A cancelled task begins no step. When a hand-over was asked for, a step that begins waits
    /// until the attempt ends.
    ///
    /// # Errors
    /// That of `work`. [`Error::cancelled`] when the task is cancelled or over. `INTERNAL` for a bad name, for
    /// the name of a step that runs, and for a value that is no JSON or cannot be read back; `STEP_TOO_LARGE`
    /// and `STEPS_EXCEEDED` over the limits; `STEP_IN_STEP` in the closure of another step. These end the task:
    /// they are not worth a retry.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # #[derive(Serialize, Deserialize)] struct Brief { roles: Vec<String> }
    /// # async fn load(ctx: &Context, package: &str) -> Result<Brief> { Ok(Brief { roles: vec![] }) }
    /// # async fn render(ctx: &Context, role: &str) -> Result<()> { Ok(()) }
    /// #[durable_task]
    /// async fn generate(ctx: TaskContext, package: String) -> Result<ActionResult> {
    ///     let brief: Brief = ctx.step("brief", async |ctx| load(&ctx, &package).await).await?;
    ///     for role in &brief.roles {
    ///         ctx.step(("image", role), async |ctx| render(&ctx, role).await).await?;
    ///     }
    ///     Ok(ActionResult::done("Your images are ready."))
    /// }
    /// ```
    pub fn step<'a, N, F, Fut, T>(&'a self, name: N, work: F) -> Step<'a, T>
    where
        N: StepName,
        F: FnOnce(Context) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
        T: StepValue + 'a,
    {
        let name = name.into_name();
        Step(Box::pin(async move {
            match self.begin_step(name).await? {
                Begun::Stored(value) => Ok(value),
                Begun::Run(running) => {
                    let done = self.run_once(&running, &Arc::default(), work).await.map_err(Failure::into_error);
                    drop(running);
                    self.show_steps();
                    done
                }
            }
        }))
    }

    /// Begins a step: its value if it is stored, else the right to run it.
    pub(super) async fn begin_step<T: DeserializeOwned>(&self, name: String) -> Result<Begun<T>> {
        match self.begin_named(name.clone(), StepKind::Step).await? {
            Begin::Stored(known) => self.read_stored(&name, known).await.map(Begun::Stored),
            Begin::Run(running) => {
                self.show_steps();
                Ok(Begun::Run(running))
            }
            Begin::Leave | Begin::Storing => std::future::pending().await,
        }
    }

    /// Begins a step or a wait.
    pub(super) async fn begin_named(&self, name: String, kind: StepKind) -> Result<Begin> {
        // Ten thousand stored steps return without a wait: the thread is yielded from time to time. Meanwhile the
        // body is at work: it must not be parked beside a question.
        if !tokio::task::coop::has_budget_remaining() {
            let _in_flight = self.run.enter();
            tokio::task::coop::consume_budget().await;
        }
        self.ctx.check_active()?;
        self.ctx.check_outside_of_steps(match kind {
            StepKind::Step | StepKind::Message => "A step",
            StepKind::Sleep => "A sleep",
            StepKind::Question => "A question",
        })?;
        let name = checked(name)?;
        self.run.begin_settled(&name, kind).await
    }

    /// The value of a stored step. One that does not fit makes the attempt leave.
    pub(super) async fn read_stored<T: DeserializeOwned>(&self, name: &str, known: Known) -> Result<T> {
        let value = if let Some(value) = known.value {
            Some(value)
        } else {
            let _in_flight = self.run.enter();
            let host = self.ctx.services().host.clone();
            let value: Option<Arc<str>> = host.step_value(self.ctx.origin(), known.ordinal).await?.map(Arc::from);
            value.inspect(|value| self.run.note_read(known.ordinal, name, value))
        };
        let read = match &value {
            Some(value) => imperal_manifest::json::read::<T>(value.as_bytes()).map_err(|error| error.to_string()),
            None => Err("it is not kept".to_owned()),
        };
        match read {
            Ok(value) => Ok(value),
            Err(why) => {
                self.run.note_misfit(format!("the stored value of the step `{name}` does not fit: {why}"));
                std::future::pending().await
            }
        }
    }

    /// Runs a step's closure and stores its value.
    pub(super) async fn run_once<F, Fut, T>(
        &self,
        running: &Running,
        log: &Arc<StepLog>,
        work: F,
    ) -> std::result::Result<T, Failure>
    where
        F: FnOnce(Context) -> Fut,
        Fut: Future<Output = Result<T>>,
        T: StepValue,
    {
        let began = Instant::now();
        let scope = StepScope::new(self.run.attempt, self.run.root_task, running.name().to_owned(), log.clone());
        let scope = Arc::new(scope);
        let ctx = self.ctx.in_step(scope.clone());
        let closes = ClosesStep(&ctx);
        let done = scope.run(|| work(ctx.clone())).await.map_err(Failure::Work)?;
        drop(closes);
        let value = to_json(running.name(), &done).map_err(Failure::Value)?;
        let read = imperal_manifest::json::read(value.as_bytes()).map_err(|error| {
            let text = format!("the value of the step `{}` cannot be read back: {error}", running.name());
            Failure::Value(Error::internal(text))
        })?;
        self.store(running, value, began, log.to_json()).await.map_err(Failure::Value)?;
        Ok(read)
    }

    /// Stores a value, also if the caller is dropped or cancelled meanwhile: the work is done.
    async fn store(&self, running: &Running, value: String, began: Instant, log: Option<String>) -> Result<()> {
        let ordinal = self.run.take_ordinal(value.len() as u64)?;
        let step = NewStep {
            ordinal,
            name: running.name().to_owned(),
            kind: StepKind::Step,
            took: began.elapsed(),
            value,
            log,
        };
        self.store_row(running, step).await?;
        // What the body does next may be no step, or its end.
        self.show_steps();
        Ok(())
    }

    /// Stores a row, also if the caller is dropped meanwhile.
    pub(super) async fn store_row(&self, running: &Running, step: NewStep) -> Result<()> {
        let (host, origin, row) = (self.ctx.services().host.clone(), self.ctx.origin().clone(), step.clone());
        self.write_row(running, row, async move { host.store_step(&origin, step).await }).await
    }

    /// Writes a row in a task of its own: the caller may be dropped or cancelled meanwhile.
    pub(super) async fn write_row<T: Send + 'static>(
        &self,
        running: &Running,
        row: NewStep,
        write: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let guard = self.run.enter();
        let storing = self.run.storing(running.name());
        let writing = async move {
            let stored = write.await;
            if stored.is_ok() {
                storing.stored(row.ordinal, row.kind, &row.value);
            }
            drop(guard);
            stored
        };
        let writing = tokio::spawn(writing.in_current_span());
        let stored = match writing.await {
            Ok(stored) => stored?,
            Err(error) => return Err(Error::internal(format!("a step was not stored: {error}"))),
        };
        self.ctx.signal().touch();
        Ok(stored)
    }

    /// Tells watchers which steps are done and which run.
    pub(super) fn show_steps(&self) {
        report(&self.ctx, &self.run);
    }
}

/// Tells watchers which steps are done and which run.
pub(super) fn report(ctx: &Context, run: &DurableRun) {
    ctx.services().host.report_steps(run.attempt, run.so_far());
}

/// The answer to a step that wants to begin.
pub(super) enum Begun<T> {
    Stored(T),
    Run(Running),
}

/// Why a step has no value.
pub(super) enum Failure {
    /// Its closure failed.
    Work(Error),
    /// Its closure is done, but the value cannot be stored: to run it again would repeat the work.
    Value(Error),
}

impl Failure {
    fn into_error(self) -> Error {
        match self {
            Self::Work(error) | Self::Value(error) => error,
        }
    }
}

/// Ends the step's context, also when the closure is dropped.
struct ClosesStep<'a>(&'a Context);

impl Drop for ClosesStep<'_> {
    fn drop(&mut self) {
        self.0.close_step();
    }
}

/// # Errors
/// `INTERNAL` for a value that is no JSON, `STEP_TOO_LARGE` for one over 1 MiB.
fn to_json<T: Serialize>(name: &str, value: &T) -> Result<String> {
    let json = serde_json::to_string(value).map_err(|error| {
        Error::internal(format!("the value of the step `{name}` cannot be stored as JSON: {error}"))
    })?;
    if json.len() > VALUE_LIMIT {
        let text = format!("The value of the step `{name}` has {} bytes, more than {VALUE_LIMIT}.", json.len());
        return Err(Error::platform(codes::STEP_TOO_LARGE, text));
    }
    Ok(json)
}
