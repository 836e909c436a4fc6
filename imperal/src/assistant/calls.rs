//! One call that the model wants: reading it, running it once, and the text for the model.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::APP_ID;
use super::allowed::allow;
use super::approval::{question, readable};
use super::arguments::read_arguments;
use super::model::WantedCall;
use super::offered::{Offer, meant};
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

/// For the model: the user runs the function, perhaps with other parameters.
const BY_HAND: &str = "The user runs this by its form instead, perhaps with other parameters. You did not run it, and do not run \
     it again. Its result comes into the chat.";

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
    pub(super) fn told(told: impl Into<String>) -> Self {
        Self { told: told.into(), decided: None }
    }
}

/// The conversation around a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) ctx: &'a TaskContext,
    pub(super) offer: &'a Offer<'a>,
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
    let Around { ctx, offer, decisions, tainted, round } = around;
    let Some(function) = meant(offer.functions(), &wanted.name) else {
        return Ok(Answered::told(offer.no_function(&wanted.name)));
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
    let call = ToolCall {
        app_id: function.app_id.to_owned(),
        function: function.function.to_owned(),
        params,
        place: [round, index, 0],
        tainted,
        approved_in: None,
    };
    let place = format!("{round}.{index}");
    let called = run(ctx, &format!("call {place}"), function, call.clone(), None).await?;
    let approval = match called {
        Called::Told(told) => return Ok(Answered::told(told)),
        Called::NeedsApproval(approval) => approval,
    };
    match decisions.iter().find(|one| one.digest == approval.digest).and_then(|one| one.decision) {
        Some(Decision::Keep) => {
            return Ok(Answered::told("The user has declined exactly this already. It was not run. Do not ask again."));
        }
        Some(Decision::ByHand) => return Ok(Answered::told(BY_HAND)),
        Some(Decision::Allow | Decision::AllowForConversation) | None => {}
    }
    let (title, name) = (readable(function.function), format!("approve {place}"));
    let decision = ctx.ask_approval(&name, question(&approval), (&title, &approval), APPROVE_WITHIN).await?;
    let decided = Some(Decided { decision, digest: approval.digest.clone() });
    let told = match decision {
        None => "The user did not answer in time. It was not run.".to_owned(),
        Some(Decision::Keep) => "The user declined. It was not run. Do not try it again.".to_owned(),
        Some(Decision::ByHand) => BY_HAND.to_owned(),
        Some(decision @ (Decision::Allow | Decision::AllowForConversation)) => {
            let allowed = (decision == Decision::AllowForConversation).then_some(&*approval);
            // The platform runs the parameters of the question, not those of the model.
            let call = ToolCall { approved_in: Some(name), ..call };
            match run(ctx, &format!("run {place}"), function, call, allowed).await? {
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

/// Runs a call in a step, so that it has one result. With it the step notes what the user allowed beyond this call, once the
/// platform has seen the user's answer.
async fn run(
    ctx: &TaskContext,
    step: &str,
    function: &OfferedFunction,
    call: ToolCall,
    allowed: Option<&CallApproval>,
) -> Result<Called> {
    ctx.step(step, async move |ctx: Context| {
        let (called, allows) = called(&ctx, function, call).await?;
        if let Some(approval) = allowed.filter(|_| allows) {
            allow(&ctx, approval).await?;
        }
        Ok(called)
    })
    .await
}

/// The outcome of a call, and whether the user's answer allows the function in this conversation.
async fn called(ctx: &Context, function: &OfferedFunction, mut call: ToolCall) -> Result<(Called, bool)> {
    let mut tries = 0;
    loop {
        match ctx.call_tool(call.clone()).await {
            Ok(ToolAnswer::NeedsApproval(approval)) => return Ok((Called::NeedsApproval(approval), false)),
            Ok(ToolAnswer::Replied { result, allows }) if result.error_code.as_ref() == Some(&codes::INTERRUPTED) => {
                if function.kind == ToolKind::Read && call.place[2] < READ_AGAIN {
                    // Under another id: the one of the call that was cut off has its reply.
                    call.place[2] += 1;
                    continue;
                }
                let told = "The process stopped while this ran. It may have happened or not. Do not repeat it; tell the \
                            user to check.";
                return Ok((Called::Told(told.to_owned()), allows));
            }
            Ok(ToolAnswer::Replied { result, allows }) => return Ok((Called::Told(for_model(&result)), allows)),
            Err(error) if error.code() == &codes::UNAVAILABLE && tries < TRIES => {
                tries += 1;
                // Repeated under the same id, so it runs once.
                tokio::time::sleep(WAIT).await;
            }
            Err(error) if matches!(error.kind(), ErrorKind::User | ErrorKind::Retryable) => {
                return Ok((Called::Told(refusal(&error)), false));
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
