//! `ctx.ask(..)`: a question to the user, for as long as it takes.

use std::any::type_name;
use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::begin::Begin;
use super::declared_order::declared_order;
use super::sleep::LONGEST;
use super::step::read_json;
use super::waits::until;
use super::{StepName, TaskContext};
use crate::codes;
use crate::error::Error;
use crate::ids::QuestionId;
use crate::result::{Result, storable_text};
use crate::rows::{CloseQuestion, NewQuestion, Question, QuestionState, StepKind, StoredAnswer};

/// How long a question waits without `within`.
pub(super) const DEFAULT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Open questions of a task.
const MOST_OPEN: u32 = 16;
/// Longest text of a question, in bytes.
const TEXT_LIMIT: usize = 4096;
/// Largest schema of an answer, as JSON, in bytes.
const SCHEMA_LIMIT: usize = 64 << 10;
/// How often a question is looked at while other work of its task keeps it in this process: an answer may have
/// come through another node.
const LOOK_EVERY: Duration = Duration::from_secs(1);

type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// A question before it is asked.
struct Draft<'a> {
    ctx: &'a TaskContext,
    name: String,
    text: String,
    /// The schema of the answer, if it is not that of its type.
    schema: Option<String>,
    within: Duration,
}

/// The methods of an [`Answer`], taken where the question is made: a type that lacks a bound is then one error, at
/// `ask`, and not another one at each method and at the await.
struct Means<'a, T> {
    ask: fn(Draft<'a>, Option<String>) -> Asking<'a, Option<T>>,
    to_json: fn(&T) -> std::result::Result<String, String>,
}

/// A question to the user: await it. Made by [`TaskContext::ask`].
#[must_use = "nobody is asked unless this is awaited: add `.await?`"]
pub struct Ask<'a, T>(Draft<'a>, Means<'a, T>);

/// A question with a time limit: await it for `Some` answer, or `None` if the time is over. Made by
/// [`Ask::within`].
#[must_use = "nobody is asked unless this is awaited: add `.await?`"]
pub struct AskWithin<'a, T>(Draft<'a>, Means<'a, T>);

/// A question with an answer for the end of its time: await it. Made by [`AskWithin::or`].
#[must_use = "nobody is asked unless this is awaited: add `.await?`"]
pub struct AskOr<'a, T>(Draft<'a>, Means<'a, T>, T);

macro_rules! debug {
    ($($type:ident)*) => {
        $(impl<T> std::fmt::Debug for $type<'_, T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type)).field("name", &self.0.name).finish_non_exhaustive()
            }
        })*
    };
}

debug!(Ask AskWithin AskOr);

/// A type that can be the answer to a question: it is read from JSON and has a schema. An enum of variants without
/// data is a choice of buttons, a struct is a form.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the answer to a question",
    label = "the answer needs `Serialize`, `Deserialize` and `JsonSchema`, and owns what it holds",
    note = "put `#[derive(Serialize, Deserialize, JsonSchema)]` on `{Self}`, or on the types in it: the schema becomes buttons or a form, and the answer is stored"
)]
pub trait Answer: DeserializeOwned + Serialize + JsonSchema + Send {}

// Without it, a type that lacks several derives is several errors.
#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + Serialize + JsonSchema + Send> Answer for T {}

