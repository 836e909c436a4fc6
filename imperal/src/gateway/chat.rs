//! Reads the caller's chat.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::body::Query;
use super::json;
use crate::ledger::Turn;
use crate::platform::Access;

const DEFAULT_LIMIT: u32 = 100;

/// Which turns to read.
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
    /// More turns follow: ask again with this number as `after`, or as `before` if the page was asked for by `latest` or
    /// `before`.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

pub(super) async fn turns(access: Access, Query(query): Query<TurnsQuery>) -> Result<Response, ApiError> {
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
        _ => return Err(ApiError::malformed("Give `after`, or `before` or `latest`, not both.")),
    };
    Ok(json(StatusCode::OK, &page))
}
