//! `ctx.fan_out`: many items, a few at a time, each with a result of its own.
//!
//! Owns the order, the bound, the progress of the whole, and that one bad item stops nothing. The
//! parts run inside the future that is awaited: nothing outlives it, and borrows are fine.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, future};

use super::Context;
use super::progress::ProgressRange;
use crate::error::Error;
use crate::panic_text::panic_text;
use crate::result::Result;

/// How many parts run at once unless [`FanOut::at_most`] says otherwise.
const DEFAULT_CONCURRENCY: usize = 4;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type PartFn<'a, I, T> = Box<dyn FnMut(I) -> Boxed<'a, Result<T>> + Send + 'a>;
type NameOf<'a, I> = Box<dyn Fn(&I) -> String + Send + 'a>;
type TextOf<'a, T> = Box<dyn FnMut(&Part<'_, T>) -> String + Send + 'a>;

impl Context {
    /// Runs `work` for every item, at most four at once, and gives each item's result, in the
    /// items' order. One item's error or panic is that item's result and stops nothing.
    ///
    /// The parts run inside the awaited future, not on threads of their own, so they may borrow:
    /// `async |item| ..` is the shortest closure. Fan-outs nest; each has a bound of its own. Parts
    /// that report progress themselves overwrite one another: let
    /// [`progress`](FanOut::progress) report for the whole.
    ///
    /// Cancel safe: dropping it drops every part. A cancel by the user starts no further part and
    /// drops those under way at once; in a durable task it first lets effects under way come to their end.
    ///
    /// # Errors
    /// [`Error::cancelled`] once the user has cancelled, and then no results. `INTERNAL` when
    /// `progress` was given a range outside 0 to 100.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # async fn check(ctx: &Context, domain: &str) -> Result<u32> { Ok(0) }
    /// # async fn work(ctx: Context, domains: Vec<String>) -> Result<ActionResult> {
    /// let results = ctx
    ///     .fan_out(&domains, async |domain| check(&ctx, domain).await)
    ///     .at_most(3)
    ///     .named(|domain| domain.to_string())
    ///     .progress(0..=90)
    ///     .await?;
    /// let failed = results.iter().filter(|result| result.is_err()).count();
    /// # Ok(ActionResult::done(format!("{} domains, {failed} failed.", results.len())))
    /// # }
    /// ```
    pub fn fan_out<'a, I, T, F, Fut>(&'a self, items: impl IntoIterator<Item = I>, mut work: F) -> FanOut<'a, I, T>
    where
        I: Send + 'a,
        T: Send + 'a,
        F: FnMut(I) -> Fut + Send + 'a,
        Fut: Future<Output = Result<T>> + Send + 'a,
    {
        FanOut {
            ctx: self,
            items: items.into_iter().collect(),
            work: Box::new(move |item| Box::pin(work(item))),
            at_most: DEFAULT_CONCURRENCY,
            share: None,
            name: None,
            text: None,
            stops_at: None,
        }
    }
}

/// A fan-out to be started: await it. Made by [`Context::fan_out`].
#[must_use = "no part starts unless this is awaited: add `.await?`"]
pub struct FanOut<'a, I, T> {
    ctx: &'a Context,
    items: Vec<I>,
    work: PartFn<'a, I, T>,
    at_most: usize,
    share: Option<Result<ProgressRange>>,
    name: Option<NameOf<'a, I>>,
    text: Option<TextOf<'a, T>>,
    /// An error of a part that ends the whole.
    stops_at: Option<fn(&Error) -> bool>,
}

/// A part that has just ended, for the text of the progress.
#[non_exhaustive]
pub struct Part<'a, T> {
    /// How many have ended, this one included.
    pub done: usize,
    /// How many there are.
    pub total: usize,
    /// Which item it was, counted from 0 in the items' order.
    pub index: usize,
    /// Its name, empty without [`FanOut::named`].
    pub name: &'a str,
    /// The part's result.
    pub result: &'a Result<T>,
}

impl<'a, I, T> FanOut<'a, I, T> {
    /// How many parts run at once; 4 when not given, and never less than 1.
    pub fn at_most(mut self, parts: usize) -> Self {
        self.at_most = parts.max(1);
        self
    }

    /// Reports progress as parts end: done out of all, scaled into this range of percents. Grows
    /// only, whatever order the parts end in.
    pub fn progress(mut self, range: RangeInclusive<u8>) -> Self {
        self.share = Some(ProgressRange::new(range));
        self
    }

