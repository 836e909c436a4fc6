//! Does an effect: from its intent to the row with its outcome, also across attempts.
//!
//! An open intent that no closure of this attempt runs is unknown. It is resolved here: by the effect's own means, or by
//! its user. The rows are written in tokio tasks of their own, so that a dropped await does not undo a known outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::Instrument;

use super::begin::Begin;
use super::effect::{Draft, EffectKey, Resolve};
use super::in_flight::Running;
use super::retrying::{Tries, is_final};
use super::step::{ClosesStep, Pending, to_json};
use super::step_log::{Entry, StepLog, cut};
use super::{StepScope, StepValue, TaskContext};
use crate::context::Context;
use crate::context::hazard::absolute_paths;
use crate::error::Error;
use crate::result::Result;
use crate::rows::{EffectAnswer, NewStep, NotDoneBy, StepKind, StoredEffect};

/// How often a process whose lease may have lapsed looks whether it still has it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One run of a closure.
#[derive(Clone, Copy)]
struct Run {
    /// No earlier run had this intent.
    is_fresh: bool,
    /// The service recognises the key.
    repeats: bool,
}

/// Why a run of a closure has no value.
enum Failed {
    /// The effect was not done, or the attempt cannot go on. The body gets the error.
    Known(Error),
    /// Whether it was done is unknown.
    Unknown(Error),
}

impl<'a, T: StepValue + 'a> Draft<'a, T> {
    /// Does the effect, unless it is done. `None` if a person says that it was.
    pub(super) async fn settle(self, mut resolve: Resolve<'a, T>) -> Result<Option<T>> {
        let Self { ctx, name, mut work, .. } = self;
        let key = EffectKey::of(ctx.run.root_task, &name);
        let repeats = matches!(resolve, Resolve::Repeat);
        let log = Arc::new(StepLog::default());
        // Of the closure, and of looks that failed.
        let (mut tries, mut looks) = (Tries::of_effects(), Tries::of_effects());
        let mut failed: Option<Error> = None;
        let mut decided: Option<(u16, EffectAnswer)> = None;
        loop {
            let running = match ctx.begin_named(name.clone(), StepKind::Effect).await? {
                Begin::Stored(known) => {
                    let needs_value = !matches!(resolve, Resolve::Ask);
                    return ctx.read_effect(&name, known, needs_value).await;
                }
                Begin::Run(running) => running,
                Begin::Leave | Begin::Storing => return std::future::pending().await,
            };
            running.keep_log(&log);
            ctx.show_steps();
            let open = ctx.run.open_intent(&name);
            // An answer is about one intent.
            let answer = decided.take().filter(|(intent, _)| open == Some(*intent)).map(|(_, answer)| answer);
            match (open, answer, &mut resolve) {
                (None, ..) => {
                    if let Some(error) = failed.take() {
                        tries.wait(ctx, &running, &error).await?;
                    }
                    ctx.store_intent(&running).await?;
                }
                (Some(_), Some(EffectAnswer::Done), _) => {
                    let row = ctx.effect_row(&running, StepKind::Effect, StoredEffect::Confirmed.to_json(), &log)?;
                    ctx.store_row(&running, row).await?;
                    return Ok(None);
                }
                (Some(_), Some(EffectAnswer::Again), _) => {
                    ctx.store_not_done(&running, NotDoneBy::User, &log).await?;
                    (tries, failed) = (Tries::of_effects(), None);
                    continue;
                }
                // A question of a version that could not repeat it.
                (Some(intent), _, Resolve::Repeat) => ctx.withdraw_effect_questions(&name, intent).await?,
                (Some(intent), _, Resolve::LookUp(look)) => {
                    match ctx.look_up(&running, &key, &log, look).await {
                        Ok(found) => {
                            // Before the row: after it no attempt would withdraw them. The found value is stored
                            // even if this fails.
                            let withdrawn = ctx.withdraw_effect_questions(&name, intent).await;
                            if let Some(value) = found {
                                let began = Instant::now();
                                let value = ctx.store_value(&running, value, StoredEffect::found, began, &log).await?;
                                return withdrawn.map(|()| Some(value));
                            }
                            ctx.store_not_done(&running, NotDoneBy::LookUp, &log).await?;
                            withdrawn?;
                            looks = Tries::of_effects();
                            if failed.as_ref().is_some_and(|error| is_final(error) || !tries.are_left())
                                && let Some(error) = failed.take()
                            {
                                return Err(error);
                            }
                        }
                        Err(error) if looks.are_left() => {
                            log.add(&Entry::Try { attempt: looks.count(), error: cut(error.to_string()) });
                            looks.wait(ctx, &running, &error).await?;
                        }
                        Err(error) => {
                            drop(running);
                            ctx.ctx.check_active()?;
                            let text = unknown_text(&name, &format!("Looking it up failed: {}", error.message()));
                            let answers = [EffectAnswer::Look, EffectAnswer::Again, EffectAnswer::Stop];
                            decided = Some((intent, ctx.ask_about_effect(&name, intent, text, &answers).await?));
                            looks = Tries::of_effects();
                        }
                    }
                    continue;
                }
                (Some(intent), _, Resolve::Ask) => {
                    // Only the question is left: the task may be parked.
                    drop(running);
                    let answers = [EffectAnswer::Done, EffectAnswer::Again, EffectAnswer::Stop];
                    let cut_off = || "It was cut off before its result was known.".to_owned();
                    let why = failed.take().map_or_else(cut_off, |error| format!("It ended with: {}", error.message()));
                    let answer = ctx.ask_about_effect(&name, intent, unknown_text(&name, &why), &answers).await?;
                    decided = Some((intent, answer));
                    continue;
                }
            }
            let how = Run { is_fresh: open.is_none(), repeats };
            let error = match ctx.run_effect(&running, &key, &log, how, &mut work).await {
                Ok(value) => return Ok(Some(value)),
                Err(Failed::Known(error)) => return Err(error),
                Err(Failed::Unknown(error)) => error,
            };
            log.add(&Entry::Try { attempt: tries.count(), error: cut(error.to_string()) });
            if repeats {
                if is_final(&error) || !tries.are_left() {
                    return Err(error);
                }
                tries.wait(ctx, &running, &error).await?;
            } else {
                failed = Some(error);
            }
        }
    }
}

