//! The chat: reading turns, and a service's message into it.

use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::again::{Key, replayed};
use super::body::{JsonBody, Query};
use super::failure::Failure;
use super::headers::{self, ACTING_USER, SERVICE_TOKEN, TENANT_BYTES, TENANT_ID, USER_BYTES};
use super::{Gateway, json};
use crate::codes;
use crate::context::{CHAT_TEXT_LIMIT, MsgType, TRUNCATION_MARKER};
use crate::ledger::{Owner, Turn};
use crate::platform::{Access, Injection};

const DEFAULT_LIMIT: u32 = 100;

/// Which turns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TurnsQuery {
    after: Option<u64>,
    before: Option<u64>,
    latest: Option<u32>,
    limit: Option<u32>,
}

/// Turns in order.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Turns {
    turns: Vec<Turn>,
    /// There is more: ask again with this as `after`, or as `before` where the page was asked for by `latest` or
    /// `before`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

pub(super) async fn turns(access: Access, Query(query): Query<TurnsQuery>) -> Result<Response, Failure> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, 500);
    let page = match (query.after, query.before, query.latest) {
        (after, None, None) => {
            let page = access.turns(after.unwrap_or(0), limit).await?;
            let next = page.last().filter(|_| page.more).map(|turn| turn.seq);
            Turns { turns: page.rows, next }
        }
        (None, before, latest) => {
            let limit = latest.unwrap_or(limit).clamp(1, 500);
            let page = access.latest_turns(before, limit).await?;
            let next = page.first().filter(|_| page.more).map(|turn| turn.seq);
            Turns { turns: page.rows, next }
        }
        _ => return Err(Failure::malformed("Give `after`, or `before` or `latest`, not both.")),
    };
    Ok(json(StatusCode::OK, &page))
}

/// A message into a user's chat, in the reference SDK's form.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct InjectBody {
    /// The extension that speaks.
    ext_id: String,
    /// Whose chat.
    user_id: String,
    /// The text, at most 65,550 bytes: 64 KiB and the marker of a client that has cut it.
    text: String,
    /// How it is shown; `response` when absent.
    #[serde(default)]
    msg_type: MsgType,
    /// Panels to refresh.
    #[serde(default)]
    refresh_panels: Option<Vec<String>>,
}

/// What an injection answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct InjectedTurn {
    turn: Turn,
}

pub(super) async fn inject(State(gateway): State<Gateway>, request: Request) -> Result<Response, Failure> {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    if !gateway.auth.is_service(&headers)? {
        // Somebody who is signed in is told no, and that is written down; a stranger is asked who
        // they are.
        let caller = gateway.auth.caller(&headers, &method).await.map_err(|refused| {
            if headers.contains_key(SERVICE_TOKEN) {
                Failure::unauthenticated("The service token is wrong.")
            } else {
                refused
            }
        })?;
        // Whom they meant is worth the audit row, if they said so; a malformed request is refused alike.
        let body = JsonBody::<InjectBody>::from_request(request, &gateway).await;
        let target = body.map_or_else(|_| "nobody in particular".to_owned(), |JsonBody(body)| body.user_id);
        return Err(gateway.platform.access(caller.user).refuse_injection(&target).await.into());
    }
    let JsonBody(body) = JsonBody::<InjectBody>::from_request(request, &gateway).await?;
    if body.text.len() > CHAT_TEXT_LIMIT + TRUNCATION_MARKER.len() {
        return Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            codes::VALIDATION_TYPE_ERROR,
            format!(
                "`text` has {} bytes; at most {} are taken.",
                body.text.len(),
                CHAT_TEXT_LIMIT + TRUNCATION_MARKER.len()
            ),
        ));
    }
    if body.user_id.is_empty() {
        return Err(crate::Error::user(codes::VALIDATION_MISSING_FIELD, "`user_id` must not be empty.")
            .with_field("user_id")
            .into());
    }
    let tenant = headers::id(&headers, &TENANT_ID, TENANT_BYTES)?.unwrap_or(super::LOCAL_TENANT);
    let acting = headers::id(&headers, &ACTING_USER, USER_BYTES)?;
    let mut injection = Injection::new(body.ext_id, Owner::new(tenant, &body.user_id), body.text);
    injection.acting = acting.map(str::to_owned);
    injection.msg_type = body.msg_type;
    injection.refresh_panels = body.refresh_panels;
    Key(injection.key) = Key::of(&headers)?;
    let injected = gateway.platform.inject(injection).await?;
    Ok(replayed(injected.repeated, json(StatusCode::OK, &InjectedTurn { turn: injected.turn })))
}
