//! `POST /v1/internal/chat/inject`: a service's message into a user's chat.
//!
//! The order of checks is fixed: identity, rate, content. A refusal of an authenticated caller gets an audit row,
//! within the trail's rate limit. An unauthenticated caller cannot write to the trail: wrong service tokens are
//! counted, and logged once a minute.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::headers::{self, ACTING_USER, SERVICE_TOKEN, TENANT_ID, TENANT_ID_LIMIT, USER_ID_LIMIT};
use super::idempotency::{IdempotencyKey, mark_replayed};
use super::{Gateway, body, json};
use crate::codes;
use crate::context::{CHAT_TEXT_LIMIT, MsgType, TRUNCATION_MARKER};
use crate::error::Error;
use crate::ledger::{Owner, Turn};
use crate::platform::{Injection, RefusedMessage};
use crate::rate::RateLimiter;
use crate::truncate::APP_ID_LIMIT;

/// Limits of one message: panels, and bytes of a panel's name.
const PANELS: usize = 100;
const PANEL_BYTES: usize = 128;

/// A message into a user's chat, in the reference SDK's format.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct InjectBody {
    /// The extension that sends the message.
    ext_id: String,
    /// The user whose chat it goes to; 1 to 128 bytes, as at sign-in.
    user_id: String,
    /// The text, at most 65,550 bytes: 64 KiB and the marker of a client that has truncated it.
    text: String,
    /// How the turn is shown; `response` when absent.
    #[serde(default)]
    msg_type: MsgType,
    /// Panels to refresh; at most 100.
    #[serde(default)]
    refresh_panels: Option<Vec<String>>,
}

/// The turn that the message became.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct InjectedTurn {
    turn: Turn,
}

pub(super) async fn inject(State(gateway): State<Gateway>, request: Request) -> Result<Response, ApiError> {
    if !gateway.auth.is_service(request.headers())? {
        return Err(refuse_user(&gateway, request).await);
    }
    let mut said = RefusedMessage { tenant_id: gateway.service_tenant.to_string(), ..RefusedMessage::default() };
    let answer = inject_as_service(&gateway, request, &mut said).await;
    if let Err(failure) = &answer
        && failure.is_invalid_request()
    {
        said.why = failure.summary();
        gateway.platform.audit_refused_message(said).await?;
    }
    answer
}

/// Refuses a signed-in user with an audit row, and asks anyone else to sign in.
async fn refuse_user(gateway: &Gateway, request: Request) -> ApiError {
    let headers = request.headers();
    let caller = match gateway.auth.caller(headers, request.method()).await {
        Ok(caller) => caller,
        Err(_) if headers.contains_key(SERVICE_TOKEN) => {
            gateway.wrong_tokens.record();
            return ApiError::unauthenticated("The service token is wrong.");
        }
        Err(refused) => return refused,
    };
    if let Err(too_often) = gateway.limiter.count_request(&caller.user) {
        return too_often;
    }
    let access = gateway.platform.access(caller.user);
    // The body names the target user. Reading it counts as a call, so that its memory is bounded.
    let _permit = match access.begin_call() {
        Ok(permit) => permit,
        Err(error) => return error.into(),
    };
    let body = body::json_bytes(request).await.and_then(|bytes| body::parse::<InjectBody>(&bytes));
    let target = body.map_or_else(|_| "unknown".to_owned(), |body| body.user_id);
    access.refuse_injection(&target).await.into()
}

async fn inject_as_service(
    gateway: &Gateway,
    request: Request,
    said: &mut RefusedMessage,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let tenant = headers::id(&headers, &TENANT_ID, TENANT_ID_LIMIT)?;
    let tenant = tenant.unwrap_or(&gateway.service_tenant);
    tenant.clone_into(&mut said.tenant_id);
    let acting = headers::id(&headers, &ACTING_USER, USER_ID_LIMIT)?;
    said.acting = acting.map(str::to_owned);
    let key = IdempotencyKey::from_headers(&headers)?;
    let body: InjectBody = body::parse(&body::json_bytes(request).await?)?;
    said.user_id.clone_from(&body.user_id);
    said.app_id = Some(body.ext_id.clone());
    check_body(&body)?;
    let mut injection = Injection::new(body.ext_id, Owner::new(tenant, &body.user_id), body.text);
    injection.acting = acting.map(str::to_owned);
    injection.msg_type = body.msg_type;
    injection.refresh_panels = body.refresh_panels;
    IdempotencyKey(injection.key) = key;
    let injected = gateway.platform.inject(injection).await?;
    Ok(mark_replayed(injected.repeated, json(StatusCode::OK, &InjectedTurn { turn: injected.turn })))
}

fn check_body(body: &InjectBody) -> Result<(), ApiError> {
    let most = CHAT_TEXT_LIMIT + TRUNCATION_MARKER.len();
    if body.text.len() > most {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            codes::VALIDATION_TYPE_ERROR,
            format!("`text` has {} bytes; send at most {most}.", body.text.len()),
        ));
    }
    for (field, text, most) in [("ext_id", &body.ext_id, APP_ID_LIMIT), ("user_id", &body.user_id, USER_ID_LIMIT)] {
        if text.is_empty() {
            return Err(invalid_field(codes::VALIDATION_MISSING_FIELD, field, format!("`{field}` must not be empty.")));
        }
        if !headers::is_id(text, most) {
            let text = format!("`{field}` must have 1 to {most} bytes and no control characters.");
            return Err(invalid_field(codes::VALIDATION_TYPE_ERROR, field, text));
        }
    }
    let panels = body.refresh_panels.as_deref().unwrap_or_default();
    if panels.len() > PANELS || panels.iter().any(|panel| panel.len() > PANEL_BYTES) {
        let text = format!("`refresh_panels` must have at most {PANELS} names of at most {PANEL_BYTES} bytes.");
        return Err(invalid_field(codes::VALIDATION_TYPE_ERROR, "refresh_panels", text));
    }
    Ok(())
}

fn invalid_field(code: codes::ErrorCode, field: &str, text: String) -> ApiError {
    Error::user(code, text).with_field(field).into()
}

/// Logs wrong service tokens once a minute, with their number.
#[derive(Debug)]
pub(super) struct WrongTokenLog {
    said: RateLimiter,
    count: AtomicU64,
}

impl Default for WrongTokenLog {
    fn default() -> Self {
        Self { said: RateLimiter::new(Duration::from_secs(60), 1), count: AtomicU64::new(0) }
    }
}

impl WrongTokenLog {
    fn record(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if self.said.take(()).is_ok() {
            let requests = self.count.swap(0, Ordering::Relaxed);
            tracing::warn!(requests, "requests with a wrong service token; check IMPERAL_SERVICE_TOKEN of the service");
        }
    }
}
