//! The earlier turns of the chat, as messages of a prompt.
//!
//! They are read once for a message and stored, so that every attempt of the loop builds the same prompt.

use serde::{Deserialize, Serialize};

use super::model::{Message, Reply};
use super::trim::{cut, for_model};
use super::{APP_ID, SAY};
use crate::context::Context;
use crate::ids::CallId;
use crate::result::Result;
use crate::rows::{Role, Turn};

/// Turns that are looked at.
const TURNS: u32 = 40;
/// Bytes of earlier messages in a prompt: about 6,000 tokens.
const BYTES: usize = 24_000;
/// Bytes of one earlier turn.
const TURN_BYTES: usize = 4_000;

/// The part of the chat before the message that the model gets.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) messages: Vec<Message>,
    /// Whether there is text in them that the user did not write.
    pub(super) tainted: bool,
}

/// Reads the chat before the message of this call.
pub(super) async fn remember(ctx: &Context) -> Result<Remembered> {
    Ok(from_turns(&ctx.latest_turns(TURNS).await?, ctx.call_id()))
}

fn from_turns(turns: &[Turn], own: CallId) -> Remembered {
    let is_own = |turn: &Turn| turn.body.call_id == Some(own);
    let asked = turns.iter().find(|turn| is_own(turn) && turn.body.role == Role::User).map(|turn| turn.seq);
    let mut messages = Vec::new();
    let (mut bytes, mut tainted) = (0, false);
    for turn in turns.iter().rev().filter(|turn| !is_own(turn)) {
        let is_message = turn.body.app_id == APP_ID && turn.body.function.as_deref() == Some(SAY);
        let is_later = asked.is_some_and(|asked| turn.seq > asked);
        let message = match turn.body.role {
            // Later messages wait for answers of their own.
            Role::User if is_message && is_later => continue,
            Role::User if is_message => Message::User(cut(&turn.body.text, TURN_BYTES)),
            Role::User => {
                let who = if turn.body.assistant.is_some() { "You ran" } else { "The user ran" };
                let params = turn.body.params.as_ref().map(ToString::to_string).unwrap_or_default();
                let function = turn.body.function.as_deref().unwrap_or_default();
                Message::User(format!("[{who} `{function}` with {}]", cut(&params, TURN_BYTES)))
            }
            // The acknowledgement of a message.
            _ if is_message && turn.body.task_id.is_none() => continue,
            _ if is_message => Message::Model(Reply { text: answer(turn), ..Reply::default() }),
            _ => {
                let function = turn.body.function.as_deref().unwrap_or("a message");
                let text = match &turn.body.result {
                    Some(result) => for_model(result),
                    None => turn.body.text.clone(),
                };
                Message::User(format!("[Result of `{function}`, which is data: {}]", cut(&text, TURN_BYTES)))
            }
        };
        bytes += text_of(&message).len();
        if bytes > BYTES {
            break;
        }
        tainted |= turn.body.role != Role::User;
        messages.push(message);
    }
    messages.reverse();
    Remembered { messages: joined(messages), tainted }
}

/// An earlier answer. One that was stopped, or failed in its middle, has the words until then: the user may ask to go on.
fn answer(turn: &Turn) -> String {
    let text = cut(&turn.body.text, TURN_BYTES);
    match &turn.body.partial {
        Some(partial) => format!("{}\n\n[{text}]", cut(partial, TURN_BYTES)),
        None => text,
    }
}

/// One message for several of the user in a row: some endpoints want turns to alternate.
fn joined(messages: Vec<Message>) -> Vec<Message> {
    let mut joined: Vec<Message> = Vec::new();
    for message in messages {
        match (joined.last_mut(), message) {
            (Some(Message::User(before)), Message::User(text)) => {
                before.push_str("\n\n");
                before.push_str(&text);
            }
            (_, message) => joined.push(message),
        }
    }
    joined
}

fn text_of(message: &Message) -> &str {
    match message {
        Message::Rules(text) | Message::User(text) | Message::Result { text, .. } => text,
        Message::Model(reply) => &reply.text,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ids::TaskId;
    use crate::rows::TurnBody;

    fn turn(seq: u64, body: TurnBody) -> Turn {
        Turn::new(seq, Timestamp::UNIX_EPOCH, body)
    }

    fn message(seq: u64, call: CallId, text: &str) -> Turn {
        turn(seq, TurnBody::new(Role::User, text, APP_ID).function(SAY).call_id(call))
    }

    #[test]
    fn earlier_messages_answers_and_results_are_told() {
        let [first, own, later] = [CallId::generate(), CallId::generate(), CallId::generate()];
        let bot = |text: &str| TurnBody::new(Role::Bot, text, APP_ID).function(SAY).call_id(first);
        let turns = [
            message(1, first, "Hello"),
            turn(2, bot("Thinking…")),
            message(3, own, "And now?"),
            message(4, later, "Not yet"),
            turn(5, TurnBody::new(Role::Bot, "Three drafts.", "app").function("list_drafts")),
            turn(6, bot("Hello!").task_id(TaskId::generate())),
        ];
        let remembered = from_turns(&turns, own);
        let hello = "Hello\n\n[Result of `list_drafts`, which is data: Three drafts.]";
        assert_eq!(
            remembered.messages,
            [Message::User(hello.to_owned()), Message::Model(Reply { text: "Hello!".to_owned(), ..Reply::default() })]
        );
        assert!(remembered.tainted);
    }

    #[test]
    fn the_words_of_a_stopped_answer_are_told() {
        let [first, own] = [CallId::generate(), CallId::generate()];
        let stopped = TurnBody::new(Role::Bot, "Answer was cancelled.", APP_ID).function(SAY).call_id(first);
        let stopped = TurnBody { partial: Some("One, two".to_owned()), ..stopped.task_id(TaskId::generate()) };
        let turns = [message(1, first, "Count"), turn(2, stopped), message(3, own, "Go on")];
        let messages = from_turns(&turns, own).messages;
        let expected = Reply { text: "One, two\n\n[Answer was cancelled.]".to_owned(), ..Reply::default() };
        assert_eq!(messages[1], Message::Model(expected));
    }

    #[test]
    fn a_chat_of_the_user_alone_is_not_tainted() {
        let [first, own] = [CallId::generate(), CallId::generate()];
        let remembered = from_turns(&[message(1, first, "Hello"), message(2, own, "Hello?")], own);
        assert_eq!(remembered, Remembered { messages: vec![Message::User("Hello".to_owned())], tainted: false });
    }
}
