//! Schedules of the caller: `/v1/schedules` and the routes below it.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::body::IdInPath;
use super::{body, json};
use crate::ids::ScheduleId;
use crate::platform::{Access, NewSchedule, PreviewRequest, Run, Schedule, ScheduleChanges};

/// The caller's schedules.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Schedules {
    schedules: Vec<Schedule>,
}

/// The latest runs of a schedule.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Runs {
    runs: Vec<Run>,
}

/// The approval with which a schedule is resumed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ResumeBody {
    /// Of a destructive function: the schedule's `approval.digest`.
    approve: Option<String>,
}

/// A schedule was deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeletedSchedule {
    deleted: bool,
}

pub(super) async fn list(access: Access) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &Schedules { schedules: access.schedules().list().await? }))
}

pub(super) async fn create(access: Access, request: Request) -> Result<Response, ApiError> {
    let new: NewSchedule = body::parse(&body::json_bytes(request).await?)?;
    Ok(json(StatusCode::CREATED, &access.schedules().create(new).await?))
}

pub(super) async fn preview(access: Access, request: Request) -> Result<Response, ApiError> {
    let wanted: PreviewRequest = body::parse(&body::json_bytes(request).await?)?;
    Ok(json(StatusCode::OK, &access.schedules().preview(wanted).await?))
}

pub(super) async fn one(access: Access, IdInPath(id): IdInPath<ScheduleId>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &access.schedules().find(id).await?))
}

pub(super) async fn edit(
    access: Access,
    IdInPath(id): IdInPath<ScheduleId>,
    request: Request,
) -> Result<Response, ApiError> {
    let changes: ScheduleChanges = body::parse(&body::json_bytes(request).await?)?;
    Ok(json(StatusCode::OK, &access.schedules().edit(id, changes).await?))
}

pub(super) async fn remove(access: Access, IdInPath(id): IdInPath<ScheduleId>) -> Result<Response, ApiError> {
    access.schedules().remove(id).await?;
    Ok(json(StatusCode::OK, &DeletedSchedule { deleted: true }))
}

pub(super) async fn pause(access: Access, IdInPath(id): IdInPath<ScheduleId>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &access.schedules().pause(id).await?))
}

pub(super) async fn resume(
    access: Access,
    IdInPath(id): IdInPath<ScheduleId>,
    request: Request,
) -> Result<Response, ApiError> {
    let bytes = body::json_bytes(request).await?;
    let body: ResumeBody = if bytes.is_empty() { ResumeBody::default() } else { body::parse(&bytes)? };
    Ok(json(StatusCode::OK, &access.schedules().resume(id, body.approve).await?))
}

pub(super) async fn run(access: Access, IdInPath(id): IdInPath<ScheduleId>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &access.schedules().run(id).await?))
}

pub(super) async fn runs(access: Access, IdInPath(id): IdInPath<ScheduleId>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &Runs { runs: access.schedules().runs(id).await? }))
}
