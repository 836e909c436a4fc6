//! What is loaded, who is asking, what was audited, and whether the process is well.

use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api_error::ApiError;
use super::auth::{By, SignedIn, Way};
use super::body::Query;
use super::{Gateway, json};
use crate::codes;
use crate::error::Error;
use crate::function::Extension;
use crate::ledger::{AuditRow, AuditScope};
use crate::platform::{Access, Platform};

/// A loaded extension, for choosing and filling in its functions.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ExtensionInfo {
    app_id: &'static str,
    name: &'static str,
    version: &'static str,
    description: &'static str,
    functions: Vec<FunctionInfo>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FunctionInfo {
    name: &'static str,
    description: &'static str,
    action_type: &'static str,
    background: bool,
    long_running: bool,
    params_schema: Value,
}

/// The caller and what they can run.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Session {
    user: SessionUser,
    extensions: Vec<ExtensionInfo>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SessionUser {
    id: String,
    tenant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

/// The loaded extensions.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Extensions {
    extensions: Vec<ExtensionInfo>,
}

fn describe(gateway: &Gateway) -> Vec<ExtensionInfo> {
    let functions = |extension: &Extension| {
        extension
            .functions()
            .iter()
            .map(|function| FunctionInfo {
                name: function.name,
                description: function.description,
                action_type: function.action_type.as_str(),
                background: function.background,
                long_running: function.long_running,
                params_schema: gateway
                    .platform
                    .params_schema(extension.app_id(), function)
                    .cloned()
                    .unwrap_or_default(),
            })
            .collect()
    };
    gateway
        .platform
        .registry()
        .extensions()
        .map(|extension| {
            let def = extension.def();
            ExtensionInfo {
                app_id: def.app_id,
                name: def.name,
                version: def.version,
                description: def.description,
                functions: functions(extension),
            }
        })
        .collect()
}

fn extension<'a>(gateway: &'a Gateway, app_id: &str) -> Result<&'a Extension, ApiError> {
    gateway
        .platform
        .registry()
        .extension(app_id)
        .ok_or_else(|| Error::user(codes::UNKNOWN_TOOL, format!("There is no extension `{app_id}` here.")).into())
}

/// Who is signed in. A session in use is renewed here, where each page begins.
pub(super) async fn session(
    SignedIn { access, by, .. }: SignedIn,
    State(gateway): State<Gateway>,
    headers: HeaderMap,
) -> Response {
    let user = access.user();
    let user = SessionUser { id: user.id.clone(), tenant_id: user.tenant_id.clone(), email: user.email.clone() };
    let answer = json(StatusCode::OK, &Session { user, extensions: describe(&gateway) });
    match by {
        By::Page(session) => match gateway.auth.renew_session(&session, Way::of(&headers)) {
            Some(cookie) => ([(header::SET_COOKIE, cookie)], answer).into_response(),
            None => answer,
        },
        By::Token | By::Terminal => answer,
    }
}

pub(super) async fn extensions(_: Access, State(gateway): State<Gateway>) -> Response {
    json(StatusCode::OK, &Extensions { extensions: describe(&gateway) })
}

pub(super) async fn manifest(
    _: Access,
    State(gateway): State<Gateway>,
    Path(app_id): Path<String>,
) -> Result<Response, ApiError> {
    let manifest = crate::manifest::export(extension(&gateway, &app_id)?);
    Ok(([(header::CONTENT_TYPE, "application/json")], manifest.to_json()).into_response())
}

pub(super) async fn icon(
    _: Access,
    State(gateway): State<Gateway>,
    Path(app_id): Path<String>,
) -> Result<Response, ApiError> {
    let svg = extension(&gateway, &app_id)?.def().icon_svg;
    if svg.is_empty() {
        return Err(ApiError::new(StatusCode::NOT_FOUND, codes::NOT_FOUND, "This extension has no icon."));
    }
    // Opened by itself, a drawing may not do anything.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
    // Drawn beside every turn of its extension: asked for once, not once a turn.
    let kept = "private, max-age=3600";
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, kept),
    ];
    Ok((headers, svg).into_response())
}

/// Which audit rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    after: Option<u64>,
    limit: Option<u32>,
}

/// Audit rows in order.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AuditRows {
    rows: Vec<AuditRow>,
    /// There is more: ask again with this as `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// Whose audit rows the caller may read besides their own.
fn wider_audit(access: &Access) -> Option<AuditScope> {
    let user = access.user();
    if user.has_scope("audit:read:all") {
        Some(AuditScope::All)
    } else if user.has_scope("audit:read") {
        Some(AuditScope::Tenant(user.tenant_id.clone()))
    } else {
        None
    }
}

pub(super) async fn audit(access: Access, Query(query): Query<AuditQuery>) -> Result<Response, ApiError> {
    let (after, limit) = (query.after.unwrap_or(0), query.limit.unwrap_or(100).clamp(1, 500));
    let page = match wider_audit(&access) {
        Some(scope) => access.audit_in(scope, after, limit).await?,
        None => access.audit(after, limit).await?,
    };
    let next = page.last().filter(|_| page.more).map(|row| row.audit_id);
    Ok(json(StatusCode::OK, &AuditRows { rows: page.rows, next }))
}

pub(super) async fn check_audit(access: Access) -> Result<Response, ApiError> {
    let check = match wider_audit(&access) {
        Some(scope) => access.check_audit_in(scope).await?,
        None => access.check_audit().await?,
    };
    Ok(json(StatusCode::OK, &check))
}

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// How long an answer of `/readyz` is given again.
const READY_FOR: Duration = Duration::from_secs(1);

/// Whether the node is ready, looked at once a second at most: a look writes to the ledger.
#[derive(Debug, Default)]
pub(super) struct Readiness(tokio::sync::Mutex<Option<(Instant, Result<(), String>)>>);

impl Readiness {
    /// Requests that come during a look wait for its result. A reason is in words for anybody: files and hosts
    /// are named in the log alone, once.
    async fn look(&self, platform: &Platform) -> Result<(), String> {
        let mut known = self.0.lock().await;
        if let Some((at, ready)) = &*known
            && at.elapsed() < READY_FOR
        {
            return ready.clone();
        }
        let found = platform.ready().await;
        let was_ready = known.as_ref().is_none_or(|(_, ready)| ready.is_ok());
        match &found {
            Err(error) if was_ready => tracing::error!(%error, "not ready"),
            Ok(()) if !was_ready => tracing::warn!("ready again"),
            _ => {}
        }
        let found = found.map_err(|error| error.message().to_owned());
        *known = Some((Instant::now(), found.clone()));
        found
    }
}

pub(super) async fn readyz(State(gateway): State<Gateway>) -> Response {
    match gateway.readiness.look(&gateway.platform).await {
        Ok(()) => match gateway.platform.unreadable_rows() {
            0 => "ready\n".into_response(),
            rows => format!("ready, {rows} ledger rows cannot be read: see the log\n").into_response(),
        },
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}
