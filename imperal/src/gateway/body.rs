//! Reads request bodies, queries and path ids, with errors that say what to change.

use std::str::FromStr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::api_error::ApiError;
use crate::codes;
use crate::ids::{CallId, DraftId, ScheduleId, TaskId};

/// Largest request body. Parameters are text for people; files travel by URL.
pub(super) const BODY_LIMIT: usize = 1024 * 1024;
/// Time limit for a body to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The bytes of a JSON request body.
///
/// # Errors
/// 415 for another content type, 413 for a body over the limit, 400 for a body that does not arrive.
pub(super) async fn json_bytes(request: Request) -> Result<Vec<u8>, ApiError> {
    json_bytes_up_to(request, BODY_LIMIT).await
}

/// As [`json_bytes`], with another limit.
pub(super) async fn json_bytes_up_to(request: Request, limit: usize) -> Result<Vec<u8>, ApiError> {
    // A browser does not send this type from another site without a CORS preflight.
    if !is_json(request.headers()) {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            codes::MALFORMED_REQUEST,
            "Send JSON, with the header `content-type: application/json`.",
        ));
    }
    read_body(request.into_body(), limit).await
}

/// Accepts exactly one header with the type `application/json`. Parameters such as a charset are allowed.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(content_type), None) = (types.next(), types.next()) else { return false };
    let essence = content_type.to_str().ok().and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// Reads a request from its JSON object.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // serde would also read a struct from a JSON array, field by field. No client means that.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::malformed("The request must be a JSON object."));
    }
    crate::json::read(bytes).map_err(|error| {
        ApiError::malformed(format!("The request is not the expected JSON: {}.", describe_json_error(&error)))
    })
}

/// What is wrong and where, without any value of the request: values may be secrets.
fn describe_json_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !error.is_data() {
        return text;
    }
    // serde writes `invalid type: string "the value", expected a map at line 1 column 2`.
    let Some((found, expected)) = text.rsplit_once(", expected ") else { return text };
    let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
    match found.strip_prefix("unknown field ") {
        Some(name) => format!("unknown field {}, expected {expected}", crate::truncate::truncate_line(name, 64)),
        None => format!("{kind}, expected {expected}"),
    }
}

/// Estimates the memory that a JSON text takes once it is parsed: its strings, and one node per value.
pub(super) fn estimate_memory(json: &[u8]) -> u64 {
    const BYTES_PER_VALUE: u64 = 128;
    let (mut values, mut in_text, mut escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    2 * json.len() as u64 + BYTES_PER_VALUE * values
}

/// Reads the whole body, up to the limit. The connection reads the rest of a larger body for a moment, so that
/// the client sees the error.
async fn read_body(body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    let arrive = async {
        while let Some(chunk) = stream.next().await {
            let chunk =
                chunk.map_err(|error| ApiError::malformed(format!("The request could not be read: {error}.")))?;
            if bytes.len() + chunk.len() > limit {
                return Err(ApiError::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    codes::MALFORMED_REQUEST,
                    format!("The request is larger than {limit} bytes."),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(())
    };
    match tokio::time::timeout(BODY_TIMEOUT, arrive).await {
        Ok(Ok(())) => Ok(bytes),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(ApiError::malformed("The request took too long to arrive.")),
    }
}

/// Query parameters.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| ApiError::malformed(format!("{}.", error.body_text())))
    }
}

/// An id that a path can hold.
pub(super) trait PathId: FromStr {
    /// The kind of thing that the id names: `task`.
    const KIND: &'static str;
}

impl PathId for TaskId {
    const KIND: &'static str = "task";
}

impl PathId for CallId {
    const KIND: &'static str = "call";
}

impl PathId for DraftId {
    const KIND: &'static str = "draft";
}

impl PathId for ScheduleId {
    const KIND: &'static str = "schedule";
}

/// The one id in the path.
#[derive(Debug)]
pub(super) struct IdInPath<T>(pub(super) T);

impl<S: Send + Sync, T: PathId> FromRequestParts<S> for IdInPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let kind = T::KIND;
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(ApiError::malformed(format!("The path holds no {kind} id.")));
        };
        // A text that is not an id cannot name a row, so it is 404 like an unknown id.
        text.parse()
            .map(Self)
            .map_err(|_| ApiError::new(StatusCode::NOT_FOUND, codes::NOT_FOUND, format!("There is no {kind} {text}.")))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde::Deserialize;
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn accepts_exactly_one_json_content_type() {
        let accepted = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_TYPE, HeaderValue::from_static(value));
            }
            is_json(&headers)
        };
        for good in ["application/json", "Application/JSON; Charset=UTF-8", "application/json ;charset=utf-8"] {
            assert!(accepted(&[good]), "{good}");
        }
        for bad in ["application/jsonx", "application/problem+json", "text/plain", "", "application/json, text/plain"] {
            assert!(!accepted(&[bad]), "{bad}");
        }
        assert!(!accepted(&[]) && !accepted(&["application/json", "application/json"]));
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sent {
        #[expect(dead_code, reason = "only read")]
        function: String,
        #[expect(dead_code, reason = "only read")]
        #[serde(default)]
        params: Option<Map<String, Value>>,
    }

    #[test]
    fn json_errors_name_the_position_and_quote_no_value() {
        for (body, says) in [
            (r#"{"function":"f","params":"hunter2, expected a map"}"#, "string, expected a map at line 1 column"),
            (r#"{"function":4711,"params":{}}"#, "integer, expected a string at line 1 column"),
            (r#"{"function":"f","functoin":"hunter2"}"#, "unknown field `functoin`, expected `function` or `params`"),
            (r#"{"function":"f","function":"hunter2"}"#, "duplicate field `function` at line 1"),
            (r#"{"params":{"pin":"hunter2"}}"#, "missing field `function`"),
            (r#"{"function":"f","params":{"pin":"hunter2"}"#, "line 1 column"),
        ] {
            let text = format!("{:?}", parse::<Sent>(body.as_bytes()).unwrap_err());
            assert!(text.contains(&says.replace('"', "\\\"")), "{body}: {text}");
            assert!(!text.contains("hunter2") && !text.contains("4711"), "{text}");
        }
        let long = format!(r#"{{"function":"f","{}":1}}"#, "x".repeat(100_000));
        assert!(format!("{:?}", parse::<Sent>(long.as_bytes()).unwrap_err()).len() < 1000);
    }

    #[test]
    fn memory_estimate_counts_text_and_values() {
        assert_eq!(estimate_memory(b"\"a,[{\\\",[{\""), 2 * 11 + 128);
        assert_eq!(estimate_memory(b"[0,0,[]]"), 2 * 8 + 128 * 5);
    }
}
