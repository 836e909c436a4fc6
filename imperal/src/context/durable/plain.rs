//! The compile error for a step, a wait or a question of a plain context.
//!
//! `step`, `effect`, `retrying`, `fan_out_steps`, `ask` and `sleep` are methods of [`Context`] too, with a bound that never
//! holds. The compiler prints the remedy of a missing bound; for a missing method it has none.

use std::future::Future;
use std::time::Duration;

use super::name::StepName;
use super::{Answer, Ask, Effect, EffectKey, FanOutSteps, Retrying, Sleep, Step, StepRetry, StepValue, TaskContext};
use crate::context::Context;
use crate::result::Result;

/// A context with steps. No type implements it.
#[diagnostic::on_unimplemented(
    message = "a plain `Context` has no steps, effects, waits or questions",
    label = "only the `TaskContext` of a durable task has them",
    note = "a helper takes `ctx: &TaskContext`; write a step in a step as two steps, one after the other; a chat function starts a durable task with `ctx.durable_task(..)`"
)]
#[doc(hidden)]
pub trait HasSteps {
    /// The context of the durable task.
    fn task_context(&self) -> &TaskContext;
}

// `for<'never>` makes the compiler check the bounds where the methods are called, not here.
impl Context {
    /// Does not compile. See [`TaskContext::step`].
    #[doc(hidden)]
    pub fn step<'a, N, F, Fut, T>(&'a self, name: N, work: F) -> Step<'a, T>
    where
        for<'never> Self: HasSteps,
        N: StepName,
        F: FnOnce(Context) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
        T: StepValue + 'a,
    {
        self.task_context().step(name, work)
    }

    /// Does not compile. See [`TaskContext::effect`].
    #[doc(hidden)]
    pub fn effect<'a, N, F, Fut, T>(&'a self, name: N, work: F) -> Effect<'a, T>
    where
        for<'never> Self: HasSteps,
        N: StepName,
        F: FnMut(Context, EffectKey) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
        T: StepValue + 'a,
    {
        self.task_context().effect(name, work)
    }

    /// Does not compile. See [`TaskContext::retrying`].
    #[doc(hidden)]
    pub fn retrying(&self, retry: StepRetry) -> Retrying<'_>
    where
        for<'never> Self: HasSteps,
    {
        self.task_context().retrying(retry)
    }

    /// Does not compile. See [`TaskContext::fan_out_steps`].
    #[doc(hidden)]
    pub fn fan_out_steps<'a, N, I, T, F, Fut>(
        &'a self,
        name: N,
        items: impl IntoIterator<Item = I>,
        work: F,
    ) -> FanOutSteps<'a, I, T>
    where
        for<'never> Self: HasSteps,
        N: StepName + Clone + Send + 'a,
        I: Send + 'a,
        T: StepValue + 'a,
        F: Fn(Context, I) -> Fut + Send + Sync + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        self.task_context().fan_out_steps(name, items, work)
    }

    /// Does not compile. See [`TaskContext::ask`].
    #[doc(hidden)]
    pub fn ask<'a, T: Answer + 'a>(&'a self, name: impl StepName, text: impl Into<String>) -> Ask<'a, T>
    where
        for<'never> Self: HasSteps,
    {
        self.task_context().ask(name, text)
    }

    /// Does not compile. See [`TaskContext::sleep`].
    #[doc(hidden)]
    pub fn sleep(&self, name: impl StepName, time: Duration) -> Sleep<'_>
    where
        for<'never> Self: HasSteps,
    {
        self.task_context().sleep(name, time)
    }
}
