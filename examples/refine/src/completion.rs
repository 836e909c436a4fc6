//! The client of the completion service: a real one at `REFINE_API_URL`, or the example's small one.

use std::time::Duration;

use imperal::{Context, Error, Result};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

use crate::service;

const INSTRUCTION: &str = "Refine the text of the user: mend spelling, spacing, punctuation and style, keep its \
     meaning and language. Answer with the refined text alone.";

/// Any service with the OpenAI chat-completions interface.
pub(crate) struct Completions {
    configured: Option<String>,
    key: Option<String>,
    model: String,
    own: OnceCell<String>,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

impl Completions {
    /// `REFINE_API_URL` (up to and including `/v1`), `REFINE_API_KEY`, `REFINE_MODEL`.
    pub(crate) fn from_env() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            configured: text("REFINE_API_URL"),
            key: text("REFINE_API_KEY"),
            model: text("REFINE_MODEL").unwrap_or_else(|| "gpt-5-mini".to_owned()),
            own: OnceCell::new(),
        }
    }

    /// One completion. Ends early when the task is cancelled.
    pub(crate) async fn refine(&self, ctx: &Context, text: &str, timeout: Duration) -> Result<String> {
        let base = match &self.configured {
            Some(url) => url.trim_end_matches('/'),
            None => self.own.get_or_try_init(service::start).await?,
        };
        let mut request = ctx.http().post(format!("{base}/chat/completions")).timeout(timeout).json(&json!({
            "model": self.model,
            "messages": [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": text}],
        }));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let completion: Completion = request.send().await?.error_for_status()?.json()?;
        completion
            .choices
            .into_iter()
            .next()
            .map(|choice| choice.message.content)
            .ok_or_else(|| Error::retryable("EMPTY_COMPLETION", "The completion service answered without a text."))
    }
}
