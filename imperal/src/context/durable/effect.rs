//! `ctx.effect(..)`: something that must happen once, and of which the task says honestly whether it did.
//!
//! A step that is cut off runs again. An effect is not repeated unless that is known to be right: before its closure
//! runs, an intent is stored, and an intent without an end is *unknown*. [`effect_run`](super::effect_run) has the state
//! machine.

use std::fmt;
use std::future::{Future, IntoFuture};

use super::scope::{digest, hex};
use super::step::Pending;
use super::{StepName, StepValue, TaskContext};
use crate::context::Context;
use crate::error::Error;
use crate::ids::TaskId;
use crate::result::Result;

/// The key of an effect, for the service that does it: the same on each attempt, on each node, and when the effect is
/// done again after it was known not to be done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EffectKey(String);

impl EffectKey {
    pub(super) fn of(root_task: TaskId, effect: &str) -> Self {
        let root = root_task.to_string();
        Self(hex(&digest(&[b"imperal effect 1", root.as_bytes(), effect.as_bytes()])[..16]))
    }

    /// The key as text: 32 characters, `0` to `9` and `a` to `f`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for EffectKey {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EffectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Work<'a, T> = Box<dyn FnMut(Context, EffectKey) -> Pending<'a, T> + Send + 'a>;

/// An effect before it is begun.
pub(super) struct Draft<'a, T> {
    pub(super) ctx: &'a TaskContext,
    pub(super) name: String,
    pub(super) work: Work<'a, T>,
    /// Needs the bounds of the value, so it is set where the effect is made: a type that lacks one is one error, at
    /// `effect`.
    settle: fn(Draft<'a, T>, Resolve<'a, T>) -> Pending<'a, Option<T>>,
}

/// How the task finds out whether an effect happened that was cut off.
pub(super) enum Resolve<'a, T> {
    /// The user is asked.
    Ask,
    /// It does not matter: doing it again is safe.
    Repeat,
    /// The service is asked.
    LookUp(Work<'a, Option<T>>),
}

/// An effect: await it for `Some` value, or `None` if it was cut off and a person says that it was done. Made by
/// [`TaskContext::effect`].
#[must_use = "the effect does not happen unless this is awaited: add `.await?`"]
pub struct Effect<'a, T>(Draft<'a, T>);

/// An effect whose task finds out by itself whether it happened: await it for its value. Made by
/// [`Effect::repeat_safe`] and [`Effect::look_up`].
#[must_use = "the effect does not happen unless this is awaited: add `.await?`"]
pub struct KnownEffect<'a, T>(Draft<'a, T>, Resolve<'a, T>);

impl TaskContext {
    /// Does something elsewhere that must not happen twice: a payment, a mail, a publication. Use a
    /// [`step`](TaskContext::step) for work that may run again.
    ///
    /// An *intent* is stored before `work` runs, and the value when it has returned. If the process dies in between, if
    /// the answer does not come in time, or if the await is dropped, it is **unknown** whether the effect happened.
    /// Then nothing is repeated. [`repeat_safe`](Effect::repeat_safe) or [`look_up`](Effect::look_up) tell the task how
    /// to find out. Without them the user is asked, as with [`ask`](TaskContext::ask): it was done (this returns
    /// `None`), it was not done (`work` runs again), or stop the task. If the task ends while an effect is unknown, its
    /// outcome and its audit row say so.
    ///
    /// An error of `work` leaves the effect unknown too, unless it is proved that nothing happened: the error says so
    /// ([`Error::not_done`]), or the effect's request by [`Context::http`] could not be sent, found no connection, or
    /// was answered with a 4xx status other than 408 and 409. Then the error goes to the body, which may try again.
    ///
    /// `work` gets a context of its own and the effect's key. It may send **one** request that changes something by
    /// `ctx.http()`, which carries the key as its `Idempotency-Key`; put a second one into an effect of its own. Its
    /// [`retry`](crate::context::RequestBuilder::retry) sends it again only after sends that are proved to have done
    /// nothing, unless the effect is `repeat_safe`. A cancel does not abort this request. `work` may run several times, so it must not move its captures away.
    ///
    /// The name and the value are as those of a step. Two rows are stored for each effect.
    ///
    /// # Errors
    /// That of `work`, if the effect is known not to be done. [`Error::cancelled`] when the task is cancelled or over.
    /// Those of [`step`](TaskContext::step) for bad names and values: a value that cannot be stored does not undo the
    /// effect, so each attempt gets this error. A task that stops because of an unknown effect ends with
    /// `EFFECT_UNKNOWN`.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # #[derive(Serialize, Deserialize)] struct Receipt { id: String }
    /// # async fn pay(ctx: TaskContext, order: String) -> Result<()> {
    /// let receipt: Option<Receipt> = ctx
    ///     .effect("pay", async |ctx, _key| {
    ///         let request = ctx.http().post("https://pay.example/charges").json(&order).timeout(60);
    ///         Ok(request.send().await?.error_for_status()?.json()?)
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn effect<'a, N, F, Fut, T>(&'a self, name: N, mut work: F) -> Effect<'a, T>
    where
        N: StepName,
        F: FnMut(Context, EffectKey) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
        T: StepValue + 'a,
    {
        Effect(Draft {
            ctx: self,
            name: name.into_name(),
            work: Box::new(move |ctx, key| Box::pin(work(ctx, key))),
            settle: |draft, resolve| Box::pin(draft.settle(resolve)),
        })
    }
}

