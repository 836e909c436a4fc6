//! A scripted language model, behind the real protocol: the assistant's requests go through the reader that a hosted
//! model's replies go through.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::http::{Reply, RuleLog, ScriptedHttp};
use crate::assistant::AssistantSettings;

/// The address of the scripted model.
const URL: &str = "http://model.test/v1";

/// A reply of a scripted model: text, calls, or both. It becomes the pieces of a stream, as a service sends them.
///
/// ```
/// use imperal::testing::ModelReply;
///
/// let reply = ModelReply::new().text("I look first.").call("check", serde_json::json!({"id": 3}));
/// assert!(reply.to_events().ends_with("data: [DONE]\n\n"));
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "give it to `platform.model().replies(..)`"]
pub struct ModelReply {
    chunks: Vec<String>,
    calls: usize,
    no_end: bool,
    tokens: (u64, u64),
}

impl ModelReply {
    /// Nothing yet. 100 tokens of the prompt, 10 of the reply.
    pub fn new() -> Self {
        Self { tokens: (100, 10), ..Self::default() }
    }

    /// More text, a piece for each word.
    pub fn text(mut self, text: &str) -> Self {
        for piece in text.split_inclusive(' ') {
            self = self.delta(&json!({"content": piece}));
        }
        self
    }

    /// A call of a function, in two pieces.
    pub fn call(self, function: &str, params: impl Into<Value>) -> Self {
        self.call_with(function, &params.into().to_string())
    }

    /// A call with these arguments as they are, which may be no JSON.
    pub fn call_with(mut self, function: &str, arguments: &str) -> Self {
        let index = self.calls;
        self.calls += 1;
        let middle = arguments.floor_char_boundary(arguments.len() / 2);
        let first = json!({"index": index, "id": format!("id_{index}"), "type": "function",
            "function": {"name": function, "arguments": &arguments[..middle]}});
        let second = json!({"index": index, "function": {"arguments": &arguments[middle..]}});
        self = self.delta(&json!({"tool_calls": [first]}));
        self.delta(&json!({"tool_calls": [second]}))
    }

    /// Any piece of a message, as a service sends it.
    pub fn delta(self, delta: &Value) -> Self {
        self.chunk(json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}).to_string())
    }

    /// The data of an event as it is.
    pub fn chunk(mut self, data: impl Into<String>) -> Self {
        self.chunks.push(data.into());
        self
    }

    /// The tokens that the reply says it used.
    pub fn tokens(self, prompt: u64, reply: u64) -> Self {
        Self { tokens: (prompt, reply), ..self }
    }

    /// Leaves out the end mark and the tokens.
    pub fn without_end(self) -> Self {
        Self { no_end: true, ..self }
    }

    /// The events of the stream.
    pub fn to_events(&self) -> String {
        let mut chunks = self.chunks.clone();
        if !self.no_end {
            let (prompt, reply) = self.tokens;
            let finish = if self.calls > 0 { "tool_calls" } else { "stop" };
            chunks.push(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}).to_string());
            let usage = json!({"prompt_tokens": prompt, "completion_tokens": reply});
            chunks.push(json!({"choices": [], "usage": usage}).to_string());
            chunks.push("[DONE]".to_owned());
        }
        chunks.iter().fold(String::new(), |events, data| format!("{events}data: {data}\n\n"))
    }
}

/// A language model that replies as a test says. From [`TestPlatform::model`](super::TestPlatform::model), on a platform
/// that was started with [`TestSetup::model`](super::TestSetup::model).
///
/// Each request of the assistant gets the next reply. A request without one fails with `MODEL_FAILED`.
#[derive(Clone)]
pub struct ScriptedModel(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    requests: Vec<Value>,
    log: RuleLog,
}

impl ScriptedModel {
    pub(super) fn settings() -> AssistantSettings {
        AssistantSettings { key: Some("sk-of-the-operator".to_owned()), ..AssistantSettings::new(URL, "scripted") }
    }

    pub(super) fn serve(http: &ScriptedHttp) -> Self {
        let model = Self(Arc::default());
        let serving = model.clone();
        let log = http.post(format!("{URL}/chat/completions")).reply(Reply::with(move |request| {
            let mut script = serving.lock();
            script.requests.push(serde_json::from_slice(&request.body).unwrap_or_default());
            let used_up = json!({"error": {"message": "the script of the model is used up"}});
            script.replies.pop_front().unwrap_or_else(|| Reply::json(used_up).with_status(400))
        }));
        model.lock().log = log;
        model
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn then(&self, reply: Reply) -> &Self {
        self.lock().replies.push_back(reply);
        self
    }

    /// The next reply is this text.
    pub fn says(&self, text: &str) -> &Self {
        self.replies(&ModelReply::new().text(text))
    }

    /// The next reply is a call of this function.
    pub fn calls(&self, function: &str, params: impl Into<Value>) -> &Self {
        self.replies(&ModelReply::new().call(function, params))
    }

    /// The next reply.
    pub fn replies(&self, reply: &ModelReply) -> &Self {
        self.then(Reply::text(reply.to_events()).header("content-type", "text/event-stream"))
    }

    /// The next request is refused with this status and this sentence.
    ///
    /// # Panics
    /// When the status does not exist.
    #[track_caller]
    pub fn fails(&self, status: u16, message: &str) -> &Self {
        self.then(Reply::json(json!({"error": {"message": message}})).with_status(status))
    }

    /// The next request gets this response, with its delay.
    pub fn responds(&self, response: Reply) -> &Self {
        self.then(response)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Value> {
        self.lock().requests.clone()
    }

    /// The results of tools in the latest request, in order.
    pub fn told(&self) -> Vec<String> {
        let requests = self.requests();
        let messages = requests.last().and_then(|request| request["messages"].as_array().cloned()).unwrap_or_default();
        let results = messages.iter().filter(|message| message["role"] == "tool");
        results.map(|message| message["content"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// How often the model was asked.
    pub fn asked(&self) -> usize {
        self.lock().log.calls()
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.lock();
        f.debug_struct("ScriptedModel")
            .field("left", &script.replies.len())
            .field("requests", &script.requests.len())
            .finish_non_exhaustive()
    }
}
