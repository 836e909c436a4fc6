//! One reply, from the pieces of its stream.
//!
//! Tolerant by design: ids of calls may repeat or be missing, the end mark may be missing, the answer may be in the
//! fields for reasoning. Every call in the reply runs; `finish_reason` is ignored.

use serde_json::Value;

use super::surrogates::Halves;
use super::think::Thoughts;
use super::wire::{CallPiece, Piece};
use crate::assistant::model::{Reply, Usage, WantedCall};
use crate::codes;
use crate::error::Error;
use crate::result::Result;
use crate::truncate::truncate_line;

/// The data of the event that ends a stream.
const DONE: &str = "[DONE]";
/// Most calls of one reply. Further ones are dropped.
const MOST_CALLS: usize = 32;
/// Largest text and largest arguments of one reply, in bytes: a server that never ends must not fill the memory.
const MOST_BYTES: usize = 4 << 20;

/// A call in the making.
#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

/// A reply in the making.
#[derive(Debug, Default)]
pub(super) struct Accumulator {
    halves: Halves,
    split: Thoughts,
    text: String,
    /// How much of the text was heard.
    heard: usize,
    reasoning: String,
    calls: Vec<Call>,
    opaque: Vec<Value>,
    usage: Usage,
    finish: Option<String>,
    bytes: usize,
}

impl Accumulator {
    /// Takes the data of one event. Returns whether the reply is complete.
    ///
    /// # Errors
    /// `MODEL_FAILED` for an error that the service sends in the stream, and for a reply that is too large.
    pub(super) fn take(&mut self, data: &str) -> Result<bool> {
        let data = data.trim();
        if data == DONE {
            return Ok(true);
        }
        self.bytes += data.len();
        if self.bytes > MOST_BYTES * 4 {
            return Err(Error::user(codes::MODEL_FAILED, "The model's reply is too large."));
        }
        // A piece that cannot be read is like one that was not sent: others follow.
        let Ok(chunk) = serde_json::from_str::<Value>(&self.halves.join(data)) else { return Ok(false) };
        let piece = Piece::read(&chunk);
        if let Some(text) = piece.error {
            let text = format!("The model's service failed in the middle of its reply: {}", truncate_line(&text, 300));
            return Err(Error::retryable(codes::MODEL_FAILED, text));
        }
        let answer = self.split.take(&piece.text);
        self.say(&answer);
        if self.reasoning.len() < MOST_BYTES {
            self.reasoning.push_str(&piece.reasoning);
        }
        for call in piece.calls {
            self.add_call(call);
        }
        self.opaque.extend(piece.opaque);
        if let Some((prompt, reply)) = piece.usage {
            self.usage = Usage { prompt, reply };
        }
        self.finish = piece.finish.or(self.finish.take());
        Ok(false)
    }

    fn say(&mut self, text: &str) {
        if self.text.len() + text.len() <= MOST_BYTES {
            self.text.push_str(text);
        }
    }

    /// The text that has come since this was last asked.
    pub(super) fn news(&mut self) -> String {
        let news = self.text[self.heard..].to_owned();
        self.heard = self.text.len();
        news
    }

    fn add_call(&mut self, piece: CallPiece) {
        let place = self.place_of(&piece);
        let call = match place {
            Some(place) => &mut self.calls[place],
            None if self.calls.len() >= MOST_CALLS => return,
            None => {
                self.calls.push(Call { index: piece.index, ..Call::default() });
                let last = self.calls.len() - 1;
                &mut self.calls[last]
            }
        };
        if call.id.is_empty() {
            call.id = piece.id;
        }
        // Sent once, sent with each piece, or sent in pieces.
        if call.name.is_empty() {
            call.name = piece.name;
        } else if call.arguments.is_empty() && call.name != piece.name {
            call.name.push_str(&piece.name);
        }
        if call.arguments.len() + piece.arguments.len() <= MOST_BYTES {
            call.arguments.push_str(&piece.arguments);
        }
    }

    /// The call that a piece goes on with; `None` for a new one.
    fn place_of(&self, piece: &CallPiece) -> Option<usize> {
        let last = self.calls.len().checked_sub(1)?;
        let found = match piece.index {
            Some(index) => self.calls.iter().rposition(|call| call.index == Some(index))?,
            None if !piece.id.is_empty() => {
                let same = self.calls.iter().rposition(|call| call.id == piece.id);
                return same.filter(|at| !self.is_complete(*at, piece));
            }
            None => last,
        };
        let call = &self.calls[found];
        // Some endpoints give every call the index 0, or none: another id, or a name after whole arguments, is another call.
        let has_other_id = !piece.id.is_empty() && !call.id.is_empty() && piece.id != call.id;
        let begins_again = !piece.name.is_empty() && self.is_complete(found, piece);
        (!has_other_id && !begins_again).then_some(found)
    }

    /// Whether a call has whole arguments, so that a piece with a name is another call's.
    fn is_complete(&self, at: usize, piece: &CallPiece) -> bool {
        let call = &self.calls[at];
        !piece.name.is_empty() && !call.name.is_empty() && serde_json::from_str::<Value>(&call.arguments).is_ok()
    }

