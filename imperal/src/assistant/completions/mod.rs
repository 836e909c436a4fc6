//! A model behind an endpoint that speaks OpenAI's chat completions: hosted ones, Ollama, llama.cpp, vLLM and others.
//!
//! Owns the request, its repetition before the first byte, and the sentences for failures. `accumulate` makes a reply of
//! the streamed pieces.

mod accumulate;
mod surrogates;
mod think;
mod wire;

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};

use super::model::{Hear, Message, Model, Prompt, Reply, Replying, Usage, estimate_tokens};
use crate::codes;
use crate::context::Context;
use crate::error::Error;
use crate::result::Result;
use crate::truncate::truncate_line;
use accumulate::Accumulator;

/// Longest silence of the model: a reasoning model is silent while it thinks.
const SILENCE: Duration = Duration::from_secs(180);
/// Waits before a request is sent again that got no reply.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
/// Longest wait that a service may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// Longest excerpt of a service's error, in bytes.
const TOLD: usize = 300;

/// An endpoint with a model.
pub(crate) struct Completions {
    /// The base address, such as `http://localhost:11434/v1`.
    url: String,
    model: String,
    key: Option<Key>,
}

/// The operator's key. It is in no text.
struct Key(String);

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").field("url", &self.url).field("model", &self.model).finish_non_exhaustive()
    }
}

/// The parts of a request that some endpoints do not take. They say so before they reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Dialect {
    /// `max_completion_tokens` in place of `max_tokens`.
    completion_tokens: bool,
    /// No `stream_options`.
    plain_stream: bool,
}

impl Completions {
    pub(crate) fn new(url: &str, model: &str, key: Option<String>) -> Self {
        let url = url.trim_end_matches('/').trim_end_matches("/chat/completions").to_owned();
        Self { url, model: model.to_owned(), key: key.map(Key) }
    }

    async fn ask(&self, ctx: &Context, prompt: Prompt, hear: &mut dyn Hear) -> Result<Reply> {
        let (mut dialect, mut waits) = (Dialect::default(), WAITS.into_iter());
        loop {
            let refusal = match self.send(ctx, &prompt, dialect).await? {
                Sent::Events(events) => {
                    return read_reply(events, &prompt, hear).await.map_err(|error| self.screen(error));
                }
                Sent::Refused(refusal) => refusal,
            };
            if let Some(other) = dialect.learn(&refusal) {
                dialect = other;
                continue;
            }
            match waits.next().filter(|_| refusal.may_pass()) {
                Some(wait) => {
                    let wait = refusal.retry_after.unwrap_or(wait).min(LONGEST_WAIT);
                    tokio::time::sleep(wait).await;
                }
                None => return Err(self.screen(refusal.into_error(&self.url, &self.model))),
            }
        }
    }

    /// An error without the key: services quote it.
    fn screen(&self, error: Error) -> Error {
        let Some(Key(key)) = self.key.as_ref().filter(|key| key.0.len() >= 8) else { return error };
        error.screened(|text| if text.contains(key) { text.replace(key, "[model key]").into() } else { text.into() })
    }
}

impl Model for Completions {
    fn reply<'a>(&'a self, ctx: &'a Context, prompt: Prompt, hear: &'a mut dyn Hear) -> Replying<'a> {
        Box::pin(self.ask(ctx, prompt, hear))
    }
}

impl Dialect {
    /// The dialect that the endpoint asks for in its refusal.
    fn learn(self, refusal: &Refusal) -> Option<Self> {
        let asks_for = |words: &str| refusal.status == 400 && refusal.text.contains(words);
        if !self.completion_tokens && asks_for("max_completion_tokens") {
            return Some(Self { completion_tokens: true, ..self });
        }
        (!self.plain_stream && asks_for("stream_options")).then_some(Self { plain_stream: true, ..self })
    }
}

/// The body of a request.
fn body(model: &str, prompt: &Prompt, dialect: Dialect) -> Value {
    let mut body = json!({
        "model": model,
        "messages": prompt.messages.iter().map(message).collect::<Vec<_>>(),
        "stream": true,
    });
    let tokens = if dialect.completion_tokens { "max_completion_tokens" } else { "max_tokens" };
    body[tokens] = json!(prompt.max_tokens);
    if !dialect.plain_stream {
        body["stream_options"] = json!({"include_usage": true});
    }
    if !prompt.tools.is_empty() {
        let tools = prompt.tools.iter().map(|tool| {
            json!({"type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.schema,
            }})
        });
        body["tools"] = tools.collect();
    }
    body
}

fn message(message: &Message) -> Value {
    match message {
        Message::Rules(text) => json!({"role": "system", "content": text}),
        Message::User(text) => json!({"role": "user", "content": text}),
        Message::Result { call, text } => json!({"role": "tool", "tool_call_id": call, "content": text}),
        Message::Model(reply) => {
            let mut message = json!({"role": "assistant", "content": reply.text});
            if !reply.calls.is_empty() {
                let calls = reply.calls.iter().map(|call| {
                    // Some endpoints refuse a conversation whose arguments are no JSON, also those of the model itself.
                    let is_json = serde_json::from_str::<Value>(&call.arguments).is_ok();
                    let arguments = if is_json { call.arguments.as_str() } else { "{}" };
                    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
                });
                message["tool_calls"] = calls.collect();
            }
            if let Some(opaque) = &reply.opaque {
                message["reasoning_details"] = opaque.clone();
            }
            message
        }
    }
}

