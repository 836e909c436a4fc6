//! The functions that the user allowed the assistant in the conversation.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::api_error::ApiError;
use super::json;
use crate::platform::{Access, AllowedFunction};

/// Functions that the assistant runs without asking.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AllowedFunctions {
    allowed: Vec<AllowedFunction>,
}

/// Whether a function was allowed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TakenBack {
    /// Whether it was.
    was_allowed: bool,
}

pub(super) async fn list(access: Access) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &AllowedFunctions { allowed: access.allowed_functions().await? }))
}

pub(super) async fn take_back(
    access: Access,
    Path((app_id, function)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let was_allowed = access.take_back_allowed(&app_id, &function).await?;
    Ok(json(StatusCode::OK, &TakenBack { was_allowed }))
}
