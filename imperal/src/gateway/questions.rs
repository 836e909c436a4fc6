//! The questions of a task, and answers to them.
//!
//! The task's user answers, or a service for the user: with the service token, and the user named by the header
//! `X-Acting-User`. The first answer counts.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api_error::{ApiError, ErrorBody};
use super::body::{self, IdInPath};
use super::headers::{self, ACTING_USER, SERVICE_TOKEN, TENANT_ID, TENANT_ID_LIMIT, USER_ID_LIMIT};
use super::{Gateway, json};
use crate::codes;
use crate::error::Error;
use crate::ids::{QuestionId, TaskId};
use crate::ledger::{Question, QuestionState};
use crate::platform::{Access, Answered};
use crate::user::User;

/// The questions of a task, in the order in which they were asked.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Questions {
    questions: Vec<Question>,
}

/// The answer to a question.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerBody {
    /// The question; it may be absent while the task has only one that is open.
    #[serde(default)]
    question_id: Option<QuestionId>,
    /// A value that fits the question's schema.
    answer: Value,
}

/// The question that was answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AnsweredQuestion {
    question: Question,
}

/// A question that is no longer open, with the answer that it has.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ClosedQuestion {
    #[serde(flatten)]
    error: ErrorBody,
    question: Question,
}

pub(super) async fn list(access: Access, IdInPath(task_id): IdInPath<TaskId>) -> Result<Response, ApiError> {
    Ok(json(StatusCode::OK, &Questions { questions: access.questions(task_id).await? }))
}

pub(super) async fn answer(
    State(gateway): State<Gateway>,
    IdInPath(task_id): IdInPath<TaskId>,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, content) = request.into_parts();
    let access = if gateway.auth.is_service(&parts.headers)? {
        gateway.platform.access_of_service(acting_user(&gateway, &parts.headers)?)
    } else if parts.headers.contains_key(SERVICE_TOKEN) {
        return Err(ApiError::unauthenticated("The service token is wrong."));
    } else {
        Access::from_request_parts(&mut parts, &gateway).await?
    };
    let body: AnswerBody = body::parse(&body::json_bytes(Request::from_parts(parts, content)).await?)?;
    let answered = access.answer(task_id, body.question_id, body.answer).await?;
    Ok(match answered {
        Answered::Accepted(question) => json(StatusCode::OK, &AnsweredQuestion { question }),
        Answered::Closed(question) => closed(question),
    })
}

/// The user for whom a service answers.
fn acting_user(gateway: &Gateway, headers: &axum::http::HeaderMap) -> Result<User, ApiError> {
    let tenant = headers::id(headers, &TENANT_ID, TENANT_ID_LIMIT)?.unwrap_or(&gateway.service_tenant);
    let Some(user_id) = headers::id(headers, &ACTING_USER, USER_ID_LIMIT)? else {
        let text = "A service answers for a user: name the user in the header `X-Acting-User`.";
        return Err(Error::user(codes::VALIDATION_MISSING_FIELD, text).with_field("x-acting-user").into());
    };
    Ok(User::new(user_id, tenant))
}

fn closed(question: Question) -> Response {
    let text = match question.state {
        QuestionState::Answered => "The question has another answer already.",
        QuestionState::Expired => "The time for an answer is over.",
        QuestionState::Open | QuestionState::Withdrawn => "The task no longer asks this question.",
    };
    let error = ApiError::from(Error::user(codes::QUESTION_CLOSED, text));
    let body = ClosedQuestion { error: error.body(), question };
    let mut response = json(StatusCode::CONFLICT, &body);
    response.extensions_mut().insert(codes::QUESTION_CLOSED);
    response
}
