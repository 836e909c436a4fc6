//! A language model, as the loop uses it: a prompt in, a reply out, its text heard while it comes.
//!
//! Owns the values of a conversation in no provider's form. It knows neither HTTP nor the platform.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::Context;
use crate::result::Result;

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// The rules of the assistant.
    Rules(String),
    /// The text of the user, or an event of the chat.
    User(String),
    /// The answer of the model.
    Model(Reply),
    /// The result of a call of the model's last reply.
    Result {
        /// The call's id in the prompt.
        call: String,
        /// Its result, for the model.
        text: String,
    },
}

/// A function as a model sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) description: String,
    /// An object schema.
    pub(crate) schema: Value,
}

/// Everything that a model gets for one reply.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Prompt {
    pub(crate) messages: Vec<Message>,
    pub(crate) tools: Vec<Tool>,
    /// Most tokens of the reply.
    pub(crate) max_tokens: u32,
}

/// A model's reply. It is stored as the value of a step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// The text for the user.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
    /// The calls that it wants, in order. Their ids are the prompt's own: providers repeat or omit theirs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) calls: Vec<WantedCall>,
    /// Opaque items that the provider wants back with this reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) opaque: Option<Value>,
    #[serde(default)]
    pub(crate) usage: Usage,
    /// Whether the reply ended because it was too long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) cut: bool,
}

/// A call that a model wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WantedCall {
    /// Unique in the prompt.
    pub(crate) id: String,
    /// The name of the tool, as the model wrote it.
    pub(crate) name: String,
    /// The arguments, as the model wrote them: JSON if all is well.
    pub(crate) arguments: String,
}

/// The tokens of a reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    pub(crate) reply: u64,
}

impl Usage {
    pub(crate) const fn total(self) -> u64 {
        self.prompt.saturating_add(self.reply)
    }
}

/// Hears the text of a reply while it comes. It has no part in the reply itself.
pub(crate) trait Hear: Send {
    /// More text of the reply. An error ends the reply.
    fn text<'a>(&'a mut self, text: &'a str) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;
}

/// The future of a reply.
pub(crate) type Replying<'a> = Pin<Box<dyn Future<Output = Result<Reply>> + Send + 'a>>;

/// A language model.
pub(crate) trait Model: fmt::Debug + Send + Sync {
    /// Asks for one reply. Requests go through the context, with its limits and its cancel.
    fn reply<'a>(&'a self, ctx: &'a Context, prompt: Prompt, hear: &'a mut dyn Hear) -> Replying<'a>;
}

/// About how many tokens a text is: four bytes each, as providers say of English.
pub(crate) const fn estimate_tokens(text: &str) -> u64 {
    text.len() as u64 / 4 + 1
}
