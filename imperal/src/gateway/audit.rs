//! The audit trail: reading rows, and checking their hash chain.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::body::Query;
use super::json;
use crate::ledger::{AuditRow, AuditScope};
use crate::platform::Access;

/// Which rows to read.
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
    /// More rows follow: ask again with this number as `after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// The audit rows that the caller's scopes allow besides their own.
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
