//! The operator's choice of a model, and the limits of the assistant.

use std::fmt;
use std::sync::Arc;

use super::completions::Completions;
use super::model::Model;

/// Most tokens that a user may use in a day (UTC), unless set otherwise.
const TOKENS_A_DAY: u64 = 200_000;
/// Most tokens of one reply of the model, unless set otherwise.
const TOKENS_A_REPLY: u32 = 2_048;

/// The model of the assistant, and its limits.
///
/// The model is behind an endpoint that speaks OpenAI's chat completions: a hosted one, Ollama, llama.cpp, vLLM and many
/// others. The environment variables `IMPERAL_MODEL_URL`, `IMPERAL_MODEL` and `IMPERAL_MODEL_KEY` set it too.
#[derive(Clone)]
#[non_exhaustive]
pub struct AssistantSettings {
    /// The base address, such as `http://localhost:11434/v1`.
    pub url: String,
    /// The name of the model there.
    pub model: String,
    /// The key of the endpoint, if it needs one. It is the operator's, and appears in no text.
    pub key: Option<String>,
    /// Most tokens that a user may use in a day (UTC), prompts included; 0 for no limit. 200,000.
    pub tokens_per_user_and_day: u64,
    /// Most tokens of one reply. 2,048.
    pub tokens_per_reply: u32,
    /// What the assistant is told about its work, besides its rules. Empty.
    pub instructions: String,
}

impl AssistantSettings {
    /// A model without a key, with the default limits.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            key: None,
            tokens_per_user_and_day: TOKENS_A_DAY,
            tokens_per_reply: TOKENS_A_REPLY,
            instructions: String::new(),
        }
    }

    /// One sentence for each invalid value.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let is_address = reqwest::Url::parse(&self.url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !is_address {
            faults.push(format!(
                "the model's address (--model-url) is {:?}; use one such as http://localhost:11434/v1",
                self.url
            ));
        }
        if self.model.trim().is_empty() {
            faults
                .push("the model's name (--model) is empty; use the name under which its service knows it".to_owned());
        }
        if self.tokens_per_reply == 0 {
            faults.push("tokens_per_reply is 0, so no reply could come; use 1 or more".to_owned());
        }
        faults
    }
}

impl fmt::Debug for AssistantSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssistantSettings")
            .field("url", &self.url)
            .field("model", &self.model)
            .field("tokens_per_user_and_day", &self.tokens_per_user_and_day)
            .finish_non_exhaustive()
    }
}

/// The assistant of a process: a state that its loop reaches.
#[derive(Debug, Clone)]
pub(crate) struct Assistant {
    pub(crate) model: Arc<dyn Model>,
    pub(crate) tokens_per_user_and_day: u64,
    pub(crate) tokens_per_reply: u32,
    pub(crate) instructions: String,
}

impl Assistant {
    pub(crate) fn new(settings: AssistantSettings) -> Self {
        let AssistantSettings { url, model, key, tokens_per_user_and_day, tokens_per_reply, instructions } = settings;
        let model = Arc::new(Completions::new(&url, &model, key));
        Self { model, tokens_per_user_and_day, tokens_per_reply, instructions }
    }
}