    /// The reply, once the stream has ended, with its end mark or without. `round` makes the ids of its calls unique.
    ///
    /// # Errors
    /// `MODEL_FAILED` if there is nothing in it.
    pub(super) fn finish(mut self, round: usize) -> Result<Reply> {
        let rest = self.split.finish();
        self.say(&rest);
        let calls: Vec<WantedCall> = std::mem::take(&mut self.calls)
            .into_iter()
            .enumerate()
            .map(|(at, call)| WantedCall {
                id: format!("call_{round}_{at}"),
                name: call.name,
                arguments: call.arguments,
            })
            .collect();
        if self.text.trim().is_empty() && calls.is_empty() {
            // The whole answer may be in the fields for reasoning.
            let thought = if self.reasoning.trim().is_empty() { &self.split.so_far } else { &self.reasoning };
            let answer = thought.trim().to_owned();
            if answer.is_empty() {
                let text = "The model's service sent an empty reply. Try again, or ask in other words.";
                return Err(Error::retryable(codes::MODEL_FAILED, text));
            }
            self.text.clear();
            self.heard = 0;
            self.say(&answer);
        }
        Ok(Reply {
            text: self.text.trim_end().to_owned(),
            calls,
            opaque: (!self.opaque.is_empty()).then_some(Value::Array(self.opaque)),
            usage: self.usage,
            cut: self.finish.as_deref() == Some("length"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(chunks: &[Value]) -> Reply {
        let mut reply = Accumulator::default();
        for chunk in chunks {
            reply.take(&chunk.to_string()).unwrap();
        }
        reply.finish(0).unwrap()
    }

    fn delta(delta: &Value) -> Value {
        json!({"choices": [{"delta": delta}]})
    }

    fn call(fields: &Value) -> Value {
        delta(&json!({"tool_calls": [fields]}))
    }

    fn calls(reply: &Reply) -> Vec<(&str, &str)> {
        reply.calls.iter().map(|call| (call.name.as_str(), call.arguments.as_str())).collect()
    }

    #[test]
    fn pieces_of_parallel_calls_are_told_apart_by_index() {
        let reply = read(&[
            call(&json!({"index": 0, "id": "a", "function": {"name": "one", "arguments": ""}})),
            call(&json!({"index": 1, "id": "b", "function": {"name": "two", "arguments": "{\"x\""}})),
            call(&json!({"index": 0, "function": {"arguments": "{}"}})),
            call(&json!({"index": 1, "function": {"arguments": ":1}"}})),
        ]);
        assert_eq!(calls(&reply), [("one", "{}"), ("two", "{\"x\":1}")]);
        assert_eq!(reply.calls[1].id, "call_0_1");
    }

    #[test]
    fn calls_with_one_index_are_told_apart_by_id() {
        let whole = |id: &str, x: u32| {
            call(&json!({"index": 0, "id": id, "function": {"name": "f", "arguments": format!("{{\"x\":{x}}}")}}))
        };
        assert_eq!(calls(&read(&[whole("a", 1), whole("b", 2)])), [("f", "{\"x\":1}"), ("f", "{\"x\":2}")]);
    }

    #[test]
    fn calls_with_repeated_ids_or_without_ids_are_all_wanted() {
        let whole =
            |x: u32| call(&json!({"id": "same", "function": {"name": "f", "arguments": format!("{{\"x\":{x}}}")}}));
        assert_eq!(read(&[whole(1), whole(2)]).calls.len(), 2);
        let bare = |x: u32| call(&json!({"function": {"name": "f", "arguments": {"x": x}}}));
        let reply = read(&[bare(1), bare(2)]);
        assert_eq!(calls(&reply), [("f", "{\"x\":1}"), ("f", "{\"x\":2}")]);
        assert_ne!(reply.calls[0].id, reply.calls[1].id);
    }

    #[test]
    fn calls_are_wanted_whatever_finish_reason_says() {
        let mut last = call(&json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}));
        last["choices"][0]["finish_reason"] = json!("stop");
        assert_eq!(read(&[last]).calls.len(), 1);
    }

    #[test]
    fn an_answer_in_the_fields_for_reasoning_is_the_answer() {
        let reply =
            read(&[delta(&json!({"reasoning_content": "It is "})), delta(&json!({"reasoning_content": "42."}))]);
        assert_eq!(reply.text, "It is 42.");
        let reply = read(&[delta(&json!({"reasoning": "Hm."})), delta(&json!({"content": "42"}))]);
        assert_eq!(reply.text, "42");
        assert_eq!(read(&[delta(&json!({"content": "<think>It is 42."}))]).text, "It is 42.");
    }

    #[test]
    fn an_emoji_that_is_split_over_pieces_arrives_whole() {
        let mut reply = Accumulator::default();
        for data in
            [r#"{"choices":[{"delta":{"content":"a\ud83d"}}]}"#, r#"{"choices":[{"delta":{"content":"\ude00b"}}]}"#]
        {
            reply.take(data).unwrap();
        }
        assert_eq!(reply.finish(0).unwrap().text, "a\u{1f600}b");
    }

    #[test]
    fn a_stream_without_its_end_mark_is_a_reply() {
        assert_eq!(read(&[delta(&json!({"content": "all of it"}))]).text, "all of it");
        let mut reply = Accumulator::default();
        assert!(reply.take(" [DONE]").unwrap());
        assert_eq!(reply.finish(0).unwrap_err().code(), &codes::MODEL_FAILED);
    }

    #[test]
    fn whole_messages_lists_of_parts_and_broken_pieces_are_taken() {
        let mut reply = Accumulator::default();
        reply.take("no json").unwrap();
        let whole = json!({"choices": [{"message": {"content": [{"type": "text", "text": "Hello"}]}}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}});
        reply.take(&whole.to_string()).unwrap();
        let reply = reply.finish(0).unwrap();
        assert_eq!((reply.text.as_str(), reply.usage.total()), ("Hello", 5));
    }

    #[test]
    fn an_error_in_the_stream_ends_it() {
        let error = Accumulator::default().take(r#"{"error":{"message":"overloaded"}}"#).unwrap_err();
        assert!(error.message().ends_with("overloaded"), "{error}");
    }
}
