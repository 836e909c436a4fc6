//! The requests of the assistant's loop to the platform, as plain values.
//!
//! The loop knows functions by their descriptions and runs them through its [`Host`](super::Host). The platform decides
//! whether a call needs the user's approval, and whether it has one.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Context, TaskContext};
use crate::result::{Result, WireResult};
use crate::rows::Turn;

/// The effect of a function on its user's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ToolKind {
    /// It changes nothing.
    Read,
    /// It changes something that can be changed back.
    Write,
    /// It changes something for good.
    Destructive,
}

/// A function that a model may be offered.
#[derive(Debug, Clone)]
pub(crate) struct OfferedFunction {
    /// The name under which models know it.
    pub(crate) tool: String,
    pub(crate) app_id: &'static str,
    pub(crate) function: &'static str,
    pub(crate) description: &'static str,
    pub(crate) kind: ToolKind,
    /// The input schema without references, and without values that a model must not give.
    pub(crate) schema: Value,
    /// Whether it needs a value that only its user can give, in the form on the page. It is not offered then.
    pub(crate) needs_form: bool,
}

/// A call that the model wants.
#[derive(Debug, Clone)]
pub(crate) struct ToolCall {
    pub(crate) app_id: String,
    pub(crate) function: String,
    pub(crate) params: Value,
    /// Its place in the conversation: round, number in the round, and how often it was begun again. The call's id is
    /// made of it, so that an attempt of the loop finds the call of an earlier one.
    pub(crate) place: [u32; 3],
    /// Whether the prompt had text that its user did not write.
    pub(crate) tainted: bool,
    /// The name of the question in which the user approved it.
    pub(crate) approved_in: Option<String>,
}

/// The outcome of a call that the model wants.
#[derive(Debug)]
pub(crate) enum ToolAnswer {
    /// The function has replied, to this attempt of the loop or to an earlier one.
    Replied {
        result: Box<WireResult>,
        /// Whether the user's answer allows the function in this conversation.
        allows: bool,
    },
    /// It runs only with the user's approval of exactly this.
    NeedsApproval(Box<CallApproval>),
}

/// The subject of an approval: a function with its parameters, as they were checked by a schema. It is part of the
/// question's schema, so the ledger keeps it with the question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CallApproval {
    pub(crate) app_id: String,
    pub(crate) function: String,
    pub(crate) kind: ToolKind,
    /// The parameters after the check: the platform runs these.
    pub(crate) params: Value,
    /// Stands for the function, its parameters and their schema.
    pub(crate) digest: String,
    /// Stands for the function and its schema.
    #[serde(default)]
    pub(crate) function_digest: String,
}

/// The key of an [`CallApproval`] in the schema of its question.
pub(crate) const APPROVAL: &str = "x-approval";

impl CallApproval {
    /// The approval that a question's schema asks for.
    pub(crate) fn of_schema(schema: &Value) -> Option<Self> {
        serde_json::from_value(schema.get(APPROVAL)?.clone()).ok()
    }
}

/// The end of a request to the model, for the metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelNote {
    pub(crate) outcome: ModelOutcome,
    pub(crate) took: Duration,
    pub(crate) prompt_tokens: u64,
    pub(crate) reply_tokens: u64,
}

/// How a request to the model ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModelOutcome {
    /// With a reply.
    Replied,
    /// Without one: its service failed, refused it, or broke off.
    Failed,
    /// The user stopped the answer, or the process did.
    Cancelled,
    /// It was not sent: the tokens of the user's day are used up.
    OverLimit,
}

impl Context {
    /// Counts a request to the model.
    pub(crate) fn note_model(&self, note: ModelNote) {
        self.services().host.note_model(note);
    }

    /// The functions that a model may be offered.
    pub(crate) fn offered_functions(&self) -> Arc<[OfferedFunction]> {
        self.services().host.offered_functions()
    }

    /// The latest turns of the user's chat, in order.
    pub(crate) async fn latest_turns(&self, limit: u32) -> Result<Vec<Turn>> {
        self.services().host.latest_turns(self.origin(), limit).await
    }

    /// Runs a function that the model wants, or says that it needs an approval. When the work is stopped, the function is
    /// stopped too.
    pub(crate) async fn call_tool(&self, call: ToolCall) -> Result<ToolAnswer> {
        let host = self.services().host.clone();
        let calling = host.call_tool(self.clone(), call);
        self.until_stopped(calling).await
    }
}

/// The user's answer to an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    /// Not this call.
    Keep,
    /// This call.
    Allow,
    /// This function, with any parameters, in this conversation. Never for a destructive function.
    AllowForConversation,
    /// Not this call: the user runs the function, perhaps with other parameters.
    ByHand,
}

impl CallApproval {
    /// The schema of the answer, with the approval in it. Choices name the deed; the first one does nothing.
    fn schema(&self, title: &str) -> String {
        let mut choices = vec![
            json!({"const": Decision::Keep, "title": "Do not"}),
            json!({"const": Decision::Allow, "title": title}),
        ];
        if self.kind == ToolKind::Write {
            let all = format!("{title}, and later ones in this conversation");
            choices.push(json!({"const": Decision::AllowForConversation, "title": all}));
        }
        choices.push(json!({"const": Decision::ByHand, "title": "I run it by its form"}));
        json!({"type": "string", "oneOf": choices, APPROVAL: self}).to_string()
    }
}

impl TaskContext {
    /// Asks the user to approve a call. `title` names the deed. `None` if no answer came in time.
    pub(crate) async fn ask_approval(
        &self,
        name: &str,
        text: String,
        (title, approval): (&str, &CallApproval),
        within: Duration,
    ) -> Result<Option<Decision>> {
        self.ask_with_schema(name, text, approval.schema(title), within).await
    }
}
