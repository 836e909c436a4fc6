//! One call that the model wants: reading it, running it once, and the text for the model.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::APP_ID;
use super::approval::{question, readable};
use super::arguments::read_arguments;
use super::model::WantedCall;
use super::offered::meant;
use super::talk::Decided;
use super::trim::for_model;
use crate::codes;
use crate::context::{CallApproval, Context, Decision, OfferedFunction, TaskContext, ToolAnswer, ToolCall, ToolKind};
use crate::error::{Error, ErrorKind};
use crate::result::Result;

/// How long the user may take to approve a call.
const APPROVE_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// How often a function that only reads is called again after a crash.
const READ_AGAIN: u32 = 3;
/// How often a call is tried that the ledger could not take, and the wait before each.
const TRIES: u32 = 5;
const WAIT: Duration = Duration::from_secs(1);

/// The outcome of a call, as the value of its step.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Called {
    /// It has this text for the model.
    Told(String),
    /// The user has to approve it.
    NeedsApproval(Box<CallApproval>),
}

/// A call that has ended: the text for the model, and the decision of the user if one was needed.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) told: String,
    pub(super) decided: Option<Decided>,
}

impl Answered {
    fn told(told: impl Into<String>) -> Self {
        Self { told: told.into(), decided: None }
    }
}

/// The conversation around a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) ctx: &'a TaskContext,
    pub(super) functions: &'a [OfferedFunction],
    pub(super) decisions: &'a [Decided],
    pub(super) tainted: bool,
    pub(super) round: u32,
}

/// The kind of the function that a call means; `None` if there is none.
pub(super) fn kind_of(functions: &[OfferedFunction], wanted: &WantedCall) -> Option<ToolKind> {
    meant(functions, &wanted.name).map(|function| function.kind)
}

/// Runs a call that the model wants, after the user's approval if it needs one.
pub(super) async fn answer_call(around: Around<'_>, index: u32, wanted: &WantedCall) -> Result<Answered> {
    let Around { ctx, functions, decisions, tainted, round } = around;
    let Some(function) = meant(functions, &wanted.name) else {
        let names: Vec<_> = functions.iter().filter(|one| !one.needs_form).map(|one| one.tool.as_str()).collect();
        return Ok(Answered::told(format!("There is no function `{}`. There is: {}.", wanted.name, names.join(", "))));
    };
    if function.needs_form {
        return Ok(Answered::told(format!(
            "`{}` needs a value that only its user may type. Ask the user to open its form in the list of functions.",
            function.tool
        )));
    }
    let params = match read_arguments(&wanted.arguments, &function.schema) {
        Ok(params) => params,
        Err(why) => return Ok(Answered::told(why)),
    };
    let is_this = |one: &&Decided| one.app_id == function.app_id && one.function == function.function;
    let granted = decisions.iter().find(|one| is_this(one) && one.decision == Some(Decision::AllowForMessage));
    let call = ToolCall {
        app_id: function.app_id.to_owned(),
        function: function.function.to_owned(),
        params,
        place: [round, index, 0],
        tainted,
        approved_in: granted.map(|one| one.question.clone()),
    };
    let place = format!("{round}.{index}");
    let called = run(ctx, &format!("call {place}"), function, call.clone()).await?;
    let approval = match called {
        Called::Told(told) => return Ok(Answered::told(told)),
        Called::NeedsApproval(approval) => approval,
    };
    if decisions.iter().any(|one| one.digest == approval.digest && one.decision == Some(Decision::Keep)) {
        return Ok(Answered::told("The user has declined exactly this already. It was not run. Do not ask again."));
    }
    let (title, name) = (readable(function.function), format!("approve {place}"));
    let decision = ctx.ask_approval(&name, question(&approval), (&title, &approval), APPROVE_WITHIN).await?;
    let decided = Some(Decided {
        decision,
        app_id: approval.app_id.clone(),
        function: approval.function.clone(),
        digest: approval.digest.clone(),
        question: name.clone(),
    });
    let told = match decision {
        None => "The user did not answer in time. It was not run.".to_owned(),
        Some(Decision::Keep) => "The user declined. It was not run. Do not try it again.".to_owned(),
        Some(Decision::Allow | Decision::AllowForMessage) => {
            // The platform runs the parameters of the question, not those of the model.
            let call = ToolCall { approved_in: Some(name), ..call };
            match run(ctx, &format!("run {place}"), function, call).await? {
                Called::Told(told) => told,
                // The program has changed since: what was approved is no longer this.
                Called::NeedsApproval(_) => {
                    "The function has changed since the user approved it. It was not run.".to_owned()
                }
            }
        }
    };
    Ok(Answered { told, decided })
}

/// Runs a call in a step, so that it has one result.
async fn run(ctx: &TaskContext, step: &str, function: &OfferedFunction, call: ToolCall) -> Result<Called> {
    ctx.step(step, async move |ctx: Context| called(&ctx, function, call).await).await
}

async fn called(ctx: &Context, function: &OfferedFunction, mut call: ToolCall) -> Result<Called> {
    let mut tries = 0;
    loop {
        match ctx.call_tool(call.clone()).await {
            Ok(ToolAnswer::NeedsApproval(approval)) => return Ok(Called::NeedsApproval(approval)),
            Ok(ToolAnswer::Replied(result)) if result.error_code.as_ref() == Some(&codes::INTERRUPTED) => {
                if function.kind == ToolKind::Read && call.place[2] < READ_AGAIN {
                    // Under another id: the one of the call that was cut off has its reply.
                    call.place[2] += 1;
                    continue;
                }
                return Ok(Called::Told(
                    "The process stopped while this ran. It may have happened or not. Do not repeat it; tell the user to \
                     check."
                        .to_owned(),
                ));
            }
            Ok(ToolAnswer::Replied(result)) => return Ok(Called::Told(for_model(&result))),
            Err(error) if error.code() == &codes::UNAVAILABLE && tries < TRIES => {
                tries += 1;
                // Repeated under the same id, so it runs once.
                tokio::time::sleep(WAIT).await;
            }
            Err(error) if matches!(error.kind(), ErrorKind::User | ErrorKind::Retryable) => {
                return Ok(Called::Told(refusal(&error)));
            }
            Err(error) => return Err(error),
        }
    }
}

/// The text for the model of a refused call.
fn refusal(error: &Error) -> String {
    let field = error.field().map(|field| format!(" (parameter `{field}`)")).unwrap_or_default();
    format!("{}: {}{field}", error.code(), error.message())
}

/// Names the deed while it runs, for watchers.
pub(super) fn stage(functions: &[OfferedFunction], wanted: &[WantedCall]) -> String {
    let names =
        wanted.iter().filter_map(|call| meant(functions, &call.name)).map(|function| readable(function.function));
    let names: Vec<_> = names.collect();
    if names.is_empty() { APP_ID.to_owned() } else { names.join(", ") }
}
