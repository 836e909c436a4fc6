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

/// A whole answer, or one event of a streamed one.
#[derive(Deserialize)]
struct Completion {
    /// Empty in an event that only counts tokens.
    #[serde(default)]
    choices: Vec<Choice>,
    /// Some services report a failure in the middle of their answer.
    #[serde(default)]
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(alias = "delta")]
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    message: String,
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

    /// One completion, which the user reads while it is written. Ends early when the work is cancelled, and when the
    /// service is silent for so long.
    pub(crate) async fn refine(&self, ctx: &Context, text: &str, silence: Duration) -> Result<String> {
        let base = match &self.configured {
            Some(url) => url.trim_end_matches('/'),
            None => self.own.get_or_try_init(service::start).await?,
        };
        let mut request = ctx.http().post(format!("{base}/chat/completions")).timeout(silence).json(&json!({
            "model": self.model,
            "stream": true,
            "messages": [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": text}],
        }));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let answer = request.stream().await?.error_for_status()?;
        let refined = if answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
            read_words(ctx, answer.events()?).await?
        } else {
            // A service that does not stream sends its answer whole.
            let completion: Completion = answer.read().await?.json()?;
            completion.choices.into_iter().next().and_then(|choice| choice.message.content).unwrap_or_default()
        };
        if refined.is_empty() {
            return Err(Error::retryable("EMPTY_COMPLETION", "The completion service answered without a text."));
        }
        Ok(refined)
    }
}

async fn read_words(ctx: &Context, mut events: imperal::context::EventStream) -> Result<String> {
    let mut draft = ctx.draft()?;
    // Whole, even if it is longer than a draft may be.
    let mut refined = String::new();
    let mut has_ended = false;
    while let Some(event) = events.next_event().await? {
        if event.data == "[DONE]" {
            has_ended = true;
            break;
        }
        let part: Completion = event.json()?;
        if let Some(Failure { message }) = part.error {
            return Err(Error::retryable(
                "COMPLETION_FAILED",
                "The completion service failed in the middle of its text.",
            )
            .with_source(message));
        }
        for choice in part.choices {
            has_ended |= choice.finish_reason.is_some();
            let words = choice.message.content.unwrap_or_default();
            draft.push(&words).await?;
            refined.push_str(&words);
        }
    }
    if !has_ended {
        return Err(Error::retryable(
            "COMPLETION_CUT_OFF",
            "The completion service stopped in the middle of its text.",
        ));
    }
    Ok(refined)
}
