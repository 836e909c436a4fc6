//! The operations of the chat: its turns, its live texts, messages to it, and its events.

use schemars::SchemaGenerator;
use serde_json::Value;

use super::{ACTING, KEY, Operation, TENANT, get, schema};
use crate::gateway::allowed::{AllowedFunctions, TakenBack};
use crate::gateway::chat::Turns;
use crate::gateway::drafts::Drafts;
use crate::gateway::inject::{InjectBody, InjectedTurn};
use crate::gateway::say::SayBody;
use crate::ledger::DraftPiece;
use crate::platform::SaidMessage;

pub(super) fn operations(generator: &mut SchemaGenerator) -> Vec<Operation> {
    vec![
        Operation {
            query: &[
                ("after", "Only turns with a higher number"),
                (
                    "limit",
                    "Most turns, 1 to 500; 100 when absent. A page also ends at 2 MiB; `next` is where the following page starts",
                ),
                ("latest", "This many of the latest turns instead"),
                ("before", "With `limit`: the latest before this number"),
            ],
            errors: &[400, 401, 503],
            ..get("/v1/chat/turns", "The caller's chat, in order", schema::<Turns>(generator))
        },
        get(
            "/v1/drafts",
            "The texts that the caller's running calls and tasks are writing, oldest first: of each an empty piece at its \
             end",
            schema::<Drafts>(generator),
        ),
        Operation {
            query: &[("from", "An offset in bytes of UTF-8; 0 when absent")],
            errors: &[400, 401, 404, 503],
            ..get(
                "/v1/drafts/{draft_id}",
                "The text of a draft from an offset on, empty if there is no more yet; 404 once a turn has taken its place, \
                 and for another user's",
                schema::<DraftPiece>(generator),
            )
        },
        Operation {
            method: "post",
            headers: &[KEY],
            body: Some(schema::<SayBody>(generator)),
            errors: &[400, 401, 409, 413, 422, 429, 503],
            ..get(
                "/v1/chat/say",
                "Send a message to the assistant; the answer comes into the chat. 409 without a model",
                schema::<SaidMessage>(generator),
            )
        },
        get(
            "/v1/chat/allowed",
            "The functions that the caller allowed the assistant in the conversation",
            schema::<AllowedFunctions>(generator),
        ),
        Operation {
            method: "delete",
            ..get(
                "/v1/chat/allowed/{app_id}/{function}",
                "The assistant asks again for this function",
                schema::<TakenBack>(generator),
            )
        },
        Operation {
            query: &[("after", "Continue after this event; the header Last-Event-ID does the same")],
            answer: None,
            errors: &[400, 401, 503],
            ..get(
                "/v1/events/stream",
                "Live events: hello, turn, task (without its result, which the outcome turn has), progress, draft (a piece of a text that work is writing); pruned if retention has deleted events (Server-Sent Events)",
                Value::Null,
            )
        },
        Operation {
            method: "post",
            security: "service",
            headers: &[KEY, TENANT, ACTING],
            body: Some(schema::<InjectBody>(generator)),
            errors: &[400, 401, 403, 404, 413, 422, 429, 503],
            ..get("/v1/internal/chat/inject", "Put a message into a user's chat", schema::<InjectedTurn>(generator))
        },
    ]
}
