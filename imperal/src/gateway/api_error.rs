//! Errors as HTTP responses: `{"error":{"code","message","field"?}}` with the status of the code.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::codes::{self, ErrorCode};
use crate::error::Error;

/// The body of every error.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ErrorDetail {
    #[schemars(with = "String")]
    code: ErrorCode,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

/// An error that a route returns.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    error: Error,
    retry_after: Duration,
}

/// `Retry-After` where no better time is known.
const SOON: Duration = Duration::from_secs(1);

impl ApiError {
    pub(super) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { status, error: Error::user(code, message), retry_after: SOON }
    }

    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, codes::MALFORMED_REQUEST, message)
    }

    /// One user sends too many requests.
    pub(super) fn too_many(message: impl Into<String>, retry_after: Duration) -> Self {
        Self { retry_after, ..Self::new(StatusCode::TOO_MANY_REQUESTS, codes::RATE_LIMITED, message) }
    }

    /// The platform cannot do it within this time.
    pub(super) fn unavailable(message: impl Into<String>, retry_after: Duration) -> Self {
        Self { retry_after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, codes::UNAVAILABLE, message) }
    }

    /// Whether the request itself is invalid. Refusals for missing rights have audit rows of their own.
    pub(super) fn is_invalid_request(&self) -> bool {
        [400, 404, 413, 415, 422].contains(&self.status.as_u16())
    }

    /// Status, code and field. Without the message, which may quote the request.
    pub(super) fn summary(&self) -> String {
        let field = self.error.field().map(|field| format!(", field {field}")).unwrap_or_default();
        format!("{} {}{field}", self.status.as_u16(), self.error.code())
    }

    pub(super) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, codes::UNAUTHENTICATED, message)
    }
}

/// The one table of statuses. Codes that are not in it, such as those of extensions, are 500.
///
/// The gateway never sees an error of the ledger: the platform turns it into `UNAVAILABLE` or `QUOTA_EXCEEDED`.
static STATUS_OF_CODE: [(ErrorCode, StatusCode); 30] = [
    (codes::VALIDATION_MISSING_FIELD, StatusCode::UNPROCESSABLE_ENTITY),
    (codes::VALIDATION_TYPE_ERROR, StatusCode::UNPROCESSABLE_ENTITY),
    (codes::KEY_REUSED, StatusCode::UNPROCESSABLE_ENTITY),
    (codes::UNKNOWN_TOOL, StatusCode::NOT_FOUND),
    (codes::UNKNOWN_SUB_FUNCTION, StatusCode::NOT_FOUND),
    (codes::NOT_FOUND, StatusCode::NOT_FOUND),
    (codes::PERMISSION_DENIED, StatusCode::FORBIDDEN),
    (codes::UNAUTHENTICATED, StatusCode::UNAUTHORIZED),
    (codes::QUESTION_CLOSED, StatusCode::CONFLICT),
    (codes::NOT_EXPORTABLE, StatusCode::CONFLICT),
    (codes::NOT_CONTINUABLE, StatusCode::CONFLICT),
    (codes::ALREADY_RUNNING, StatusCode::CONFLICT),
    (codes::CANCELLED, StatusCode::CONFLICT),
    (codes::DOCUMENT_EXISTS, StatusCode::CONFLICT),
    (codes::DOCUMENTS_EXCEEDED, StatusCode::CONFLICT),
    (codes::SCHEDULE_INVALID, StatusCode::UNPROCESSABLE_ENTITY),
    (codes::TOO_MANY_SCHEDULES, StatusCode::CONFLICT),
    (codes::SCHEDULE_CHANGED, StatusCode::CONFLICT),
    (codes::SCHEDULE_NOT_ACTIVE, StatusCode::CONFLICT),
    (codes::APPROVAL_NEEDED, StatusCode::CONFLICT),
    (codes::NO_MODEL, StatusCode::CONFLICT),
    (codes::TOKENS_EXCEEDED, StatusCode::TOO_MANY_REQUESTS),
    (codes::DOCUMENT_TOO_LARGE, StatusCode::PAYLOAD_TOO_LARGE),
    (codes::FILES_EXCEEDED, StatusCode::CONFLICT),
    (codes::FILE_TOO_LARGE, StatusCode::PAYLOAD_TOO_LARGE),
    (codes::MALFORMED_REQUEST, StatusCode::BAD_REQUEST),
    (codes::RATE_LIMITED, StatusCode::TOO_MANY_REQUESTS),
    (codes::QUOTA_EXCEEDED, StatusCode::TOO_MANY_REQUESTS),
    (codes::UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE),
    (codes::INTERRUPTED, StatusCode::SERVICE_UNAVAILABLE),
];

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let found = STATUS_OF_CODE.iter().find(|(code, _)| code == error.code());
        let status = found.map_or(StatusCode::INTERNAL_SERVER_ERROR, |(_, status)| *status);
        let retry_after = if *error.code() == codes::QUOTA_EXCEEDED { until_midnight() } else { SOON };
        Self { status, error, retry_after }
    }
}

/// Time until a day's quota is free again, by this machine's clock.
fn until_midnight() -> Duration {
    const DAY: u64 = 24 * 3600;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(DAY - now.as_secs() % DAY)
}

impl ApiError {
    /// The body of the response.
    pub(super) fn body(&self) -> ErrorBody {
        let error = ErrorDetail {
            code: self.error.code().clone(),
            message: self.error.message().to_owned(),
            field: self.error.field().map(str::to_owned),
        };
        ErrorBody { error }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = super::json(self.status, &self.body());
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE || self.status == StatusCode::TOO_MANY_REQUESTS {
            // Rounded up to whole seconds, so that a retry is not early.
            let seconds = self.retry_after.as_millis().div_ceil(1000).max(1);
            if let Ok(seconds) = axum::http::HeaderValue::try_from(seconds.to_string()) {
                response.headers_mut().insert(axum::http::header::RETRY_AFTER, seconds);
            }
        }
        response.extensions_mut().insert(self.error.code().clone());
        response
    }
}

pub(super) async fn route_not_found(uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        codes::NOT_FOUND,
        format!("No route has the path {}. /openapi.json lists all routes.", uri.path()),
    )
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        codes::MALFORMED_REQUEST,
        format!("{} does not support {method}. /openapi.json lists the methods of each route.", uri.path()),
    )
}