impl TaskContext {
    /// Asks the user and waits for the answer, for up to 30 days or as [`within`](Ask::within) says.
    ///
    /// The question appears in the user's chat, in every open window, once the call that started the task has its
    /// reply. The user answers there, at the terminal (`answer TASK`), or over HTTP; the first answer counts. It
    /// is checked against the schema that `T` has when the question is asked. While the task waits it is parked as
    /// by [`sleep`](TaskContext::sleep), as soon as nothing else of it is in flight: no process is needed until
    /// the answer comes, which any node may take.
    ///
    /// A question that loses a `select!` stays open until it is answered, its time is over, it is
    /// [withdrawn](TaskContext::withdraw), or the task ends.
    ///
    /// The name is as that of a [`step`](TaskContext::step). The text, schema and time limit of the first attempt
    /// stay, whatever later ones compute. Limits: a text of 4 KiB, a schema and a fallback of 64 KiB each,
    /// 366 days, 16 open questions a task.
    ///
    /// **Cancel.** A cancel of a parked task ends it at once and withdraws its questions.
    ///
    /// # Errors
    /// `NO_ANSWER` if no answer comes in time and the question has no [`within`](Ask::within).
    /// [`Error::cancelled`] when the task is cancelled or over. `INTERNAL` for a bad name, text, time or fallback;
    /// `QUESTIONS_EXCEEDED` over 16 open questions. `ANSWER_MISFIT` for an answer that follows the schema of `T`, but
    /// that `T` does not take.
    ///
    /// ```
    /// # use imperal::prelude::*;
    /// # use std::time::Duration;
    /// # use serde::{Deserialize, Serialize};
    /// # use schemars::JsonSchema;
    /// #[derive(Serialize, Deserialize, JsonSchema)]
    /// enum Choice { Publish, Later }
    ///
    /// # async fn publish(ctx: TaskContext) -> Result<()> {
    /// let day = Duration::from_secs(24 * 3600);
    /// match ctx.ask("publish", "Publish these images?").within(day).or(Choice::Later).await? {
    ///     Choice::Publish => { /* .. */ }
    ///     Choice::Later => {}
    /// }
    /// # Ok(()) }
    /// ```
    pub fn ask<'a, T: Answer + 'a>(&'a self, name: impl StepName, text: impl Into<String>) -> Ask<'a, T> {
        let means = Means { ask: |draft, fallback| Box::pin(draft.ask(fallback)), to_json: storable_text };
        Ask(Draft { ctx: self, name: name.into_name(), text: text.into(), schema: None, within: DEFAULT }, means)
    }

    /// Asks with a schema of the caller's, whose answers the type takes. `None` if no answer came in time.
    ///
    /// # Errors
    /// As [`TaskContext::ask`]; `INTERNAL` for a schema over 64 KiB.
    pub(in crate::context) async fn ask_with_schema<T: Answer>(
        &self,
        name: &str,
        text: String,
        schema: String,
        within: Duration,
    ) -> Result<Option<T>> {
        if schema.len() > SCHEMA_LIMIT {
            let text =
                format!("the schema of the question `{name}` has {} bytes, more than {SCHEMA_LIMIT}", schema.len());
            return Err(Error::internal(text));
        }
        Draft { ctx: self, name: name.to_owned(), text, schema: Some(schema), within }.ask(None).await
    }

    /// Withdraws an open question of this task: it takes no answer any more. Returns whether it was open; an
    /// answer that came before stays.
    ///
    /// # Errors
    /// [`Error::cancelled`] when the task is cancelled or over. `INTERNAL` for a name that is another step's.
    pub async fn withdraw(&self, name: impl StepName) -> Result<bool> {
        let name = name.into_name();
        match self.begin_named(name.clone(), StepKind::Question).await? {
            // Nobody has been asked. A later `ask` of this name asks.
            Begin::Run(_) => Ok(false),
            Begin::Stored(known) => {
                let ordinal = known.ordinal;
                let StoredAnswer::<serde_json::Value>::Open(question_id) = self.read_stored(&name, known).await? else {
                    return Ok(false);
                };
                let closed = self.close(&name, ordinal, question_id, CloseQuestion::Withdraw).await?;
                Ok(closed.state == QuestionState::Withdrawn)
            }
            Begin::Leave | Begin::Storing => std::future::pending().await,
        }
    }

    /// Closes a question, and remembers what became of it.
    pub(super) async fn close(&self, name: &str, ordinal: u16, id: QuestionId, why: CloseQuestion) -> Result<Question> {
        let _in_flight = self.run.enter();
        let host = self.ctx.services().host.clone();
        let closed = host.close_question(self.ctx.origin(), id, why).await?;
        self.remember(name, ordinal, &closed);
        Ok(closed)
    }

    fn remember(&self, name: &str, ordinal: u16, question: &Question) {
        let stored = match (question.state, &question.answer) {
            (QuestionState::Answered, Some(answer)) => StoredAnswer::answered(&answer.to_string()),
            (QuestionState::Open | QuestionState::Answered, _) => return,
            (QuestionState::Expired, _) => StoredAnswer::<serde_json::Value>::Expired.to_json(),
            (QuestionState::Withdrawn, _) => StoredAnswer::<serde_json::Value>::Withdrawn.to_json(),
        };
        self.run.closed(name, ordinal, &stored);
    }

    /// Waits until a question is no longer open. `end` is when its time is over, if that is known.
    pub(super) async fn closed(
        &self,
        name: &str,
        ordinal: u16,
        id: QuestionId,
        mut end: Option<Timestamp>,
    ) -> Result<()> {
        let host = self.ctx.services().host.clone();
        loop {
            if let Some(end) = end.filter(|end| *end > self.run.ledger_time()) {
                let _waiting = self.run.wait_for(ordinal, end, true);
                // Alone it is parked in this poll; while other work runs, the attempt looks at it from time to time.
                let look = LOOK_EVERY.min(until(self.run.ledger_time(), end));
                tokio::select! {
                    () = self.run.answered.notified() => {}
                    waited = self.wait_quietly(look) => waited?,
                }
            }
            let question = {
                let _in_flight = self.run.enter();
                host.find_question(self.ctx.origin(), id).await?
            };
            end = Some(question.until);
            match question.state {
                QuestionState::Open if question.until > self.run.ledger_time() => {}
                QuestionState::Open => {
                    self.close(name, ordinal, id, CloseQuestion::Expire).await?;
                    return Ok(());
                }
                QuestionState::Answered if question.answer.is_none() => {
                    return Err(Error::internal(format!("the answer to the question `{name}` cannot be read")));
                }
                QuestionState::Answered | QuestionState::Expired | QuestionState::Withdrawn => {
                    self.remember(name, ordinal, &question);
                    return Ok(());
                }
            }
        }
    }
}

impl TaskContext {
    /// Handles a stored answer that the type does not take. If the question was asked with the schema that the
    /// type has now, no other version will take it either: that is an error for the body. Else another version may.
    ///
    /// # Errors
    /// `ANSWER_MISFIT`.
    async fn misfit<T: Answer>(&self, name: &str, ordinal: u16, why: &str) -> Result<T> {
        let asked_with = {
            let _in_flight = self.run.enter();
            self.ctx.services().host.clone().question_schema(self.ctx.origin(), ordinal).await?
        };
        let schema = serde_json::from_str::<serde_json::Value>(&schema::<T>(name)?).ok();
        if asked_with.is_none() || asked_with != schema {
            return self.leave_for_misfit(name, why).await;
        }
        let text = format!("The answer to the question `{name}` does not fit `{}`: {why}", type_name::<T>());
        Err(Error::platform(codes::ANSWER_MISFIT, text))
    }
}

impl Draft<'_> {
    /// Asks, or goes on with the stored answer. `None` if no answer came in time, or it was withdrawn.
    async fn ask<T: Answer>(self, fallback: Option<String>) -> Result<Option<T>> {
        let Self { ctx, name, text, schema: own_schema, within } = self;
        check(&name, &text, within)?;
        let schema_of_type = || schema::<T>(&name);
        let host = &ctx.ctx.services().host;
        loop {
            match ctx.begin_named(name.clone(), StepKind::Question).await? {
                Begin::Run(running) => {
                    let schema = match &own_schema {
                        Some(schema) => schema.clone(),
                        None => schema_of_type()?,
                    };
                    if own_schema.is_none() {
                        host.note_answer_type(&schema, check_answer::<T>);
                    }
                    let mut new = NewQuestion::new(ctx.run.take_ordinal(0)?, &name, &text, schema)
                        .within(within)
                        .max_open(MOST_OPEN);
                    new.fallback.clone_from(&fallback);
                    let (host, origin, row) = (host.clone(), ctx.ctx.origin().clone(), new.step());
                    let (ordinal, id) = (new.ordinal, new.question_id);
                    let asking = async move { host.ask_question(&origin, new).await };
                    let asked = ctx.write_row(&running, row, asking).await?;
                    drop(running);
                    ctx.show_steps();
                    ctx.closed(&name, ordinal, id, Some(asked.until)).await?;
                }
                Begin::Stored(known) => {
                    let ordinal = known.ordinal;
                    let stored = ctx.stored_json(&name, known).await?;
                    match read_json::<StoredAnswer<T>>(stored.as_deref()) {
                        Ok(StoredAnswer::Answered(answer)) => return Ok(Some(answer)),
                        Ok(StoredAnswer::Expired | StoredAnswer::Withdrawn) => return Ok(None),
                        Ok(StoredAnswer::Open(id)) => {
                            if own_schema.is_none() {
                                host.note_answer_type(&schema_of_type()?, check_answer::<T>);
                            }
                            ctx.closed(&name, ordinal, id, None).await?;
                        }
                        Err(why) => return ctx.misfit::<T>(&name, ordinal, &why).await.map(Some),
                    }
                }
                Begin::Leave | Begin::Storing => return std::future::pending().await,
            }
        }
    }
}