fn unknown_text(name: &str, why: &str) -> String {
    let mut name = name.to_owned();
    let mut why = why.to_owned();
    name.truncate(name.floor_char_boundary(600));
    why.truncate(why.floor_char_boundary(2_000));
    format!("It is not known whether `{name}` was done. {why}")
}

impl TaskContext {
    /// The value of a done effect.
    async fn read_effect<T: StepValue>(
        &self,
        name: &str,
        known: super::stored::Known,
        needs_value: bool,
    ) -> Result<Option<T>> {
        match self.read_stored::<StoredEffect<T>>(name, known).await? {
            StoredEffect::Returned(value) | StoredEffect::Found(value) => Ok(Some(value)),
            StoredEffect::Confirmed if needs_value => {
                let why = "a person said that it was done, so it has no value, which this version needs";
                self.run.note_misfit(format!("the effect `{name}` does not fit: {why}"));
                std::future::pending().await
            }
            StoredEffect::Confirmed => Ok(None),
            StoredEffect::WithoutValue(why) => {
                Err(Error::internal(format!("the effect `{name}` is done, but its value is not stored: {why}")))
            }
        }
    }

    /// Stores an intent. If the caller has gone meanwhile, the closure never runs, and that is stored too.
    async fn store_intent(&self, running: &Running) -> Result<()> {
        let intent = NewStep::new(self.run.take_intent_ordinal()?, running.name(), StepKind::Intent, "null");
        let (host, origin, run) = (self.ctx.services().host.clone(), self.ctx.origin().clone(), self.run.clone());
        let (guard, storing) = (run.enter(), run.storing(running.name()));
        let stored = host.clone().store_step(&origin, intent.clone());
        let (caller, waits) = oneshot::channel::<()>();
        let writing = async move {
            stored.await?;
            storing.stored(intent.ordinal, intent.kind, &intent.value);
            if caller.is_closed() {
                let not_begun = NotDoneBy::NotBegun.to_json();
                let row = NewStep::new(run.take_outcome_ordinal(0)?, intent.name, StepKind::NotDone, not_begun);
                host.clone().store_step(&origin, row.clone()).await?;
                storing.stored(row.ordinal, row.kind, &row.value);
            }
            drop(storing);
            drop(guard);
            Ok(())
        };
        let written = tokio::spawn(writing.in_current_span()).await;
        drop(waits);
        written.unwrap_or_else(|error| Err(Error::internal(format!("an intent was not stored: {error}"))))
    }