    /// Ends the whole with an error of a part that this accepts: no further part starts, and those that run end.
    pub(super) fn stops_at(mut self, is_fatal: fn(&Error) -> bool) -> Self {
        self.stops_at = Some(is_fatal);
        self
    }

    /// Names items for the progress and the log: `3 of 25: example.com`.
    pub fn named(mut self, name: impl Fn(&I) -> String + Send + 'a) -> Self {
        self.name = Some(Box::new(name));
        self
    }

    /// The text of the progress after each part, in place of `3 of 25: example.com`.
    pub fn text(mut self, text: impl FnMut(&Part<'_, T>) -> String + Send + 'a) -> Self {
        self.text = Some(Box::new(text));
        self
    }
}

impl<'a, I: Send + 'a, T: Send + 'a> IntoFuture for FanOut<'a, I, T> {
    type Output = Result<Vec<Result<T>>>;
    type IntoFuture = Boxed<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let ctx = self.ctx;
            ctx.check_active()?;
            ctx.until_stopped(self.run()).await
        })
    }
}

impl<'a, I: Send + 'a, T: Send + 'a> FanOut<'a, I, T> {
    async fn run(mut self) -> Result<Vec<Result<T>>> {
        let share = self.share.take().transpose()?;
        let total = self.items.len();
        let names: Vec<String> = match &self.name {
            Some(name) => self.items.iter().map(name).collect(),
            None => vec![String::new(); total],
        };
        if let (Some(share), true) = (&share, total > 0) {
            self.ctx.progress(share.at(0.0), format!("0 of {total}")).await?;
        }
        let mut waiting = std::mem::take(&mut self.items).into_iter().enumerate();
        let mut results: Vec<Option<Result<T>>> = (0..total).map(|_| None).collect();
        let mut running = FuturesUnordered::new();
        let mut done = 0;
        let mut stopped_by = None;
        loop {
            while stopped_by.is_none()
                && running.len() < self.at_most
                && self.ctx.signal().is_live()
                && let Some((index, item)) = waiting.next()
            {
                running.push(isolated(&mut self.work, item).map(move |result| (index, result)));
            }
            let Some((index, result)) = running.next().await else { break };
            done += 1;
            let name = names[index].as_str();
            if let Err(error) = &result {
                let which = if name.is_empty() { String::new() } else { format!(" ({name})") };
                self.ctx.log().info(format_args!("part {} of {total}{which} failed: {error}", index + 1));
            }
            let result = match result {
                Err(error) if self.stops_at.is_some_and(|stops| stops(&error)) => {
                    stopped_by.get_or_insert(error);
                    continue;
                }
                result => result,
            };
            if let Some(share) = &share
                && self.ctx.signal().is_live()
            {
                let text = {
                    let part = Part { done, total, index, name, result: &result };
                    self.text.as_mut().map_or_else(|| part.to_string(), |text| text(&part))
                };
                self.ctx.progress(share.at(ratio(done, total)), text).await?;
            }
            results[index] = Some(result);
        }
        match stopped_by {
            Some(error) => Err(error),
            None => Ok(results.into_iter().flatten().collect()),
        }
    }
}

/// Turns a panic of a part into its result. The part's values are dropped.
fn isolated<'a, I, T: Send + 'a>(work: &mut PartFn<'a, I, T>, item: I) -> Boxed<'a, Result<T>> {
    match catch_unwind(AssertUnwindSafe(|| work(item))) {
        Ok(part) => Box::pin(AssertUnwindSafe(part).catch_unwind().map(|ended| ended.unwrap_or_else(panicked))),
        Err(payload) => Box::pin(future::ready(panicked(payload))),
    }
}

fn panicked<T>(payload: Box<dyn std::any::Any + Send>) -> Result<T> {
    Err(Error::internal(format!("a part panicked: {}", panic_text(payload))))
}

#[allow(clippy::cast_precision_loss, reason = "a percent needs no more than 52 bits")]
fn ratio(done: usize, total: usize) -> f64 {
    done as f64 / total as f64
}

impl<T> fmt::Display for Part<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.done, self.total)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, ": {}", self.name) }
    }
}

impl<T> fmt::Debug for Part<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("done", &self.done)
            .field("total", &self.total)
            .field("index", &self.index)
            .field("name", &self.name)
            .field("is_ok", &self.result.is_ok())
            .finish_non_exhaustive()
    }
}

impl<I, T> fmt::Debug for FanOut<'_, I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOut")
            .field("items", &self.items.len())
            .field("at_most", &self.at_most)
            .finish_non_exhaustive()
    }
}
