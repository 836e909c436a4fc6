//! The pieces of a streamed reply, as endpoints send them. Everything may be absent, and what is not understood is
//! ignored.

use serde_json::Value;

/// A piece of a call.
#[derive(Debug, Default, PartialEq)]
pub(super) struct CallPiece {
    pub(super) index: Option<u64>,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// A piece of a reply.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) calls: Vec<CallPiece>,
    /// Parts that the provider wants back.
    pub(super) opaque: Vec<Value>,
    pub(super) finish: Option<String>,
    /// Tokens of the prompt and of the reply.
    pub(super) usage: Option<(u64, u64)>,
    /// The text of an error in the stream.
    pub(super) error: Option<String>,
}

impl Piece {
    pub(super) fn read(chunk: &Value) -> Self {
        let choice = &chunk["choices"][0];
        // An endpoint that does not stream sends a whole message.
        let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
        let calls = match &delta["tool_calls"] {
            Value::Array(calls) => calls.iter().map(CallPiece::read).collect(),
            // The form before `tool_calls`.
            _ if delta["function_call"].is_object() => vec![CallPiece::read(delta)],
            _ => Vec::new(),
        };
        let reasoning = ["reasoning_content", "reasoning"].iter().map(|key| text(&delta[*key]));
        let usage = &chunk["usage"];
        let tokens = |keys: [&str; 2]| keys.iter().find_map(|key| usage[*key].as_u64());
        Self {
            text: text(&delta["content"]),
            reasoning: reasoning.into_iter().find(|text| !text.is_empty()).unwrap_or_default(),
            calls,
            opaque: delta["reasoning_details"].as_array().cloned().unwrap_or_default(),
            finish: choice["finish_reason"].as_str().map(str::to_owned),
            usage: usage.is_object().then(|| {
                let prompt = tokens(["prompt_tokens", "input_tokens"]).unwrap_or_default();
                (prompt, tokens(["completion_tokens", "output_tokens"]).unwrap_or_default())
            }),
            error: error_of(chunk),
        }
    }
}

impl CallPiece {
    fn read(call: &Value) -> Self {
        let function = match (&call["function"], &call["function_call"]) {
            (function @ Value::Object(_), _) | (_, function @ Value::Object(_)) => function,
            _ => call,
        };
        let arguments = match &function["arguments"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            // Ollama's own form.
            value => value.to_string(),
        };
        Self {
            index: call["index"].as_u64(),
            id: call["id"].as_str().unwrap_or_default().to_owned(),
            name: function["name"].as_str().unwrap_or_default().to_owned(),
            arguments,
        }
    }
}

/// A text, or the texts of a list of parts.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(|part| part["text"].as_str().unwrap_or_default()).collect(),
        _ => String::new(),
    }
}

fn error_of(body: &Value) -> Option<String> {
    match &body["error"] {
        Value::String(text) => Some(text.clone()),
        Value::Object(error) => {
            Some(error.get("message").and_then(Value::as_str).map_or_else(|| body["error"].to_string(), str::to_owned))
        }
        _ => None,
    }
}

/// The sentence of an error's body, or the body if it is short and plain.
pub(super) fn error_text(body: &str) -> Option<String> {
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Array(list)) => list.first().and_then(error_of),
        Ok(body) => error_of(&body).or_else(|| body["message"].as_str().map(str::to_owned)),
        // A page of HTML says nothing to a user.
        Err(_) if body.trim_start().starts_with('<') => None,
        Err(_) => Some(body.to_owned()),
    }
}
