//! `ctx.step`: a named piece of a durable task whose result is stored.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde::de::DeserializeOwned;

use tracing::Instrument;

use super::begin::Begin;
use super::in_flight::Running;
use super::name::{StepName, checked};
use super::step_log::StepLog;
use super::stored::Known;
use super::{DurableRun, StepScope, StepValue, TaskContext};
use crate::codes;
use crate::context::hazard::{PathText, absolute_paths};
use crate::context::{Context, DocumentChange};
use crate::error::Error;
use crate::result::{Result, storable_text};
use crate::rows::{FileChange, NewStep, StepKind};

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
                    match &done {
                        Ok(_) => drop(running),
                        Err(error) => running.fail(error, None),
                    }
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

    /// Begins a step, an effect or a wait under a name of the author.
    pub(super) async fn begin_named(&self, name: String, kind: StepKind) -> Result<Begin> {
        self.check_begin(kind).await?;
        self.ctx.origin().secrets.refuse("The name of a step", [name.as_str()])?;
        self.run.begin_settled(&checked(name)?, kind).await
    }

    /// The same under a name that no author can give.
    pub(super) async fn begin_reserved(&self, name: &str, kind: StepKind) -> Result<Begin> {
        self.check_begin(kind).await?;
        self.run.begin_settled(name, kind).await
    }

    async fn check_begin(&self, kind: StepKind) -> Result<()> {
        // Ten thousand stored steps return without a wait: the thread is yielded from time to time. Meanwhile the
        // body is at work: an open question must not park it.
        if !tokio::task::coop::has_budget_remaining() {
            let _in_flight = self.run.enter();
            tokio::task::coop::consume_budget().await;
        }
        self.ctx.check_active()?;
        self.ctx.check_outside_of_steps(match kind {
            StepKind::Step | StepKind::Message => "A step",
            StepKind::Sleep => "A sleep",
            StepKind::Question => "A question",
            StepKind::Intent | StepKind::Effect | StepKind::NotDone => "An effect",
        })
    }

    /// The value of a stored step. One that does not fit makes the attempt leave.
    pub(super) async fn read_stored<T: DeserializeOwned>(&self, name: &str, known: Known) -> Result<T> {
        match read_json(self.stored_json(name, known).await?.as_deref()) {
            Ok(value) => Ok(value),
            Err(why) => self.leave_for_misfit(name, &why).await,
        }
    }

    /// The value of a stored step as JSON; `None` if it is no longer kept.
    pub(super) async fn stored_json(&self, name: &str, known: Known) -> Result<Option<Arc<str>>> {
        if known.value.is_some() {
            return Ok(known.value);
        }
        let _in_flight = self.run.enter();
        let host = self.ctx.services().host.clone();
        let value: Option<Arc<str>> = host.step_value(self.ctx.origin(), known.ordinal).await?.map(Arc::from);
        Ok(value.inspect(|value| self.run.note_read(known.ordinal, name, value)))
    }

    /// Leaves the task to another version of the program. The body does not go on.
    pub(super) async fn leave_for_misfit<T>(&self, name: &str, why: &str) -> Result<T> {
        self.run.note_misfit(format!("the stored value of the step `{name}` does not fit: {why}"));
        std::future::pending().await
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
        running.keep_log(log);
        let scope = StepScope::new(self.run.attempt, self.run.root_task, running.name().to_owned(), log.clone())
            .with_documents();
        let scope = Arc::new(scope);
        let ctx = self.ctx.in_step(scope.clone());
        let closes = ClosesStep(&ctx);
        let done = scope.clone().run(|| work(ctx.clone())).await;
        let secrets = &self.ctx.origin().secrets;
        let done = match done {
            Ok(done) => done,
            Err(error) => {
                self.discard_files(&scope).await;
                return Err(Failure::Work(error.screened(|text| secrets.replace(text))));
            }
        };
        drop(closes);
        let value = to_json(running.name(), &done).map_err(Failure::Value)?;
        let read = imperal_manifest::json::read(value.as_bytes()).map_err(|error| {
            let text = format!("the value of the step `{}` cannot be read back: {error}", running.name());
            Failure::Value(Error::internal(text))
        })?;
        self.store(running, value, began, log.to_json(), (scope.documents().changes(), scope.files().changes()))
            .await?;
        Ok(read)
    }

    /// Stores a value, also if the caller is dropped or cancelled meanwhile: the work is done.
    async fn store(
        &self,
        running: &Running,
        value: String,
        began: Instant,
        log: Option<String>,
        (documents, files): (Vec<DocumentChange>, Vec<FileChange>),
    ) -> std::result::Result<(), Failure> {
        let ordinal = self.run.take_ordinal(value.len() as u64).map_err(Failure::Value)?;
        let paths = absolute_paths(&value);
        let step = NewStep {
            ordinal,
            name: running.name().to_owned(),
            kind: StepKind::Step,
            took: began.elapsed(),
            value,
            log,
        };
        if documents.is_empty() && files.is_empty() {
            self.store_row(running, step).await.map_err(Failure::Value)?;
        } else {
            self.store_with_documents(running, step, documents, files).await?;
        }
        // The body may begin no step next, or end.
        self.show_steps();
        self.check_paths(running.name(), paths).await;
        Ok(())
    }

    /// Stores a step with its documents and files, also if the caller is dropped meanwhile. A step whose documents were changed by
    /// somebody else is not stored: it has failed, and may run again.
    async fn store_with_documents(
        &self,
        running: &Running,
        step: NewStep,
        changes: Vec<DocumentChange>,
        files: Vec<FileChange>,
    ) -> std::result::Result<(), Failure> {
        let host = self.ctx.services().host.clone();
        let storing = host.store_step_with_documents(self.ctx.origin(), step, changes, files);
        let storing = async move { storing.await.map(|row| (row, ())) };
        self.write_returned_row(running, storing).await.map_err(|error| {
            let conflicts = [codes::DOCUMENT_CONFLICT, codes::DOCUMENT_NEWER, codes::NOT_FOUND];
            if conflicts.contains(error.code()) { Failure::Work(error) } else { Failure::Value(error) }
        })
    }

    /// Deletes the files that a failed closure wrote.
    async fn discard_files(&self, scope: &StepScope) {
        let written = scope.files().written();
        if !written.is_empty() {
            self.ctx.services().host.discard_files(self.ctx.origin(), written).await;
        }
    }

    /// Stores a row, also if the caller is dropped meanwhile.
    pub(super) async fn store_row(&self, running: &Running, step: NewStep) -> Result<()> {
        let storing = self.ctx.services().host.clone().store_step(self.ctx.origin(), step.clone());
        self.write_row(running, step, storing).await
    }

    /// Writes a row in a task of its own: the caller may be dropped or cancelled meanwhile.
    pub(super) async fn write_row<T: Send + 'static>(
        &self,
        running: &Running,
        row: NewStep,
        write: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.write_returned_row(running, async move { write.await.map(|written| (row, written)) }).await
    }

    /// As [`write_row`](Self::write_row), for a row that is known when it is written.
    async fn write_returned_row<T: Send + 'static>(
        &self,
        running: &Running,
        write: impl Future<Output = Result<(NewStep, T)>> + Send + 'static,
    ) -> Result<T> {
        let guard = self.run.enter();
        let storing = self.run.storing(running.name());
        let writing = async move {
            let stored = write.await.map(|(row, written)| {
                storing.stored_row(&row);
                written
            });
            drop(storing);
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

    /// Has the texts of a stored value checked that may be paths of local files.
    pub(super) async fn check_paths(&self, step: &str, paths: Vec<PathText>) {
        if !paths.is_empty() {
            self.ctx.services().host.check_paths(self.ctx.origin(), step, paths).await;
        }
    }

    /// Tells watchers which steps are done and which run.
    pub(super) fn show_steps(&self) {
        report(&self.ctx, &self.run);
    }
}

/// Reads a stored value.
pub(super) fn read_json<T: DeserializeOwned>(stored: Option<&str>) -> std::result::Result<T, String> {
    let stored = stored.ok_or("it is not kept")?;
    imperal_manifest::json::read(stored.as_bytes()).map_err(|error| error.to_string())
}

/// Tells watchers which steps are done and which run.
pub(super) fn report(ctx: &Context, run: &DurableRun) {
    ctx.services().host.report_steps(ctx.origin(), run.attempt, run.so_far());
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
pub(super) struct ClosesStep<'a>(pub(super) &'a Context);

impl Drop for ClosesStep<'_> {
    fn drop(&mut self) {
        self.0.close_step();
    }
}

/// # Errors
/// `INTERNAL` for a value that is no JSON, is not read back as it is, or is nested too deep. `STEP_TOO_LARGE` for one over
/// 1 MiB.
pub(super) fn to_json<T: Serialize>(name: &str, value: &T) -> Result<String> {
    let json = storable_text(value)
        .map_err(|why| Error::internal(format!("the value of the step `{name}` cannot be stored as JSON: {why}")))?;
    if json.len() > VALUE_LIMIT {
        let text = format!("The value of the step `{name}` has {} bytes, more than {VALUE_LIMIT}.", json.len());
        return Err(Error::platform(codes::STEP_TOO_LARGE, text));
    }
    Ok(json)
}