    /// Waits until no other node may be at work on the task: this process may have been frozen since its intent.
    async fn wait_for_lease(&self) -> Result<()> {
        loop {
            self.ctx.check_active()?;
            if !self.ctx.services().host.may_be_taken_over(self.ctx.origin()) {
                return Ok(());
            }
            tokio::select! {
                _ = self.ctx.signal().stopped() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Runs an effect's closure and stores what became of it.
    async fn run_effect<'a, T: StepValue>(
        &self,
        running: &Running,
        key: &EffectKey,
        log: &Arc<StepLog>,
        Run { is_fresh, repeats }: Run,
        work: &mut (dyn FnMut(Context, EffectKey) -> Pending<'a, T> + Send + 'a),
    ) -> std::result::Result<T, Failed> {
        let began = Instant::now();
        if let Err(stopped) = self.wait_for_lease().await {
            if is_fresh {
                self.store_not_done(running, NotDoneBy::NotBegun, log).await.map_err(Failed::Known)?;
            }
            return Err(Failed::Known(stopped));
        }
        let _effect = self.run.enter_effect();
        let (attempt, root_task) = (self.run.attempt, self.run.root_task);
        let scope = StepScope::new(attempt, root_task, running.name().to_owned(), log.clone());
        let scope = Arc::new(scope.of_effect(key.clone(), repeats));
        let ctx = self.ctx.in_step(scope.clone());
        let closes = ClosesStep(&ctx);
        let secrets = &self.ctx.origin().secrets;
        let done = scope.clone().run(|| work(ctx.clone(), key.clone())).await;
        let done = done.map_err(|error| error.screened(|text| secrets.replace(text)));
        drop(closes);
        let error = match done {
            Ok(value) => {
                let stored = self.store_value(running, value, StoredEffect::returned, began, log).await;
                return stored.map_err(Failed::Known);
            }
            Err(error) => error,
        };
        let by = match error.is_not_done() {
            // A refusal of this run says nothing about an earlier run under the same intent.
            _ if !is_fresh => return Err(Failed::Unknown(error)),
            true => NotDoneBy::Author,
            false if scope.proves_not_done() => NotDoneBy::Request,
            false => return Err(Failed::Unknown(error)),
        };
        self.store_not_done(running, by, log).await.map_err(Failed::Known)?;
        Err(Failed::Known(error))
    }

    /// Asks the service whether the effect was done.
    async fn look_up<'a, T>(
        &self,
        running: &Running,
        key: &EffectKey,
        log: &Arc<StepLog>,
        look: &mut (dyn FnMut(Context, EffectKey) -> Pending<'a, Option<T>> + Send + 'a),
    ) -> Result<Option<T>> {
        let name = format!("{}look-up/{}", crate::rows::RESERVED_NAMES, running.name());
        let scope = Arc::new(StepScope::new(self.run.attempt, self.run.root_task, name, log.clone()));
        let ctx = self.ctx.in_step(scope.clone());
        let _closes = ClosesStep(&ctx);
        let secrets = &self.ctx.origin().secrets;
        scope.run(|| look(ctx.clone(), key.clone())).await.map_err(|error| error.screened(|text| secrets.replace(text)))
    }

    /// Stores that an effect is done, with its value. The effect is done, so a value that cannot be stored is left out
    /// and is the error of each attempt.
    async fn store_value<T: StepValue>(
        &self,
        running: &Running,
        value: T,
        form: fn(&str) -> String,
        began: Instant,
        log: &StepLog,
    ) -> Result<T> {
        let mut paths = Vec::new();
        // Read back as each later attempt reads it: in the form that is stored.
        let secrets = &self.ctx.origin().secrets;
        let json = to_json(running.name(), &value).map_err(|error| error.screened(|text| secrets.replace(text)));
        let json = json.and_then(|json| {
            paths = absolute_paths(&json);
            secrets.refuse("The value of an effect", [json.as_str()])?;
            let stored = form(&json);
            let read = match imperal_manifest::json::read(stored.as_bytes()) {
                Ok(StoredEffect::Returned(read) | StoredEffect::Found(read)) => Ok(read),
                Ok(_) => Err("it has another form".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            let read = read.map_err(|error| {
                Error::internal(format!("the value of the effect `{}` cannot be read back: {error}", running.name()))
            })?;
            let ordinal = self.run.take_outcome_ordinal(stored.len() as u64)?;
            Ok((ordinal, stored, read))
        });
        let (row, answer) = match json {
            Ok((ordinal, json, read)) => {
                let row = NewStep::new(ordinal, running.name(), StepKind::Effect, json);
                (NewStep { log: log.to_json(), ..row }, Ok(read))
            }
            Err(error) => {
                let why = StoredEffect::WithoutValue(cut(error.to_string())).to_json();
                (self.effect_row(running, StepKind::Effect, why, log)?, Err(error))
            }
        };
        self.store_row(running, row.took(began.elapsed())).await?;
        self.show_steps();
        self.check_paths(running.name(), paths).await;
        answer
    }

    async fn store_not_done(&self, running: &Running, by: NotDoneBy, log: &StepLog) -> Result<()> {
        let row = self.effect_row(running, StepKind::NotDone, by.to_json(), log)?;
        self.store_row(running, row).await?;
        self.show_steps();
        Ok(())
    }

    fn effect_row(&self, running: &Running, kind: StepKind, value: String, log: &StepLog) -> Result<NewStep> {
        let row = NewStep::new(self.run.take_outcome_ordinal(0)?, running.name(), kind, value);
        Ok(NewStep { log: log.to_json(), ..row })
    }
}
