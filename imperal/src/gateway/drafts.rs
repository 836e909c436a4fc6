//! Reads the texts that the caller's work is writing.

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::body::{IdInPath, Query};
use super::json;
use crate::codes;
use crate::error::Error;
use crate::ids::DraftId;
use crate::ledger::DraftPiece;
use crate::platform::Access;

/// The drafts of the user's running work, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Drafts {
    /// Of each draft an empty piece at its end.
    drafts: Vec<DraftPiece>,
}

/// Where to begin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OneQuery {
    from: Option<u64>,
}

pub(super) async fn list(access: Access) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &Drafts { drafts: access.drafts().await? }))
}

pub(super) async fn one(
    access: Access,
    IdInPath(draft_id): IdInPath<DraftId>,
    Query(query): Query<OneQuery>,
) -> Result<Response, ApiError> {
    let Some(piece) = access.draft_text(draft_id, query.from.unwrap_or_default()).await? else {
        let text = "There is no such draft: a turn has taken its place, or it never was.";
        return Err(Error::user(codes::NOT_FOUND, text).into());
    };
    Ok(json(StatusCode::OK, &piece))
}