impl<'a, T> Effect<'a, T> {
    /// The service recognises the key, so doing it again is safe: an unknown effect runs again under the same key, up
    /// to five times in one attempt of the task. After the last failure the error goes to the body, and the effect is
    /// still unknown.
    pub fn repeat_safe(self) -> KnownEffect<'a, T> {
        KnownEffect(self.0, Resolve::Repeat)
    }

    /// Asks the service whether an unknown effect was done: `Some` value ends it with this value, `None` says that it was
    /// not done, so it is done, up to five times in one attempt of the task, with waits between them. The last error of
    /// `work` goes to the body, and one that trying again would not change does so at once. An error of `look` is tried
    /// again up to five times; then the user is asked what to do.
    ///
    /// The service must answer `None` only if a request under this key will not be carried out later either.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # #[derive(Serialize, Deserialize)] struct Receipt { id: String }
    /// # async fn pay(ctx: TaskContext, order: String) -> Result<()> {
    /// let charges = "https://pay.example/charges";
    /// let receipt: Receipt = ctx
    ///     .effect("pay", async |ctx, _key| {
    ///         Ok(ctx.http().post(charges).json(&order).send().await?.error_for_status()?.json()?)
    ///     })
    ///     .look_up(async |ctx, key| {
    ///         let found = ctx.http().get(charges).query(&[("key", key.as_str())]).send().await?;
    ///         Ok(found.error_for_status()?.json::<Vec<Receipt>>()?.pop())
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn look_up<F, Fut>(self, mut look: F) -> KnownEffect<'a, T>
    where
        F: FnMut(Context, EffectKey) -> Fut + Send + 'a,
        Fut: Future<Output = Result<Option<T>>> + Send + 'a,
    {
        KnownEffect(self.0, Resolve::LookUp(Box::new(move |ctx, key| Box::pin(look(ctx, key)))))
    }
}

impl<'a, T: 'a> IntoFuture for Effect<'a, T> {
    type Output = Result<Option<T>>;
    type IntoFuture = Pending<'a, Option<T>>;

    fn into_future(self) -> Self::IntoFuture {
        (self.0.settle)(self.0, Resolve::Ask)
    }
}

impl<'a, T: 'a> IntoFuture for KnownEffect<'a, T> {
    type Output = Result<T>;
    type IntoFuture = Pending<'a, T>;

    fn into_future(self) -> Self::IntoFuture {
        let Self(draft, resolve) = self;
        Box::pin(async move {
            let name = draft.name.clone();
            let value = (draft.settle)(draft, resolve).await?;
            value.ok_or_else(|| Error::internal(format!("the effect `{name}` has no value")))
        })
    }
}

macro_rules! debug {
    ($($type:ident)*) => {
        $(impl<T> fmt::Debug for $type<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type)).field("name", &self.0.name).finish_non_exhaustive()
            }
        })*
    };
}

debug!(Effect KnownEffect);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_the_root_task_and_the_name() {
        let root = TaskId::generate();
        let key = EffectKey::of(root, "pay");
        assert_eq!((key.to_string().len(), key.clone()), (32, EffectKey::of(root, "pay")));
        assert_ne!(key, EffectKey::of(root, "mail"));
        assert_ne!(key, EffectKey::of(TaskId::generate(), "pay"));
    }
}
