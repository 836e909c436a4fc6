//! Durable tasks, the author's side: the context of their bodies, steps, retries.
//!
//! A body runs again from its top after a crash, on any node. Steps that are stored return their value without
//! running. [`run`] has the state of one attempt: which steps are stored, what is in flight, and whether the
//! process asked to hand the task over. It knows no storage.

mod ask;
mod begin;
mod declared_order;
mod digest;
mod effect;
mod effect_journal;
mod effect_question;
mod effect_run;
mod effect_scope;
mod fan_out_steps;
mod idle;
mod in_flight;
mod name;
mod plain;
mod retrying;
mod run;
mod said;
mod scope;
mod sleep;
mod start;
mod step;
mod step_log;
mod stored;
mod unfinished;
mod value;
mod waits;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::Context;

pub use ask::{Answer, Ask, AskOr, AskWithin};
pub(crate) use digest::StepsDigest;
pub use effect::{Effect, EffectKey, KnownEffect};
pub(in crate::context) use effect_scope::EffectRequest;
pub use fan_out_steps::FanOutSteps;
pub(crate) use in_flight::{EFFECT_GRACE, InFlight, Leaving};
pub use name::StepName;
pub(in crate::context) use name::checked as checked_name;
pub use retrying::{Retrying, StepRetry};
pub(crate) use run::DurableRun;
pub(crate) use said::{Say, are_alike};
pub(crate) use scope::{MessageKey, StepScope};
pub use sleep::Sleep;
pub(crate) use start::DurableRequest;
pub use start::{DurableTask, PreparedTask};
pub use step::Step;
pub(crate) use step_log::log_with_documents;
pub(in crate::context) use step_log::{Entry as StepLogEntry, cut as cut_log_text};
pub(crate) use stored::StoredSteps;
pub use value::StepValue;
pub(crate) use waits::PARKED_FROM;

/// The context of a durable task's body: a [`Context`] with steps.
///
/// It is not `Clone`, so that no step outlives its attempt: `ctx.clone()` gives a plain [`Context`].
pub struct TaskContext {
    ctx: Context,
    run: Arc<DurableRun>,
}

impl TaskContext {
    /// The context of an attempt. `ctx` must be of the same attempt.
    pub(crate) fn new(ctx: Context, run: Arc<DurableRun>) -> Self {
        Self { ctx, run }
    }

    /// Which run of the body this is: 1, then one more each time a process takes the task up.
    pub fn attempt(&self) -> u32 {
        self.run.attempt.number
    }
}

impl Deref for TaskContext {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.ctx
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext").field("origin", self.ctx.origin()).finish_non_exhaustive()
    }
}