impl<'a, T> Ask<'a, T> {
    /// Limits how long an answer is accepted: at most 366 days. The answer is `None` if none comes in time.
    pub fn within(self, time: Duration) -> AskWithin<'a, T> {
        AskWithin(Draft { within: time, ..self.0 }, self.1)
    }

    /// Goes on with this value if no answer comes within 30 days.
    pub fn or(self, fallback: T) -> AskOr<'a, T> {
        AskOr(self.0, self.1, fallback)
    }
}

impl<'a, T> AskWithin<'a, T> {
    /// Goes on with this value if no answer comes in time. The user sees it with the question.
    pub fn or(self, fallback: T) -> AskOr<'a, T> {
        AskOr(self.0, self.1, fallback)
    }
}

impl<'a, T: 'a> IntoFuture for Ask<'a, T> {
    type Output = Result<T>;
    type IntoFuture = Asking<'a, T>;

    fn into_future(self) -> Self::IntoFuture {
        let Self(draft, means) = self;
        let name = draft.name.clone();
        Box::pin(async move {
            (means.ask)(draft, None).await?.ok_or_else(|| {
                Error::platform(codes::NO_ANSWER, format!("Nobody answered the question `{name}` in time."))
            })
        })
    }
}

impl<'a, T: 'a> IntoFuture for AskWithin<'a, T> {
    type Output = Result<Option<T>>;
    type IntoFuture = Asking<'a, Option<T>>;

    fn into_future(self) -> Self::IntoFuture {
        (self.1.ask)(self.0, None)
    }
}