/// Reads a reply from the events of a stream.
async fn read_reply(mut events: Events, prompt: &Prompt, hear: &mut dyn Hear) -> Result<Reply> {
    let mut reply = Accumulator::default();
    while let Some(event) = events.next().await {
        let is_end = reply.take(&event.map_err(broken_off)?)?;
        let news = reply.news();
        if !news.is_empty() {
            hear.text(&news).await?;
        }
        if is_end {
            break;
        }
    }
    let round = prompt.messages.iter().filter(|message| matches!(message, Message::Model(_))).count();
    let mut reply = reply.finish(round)?;
    if reply.usage == Usage::default() {
        // Endpoints may leave it out: a budget counts an estimate.
        let asked = prompt.messages.iter().map(|message| estimate_tokens(&self::message(message).to_string())).sum();
        let said = reply.calls.iter().map(|call| estimate_tokens(&call.arguments)).sum::<u64>();
        reply.usage = Usage { prompt: asked, reply: said + estimate_tokens(&reply.text) };
    }
    Ok(reply)
}

/// The error of a reply that broke off in its middle. It is not asked for again by itself: it was paid for.
fn broken_off(error: Error) -> Error {
    if error.is_cancelled() {
        return error;
    }
    let text = "The model's service broke off in the middle of its reply. Try again.";
    Error::retryable(codes::MODEL_FAILED, text).with_source(error.to_string())
}

/// The response to a request.
enum Sent {
    /// The data of the events of a stream.
    Events(Events),
    /// No reply.
    Refused(Refusal),
}

/// A response that is no reply.
struct Refusal {
    /// Zero if there was no response.
    status: u16,
    text: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn may_pass(&self) -> bool {
        matches!(self.status, 0 | 408 | 429 | 500 | 502 | 503 | 504 | 529)
    }

    /// What happened, and what to do.
    fn into_error(self, url: &str, model: &str) -> Error {
        let said = wire::error_text(&self.text).unwrap_or_default();
        let said = truncate_line(said.trim(), TOLD).into_owned();
        let said = if said.is_empty() { String::new() } else { format!(" It says: {said}") };
        let (code, text, passes) = match self.status {
            0 => (
                codes::MODEL_FAILED,
                "The model's service cannot be reached. The functions work as always; try again in a moment."
                    .to_owned(),
                true,
            ),
            401 | 403 => (
                codes::MODEL_FAILED,
                format!("The model's service refused the key. The operator sets it in IMPERAL_MODEL_KEY.{said}"),
                false,
            ),
            404 => (
                codes::MODEL_FAILED,
                format!(
                    "The model's service does not know the model `{model}`. The operator sets it with --model.{said}"
                ),
                false,
            ),
            429 => (
                codes::RATE_LIMITED,
                format!("The model's service has too many requests. Try again in a minute.{said}"),
                true,
            ),
            400 | 413 | 422 => (codes::MODEL_FAILED, format!("The model's service refused the request.{said}"), false),
            status => (
                codes::MODEL_FAILED,
                format!("The model's service failed with {status}. Try again in a moment.{said}"),
                true,
            ),
        };
        let error = if passes { Error::retryable(code, text) } else { Error::user(code, text) };
        error.with_source(format!(
            "POST {url}/chat/completions answered {}: {}",
            self.status,
            truncate_line(&self.text, 2000)
        ))
    }
}

/// The data of the events of a reply.
type Events = Pin<Box<dyn Stream<Item = Result<String>> + Send>>;

impl Completions {
    /// Sends the request once. Its silence is limited, and the whole reply only by the time of the task: a reasoning model
    /// takes long.
    async fn send(&self, ctx: &Context, prompt: &Prompt, dialect: Dialect) -> Result<Sent> {
        let request = ctx.http().post(format!("{}/chat/completions", self.url)).timeout(SILENCE);
        let request = request.header("accept", "text/event-stream").json(&body(&self.model, prompt, dialect));
        let request = match &self.key {
            Some(Key(key)) => request.bearer_auth(key),
            None => request,
        };
        let answer = match request.stream().await {
            Ok(answer) => answer,
            Err(error) => return unreachable_unless_cancelled(error.into()),
        };
        let status = answer.status();
        let streams = answer.header("content-type").is_none_or(|kind| !kind.contains("json"));
        if status.is_success() && streams {
            let events = answer.events()?.map(|event| Ok(event?.data));
            return Ok(Sent::Events(Box::pin(events)));
        }
        let seconds = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
        let whole = match answer.read().await {
            Ok(whole) => String::from_utf8_lossy(whole.bytes()).into_owned(),
            Err(error) => return unreachable_unless_cancelled(error.into()),
        };
        if status.is_success() {
            // An endpoint that does not stream sends one JSON text.
            return Ok(Sent::Events(Box::pin(futures_util::stream::iter([Ok(whole)]))));
        }
        let retry_after = seconds.map(Duration::from_secs);
        Ok(Sent::Refused(Refusal { status: status.as_u16(), text: whole, retry_after }))
    }
}

/// # Errors
/// That of a cancel.
fn unreachable_unless_cancelled(error: Error) -> Result<Sent> {
    if error.is_cancelled() {
        return Err(error);
    }
    Ok(Sent::Refused(Refusal { status: 0, text: error.to_string(), retry_after: None }))
}
