//! `ctx.fan_out_steps`: many items, each a step of its own.
//!
//! [`FanOut`] owns the order, the bound and the progress. This gives each item the name of its step, and runs it unless
//! it is stored.

use std::collections::BTreeSet;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;

use super::name::StepName;
use super::retrying::StepRetry;
use super::{StepValue, TaskContext};
use crate::codes;
use crate::context::Context;
use crate::context::fan_out::FanOut;
use crate::error::Error;
use crate::result::Result;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Work<'a, I, T> = Arc<dyn Fn(Context, I) -> Boxed<'a, Result<T>> + Send + Sync + 'a>;
type NameOf<'a> = Box<dyn Fn(&dyn fmt::Display) -> String + Send + 'a>;
/// How a failing step is repeated, with the copy of its item.
type Retry<I> = (StepRetry, fn(&I) -> I);
/// The result of each item.
type Results<T> = Result<Vec<Result<T>>>;
type KeyOf<'a, I> = Box<dyn Fn(&I) -> String + Send + 'a>;

impl TaskContext {
    /// Runs a step for every item, at most four at once, and gives each item's result, in the items' order. One
    /// item's error or panic is that item's result and stops nothing.
    ///
    /// Each item is a step of its own: after a crash only those run that are not stored yet. An item's step is named
    /// after `name` and the item's position; [`keyed`](FanOutSteps::keyed) names it after the item instead, which an
    /// input whose order or length may change between attempts needs.
    ///
    /// Everything that [`TaskContext::step`] says holds for each item. The closure gets the step's context.
    ///
    /// # Errors
    /// [`Error::cancelled`] once the user has cancelled, and then no results. `STEPS_EXCEEDED` and `STEP_TOO_LARGE` when
    /// a step is over the limits of its task: its result cannot be stored, so no further item starts, and those that
    /// run end first. `INTERNAL` when two items have the same key, and when `progress` was given a range outside 0 to
    /// 100.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # use imperal::context::StepRetry;
    /// # async fn draw(ctx: &Context, role: &str) -> Result<String> { Ok(String::new()) }
    /// #[durable_task]
    /// async fn draw_all(ctx: TaskContext, roles: Vec<String>) -> Result<ActionResult> {
    ///     let images = ctx
    ///         .fan_out_steps("image", &roles, async |ctx, role| draw(&ctx, role).await)
    ///         .keyed(|role| role.to_string())
    ///         .at_most(3)
    ///         .retrying(StepRetry::backoff(3))
    ///         .progress(0..=90)
    ///         .await?;
    ///     let failed = images.iter().filter(|image| image.is_err()).count();
    ///     Ok(ActionResult::done(format!("{} images, {failed} failed.", images.len())))
    /// }
    /// ```
    pub fn fan_out_steps<'a, N, I, T, F, Fut>(
        &'a self,
        name: N,
        items: impl IntoIterator<Item = I>,
        work: F,
    ) -> FanOutSteps<'a, I, T>
    where
        N: StepName + Clone + Send + 'a,
        I: Send + 'a,
        T: StepValue + 'a,
        F: Fn(Context, I) -> Fut + Send + Sync + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        FanOutSteps {
            ctx: self,
            items: items.into_iter().collect(),
            work: Arc::new(move |ctx, item| Box::pin(work(ctx, item))),
            name: Box::new(move |last| name.clone().joined(last)),
            key: None,
            retry: None,
            at_most: None,
            share: None,
            run: FanOutSteps::run,
        }
    }
}

/// Steps of many items to be started: await it. Made by [`TaskContext::fan_out_steps`].
#[must_use = "no step runs unless this is awaited: add `.await?`"]
pub struct FanOutSteps<'a, I, T> {
    ctx: &'a TaskContext,
    items: Vec<I>,
    work: Work<'a, I, T>,
    name: NameOf<'a>,
    key: Option<KeyOf<'a, I>>,
    /// With the copy of an item for the next try.
    retry: Option<Retry<I>>,
    at_most: Option<usize>,
    share: Option<RangeInclusive<u8>>,
    /// What an await does. Else the await would need the bounds of the values too, and a type without them would be
    /// two errors.
    run: fn(Self) -> Boxed<'a, Results<T>>,
}

impl<'a, I, T> FanOutSteps<'a, I, T> {
    /// How many steps run at once; 4 when not given, and never less than 1.
    pub fn at_most(mut self, steps: usize) -> Self {
        self.at_most = Some(steps);
        self
    }

    /// Names each step after its item instead of its position. Different items need different keys.
    pub fn keyed(mut self, key: impl Fn(&I) -> String + Send + 'a) -> Self {
        self.key = Some(Box::new(key));
        self
    }

    /// Repeats a failing step, as [`TaskContext::retrying`] does. Each try gets a copy of the item.
    pub fn retrying(mut self, retry: StepRetry) -> Self
    where
        I: Clone,
    {
        self.retry = Some((retry, I::clone));
        self
    }

    /// Reports progress as steps end: done out of all, scaled into this range of percents.
    pub fn progress(mut self, range: RangeInclusive<u8>) -> Self {
        self.share = Some(range);
        self
    }
}

/// An item with the name of its step, and its key if it has one.
struct Part<I> {
    item: I,
    name: String,
    key: String,
}

impl<'a, I: Send + 'a, T: StepValue + 'a> FanOutSteps<'a, I, T> {
    fn run(self) -> Boxed<'a, Results<T>> {
        match self.start() {
            Ok(fan_out) => fan_out.into_future(),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn start(self) -> Result<FanOut<'a, Part<I>, T>> {
        let Self { ctx, items, work, name, key, retry, at_most, share, run: _ } = self;
        let is_keyed = key.is_some();
        let mut parts = Vec::with_capacity(items.len());
        let mut keys = BTreeSet::new();
        for (index, item) in items.into_iter().enumerate() {
            let key = key.as_ref().map_or_else(String::new, |key| key(&item));
            if is_keyed && !keys.insert(key.clone()) {
                return Err(Error::internal(format!(
                    "two items of `fan_out_steps` have the key {key:?}: give each item its own key"
                )));
            }
            let name = if is_keyed { name(&key) } else { name(&index) };
            parts.push(Part { item, name, key });
        }
        let run = move |Part { item, name, .. }: Part<I>| {
            let work = work.clone();
            match retry {
                None => ctx.step(name, move |ctx| work(ctx, item)).into_future(),
                Some((retry, copy)) => {
                    // Each try gets a copy: the closure keeps the item for the next one.
                    ctx.retrying(retry).step(name, move |ctx| work(ctx, copy(&item))).into_future()
                }
            }
        };
        let mut fan_out = ctx.fan_out(parts, run).stops_at(is_of_the_store);
        if let Some(at_most) = at_most {
            fan_out = fan_out.at_most(at_most);
        }
        if is_keyed {
            fan_out = fan_out.named(|part| part.key.clone());
        }
        if let Some(share) = share {
            fan_out = fan_out.progress(share);
        }
        Ok(fan_out)
    }
}

/// Whether a step could not be stored: the work of further items would be lost too.
fn is_of_the_store(error: &Error) -> bool {
    [codes::STEPS_EXCEEDED, codes::STEP_TOO_LARGE].contains(error.code())
}

impl<'a, I, T> IntoFuture for FanOutSteps<'a, I, T> {
    type Output = Result<Vec<Result<T>>>;
    type IntoFuture = Boxed<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        (self.run)(self)
    }
}

impl<I, T> fmt::Debug for FanOutSteps<'_, I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOutSteps")
            .field("items", &self.items.len())
            .field("at_most", &self.at_most)
            .finish_non_exhaustive()
    }
}