impl<'a, T: Send + 'a> IntoFuture for AskOr<'a, T> {
    type Output = Result<T>;
    type IntoFuture = Asking<'a, T>;

    fn into_future(self) -> Self::IntoFuture {
        let Self(draft, means, fallback) = self;
        Box::pin(async move {
            let json = (means.to_json)(&fallback).map_err(|error| {
                Error::internal(format!("the fallback of the question `{}` is no JSON: {error}", draft.name))
            })?;
            Ok((means.ask)(draft, Some(json)).await?.unwrap_or(fallback))
        })
    }
}

/// # Errors
/// `INTERNAL` for a text or time that is no question's.
fn check(name: &str, text: &str, within: Duration) -> Result<()> {
    let why = if text.trim().is_empty() || text.len() > TEXT_LIMIT {
        format!("a text of 1 to {TEXT_LIMIT} bytes, not {}", text.len())
    } else if within.is_zero() || within > LONGEST {
        "a time of more than nothing and at most 366 days".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::internal(format!("the question `{name}` needs {why}")))
}

/// Whether a type takes an answer that follows its schema.
///
/// # Errors
/// Why not, in a sentence without a full stop.
fn check_answer<T: Answer>(answer: &serde_json::Value) -> std::result::Result<(), String> {
    T::deserialize(answer).map(drop).map_err(|error| error.to_string())
}

/// Whether a schema takes no value: that of `Option` and of `()`.
fn takes_nothing(schema: &serde_json::Value) -> bool {
    let is_null = |schema: &serde_json::Value| match &schema["type"] {
        serde_json::Value::Array(types) => types.iter().any(|one| one == "null"),
        one => one == "null",
    };
    is_null(schema) || schema["anyOf"].as_array().is_some_and(|forms| forms.iter().any(is_null))
}

/// The schema of an answer, in one piece, as a form needs it.
///
/// # Errors
/// `INTERNAL` for one over 64 KiB, and for that of `Option` and `()`.
fn schema<T: Answer>(name: &str) -> Result<String> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    declared_order::<T>(&mut schema);
    if takes_nothing(&schema) {
        return Err(Error::internal(format!(
            "`{}` cannot be the answer to the question `{name}`: ask for the type without `Option`, and add \
             `.within(..)` for `None` if nobody answers; instead of `()` ask for an enum with one variant",
            type_name::<T>()
        )));
    }
    let schema = schema.to_string();
    if schema.len() > SCHEMA_LIMIT {
        return Err(Error::internal(format!(
            "the schema of `{}`, the answer to the question `{name}`, has {} bytes, more than {SCHEMA_LIMIT}",
            type_name::<T>(),
            schema.len()
        )));
    }
    Ok(schema)
}
