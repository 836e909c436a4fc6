//! Reads the request headers that decide something: sign-in, tenant, acting user, idempotency key.
//!
//! One rule for all: a header is absent, or it is sent once as non-empty UTF-8 text. Anything else is 400 and names
//! the header, because an unreadable header must never count as absent.

use axum::http::{HeaderMap, HeaderName, header};

use super::api_error::ApiError;

/// Longest ids of tenants and users. The audit trail stores ids of this length whole.
pub(super) use crate::truncate::{TENANT_ID_LIMIT, USER_ID_LIMIT};

/// Holds the service token.
pub(super) const SERVICE_TOKEN: HeaderName = HeaderName::from_static("x-service-token");
/// The tenant of the user that a service writes to.
pub(super) const TENANT_ID: HeaderName = HeaderName::from_static("x-tenant-id");
/// The user that a service acts for.
pub(super) const ACTING_USER: HeaderName = HeaderName::from_static("x-acting-user");

/// The header's text. `None` if the request does not have it.
///
/// # Errors
/// 400 if it was sent more than once, is empty, or is not UTF-8.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ApiError::malformed(format!("The header {} was sent more than once. Send it once.", shown(name))));
    }
    let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
        return Err(ApiError::malformed(format!("The header {} is not UTF-8. Send its text as UTF-8.", shown(name))));
    };
    if text.is_empty() {
        return Err(ApiError::malformed(format!(
            "The header {} is empty. Give it a value or leave it out.",
            shown(name)
        )));
    }
    Ok(Some(text))
}

/// The header as the id of a user or a tenant.
///
/// # Errors
/// As [`text`], and 400 if it is longer than `most` bytes or has control characters.
pub(super) fn id<'a>(headers: &'a HeaderMap, name: &HeaderName, most: usize) -> Result<Option<&'a str>, ApiError> {
    let Some(text) = text(headers, name)? else { return Ok(None) };
    if !is_id(text, most) {
        let rule = format!("must have 1 to {most} bytes and no control characters");
        return Err(ApiError::malformed(format!("The header {} {rule}.", shown(name))));
    }
    Ok(Some(text))
}

/// Whether a text can be the id of a user or a tenant. Control characters could forge log lines.
pub(super) fn is_id(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The host that the request was sent to.
///
/// # Errors
/// As [`text`].
pub(super) fn host<'a>(headers: &'a HeaderMap, uri: &'a axum::http::Uri) -> Result<Option<&'a str>, ApiError> {
    // HTTP/2 sends the host in the request target instead.
    Ok(text(headers, &header::HOST)?.or_else(|| uri.authority().map(axum::http::uri::Authority::as_str)))
}

/// A header's name as people write it: `X-Tenant-Id`.
fn shown(name: &HeaderName) -> String {
    let words = name.as_str().split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        format!("{}{rest}", first.to_uppercase())
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::response::IntoResponse;

    use super::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TENANT_ID, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn reads_utf8_text() {
        assert_eq!(id(&headers(&["münchen".as_bytes()]), &TENANT_ID, 64).unwrap(), Some("münchen"));
        assert_eq!(id(&headers(&[]), &TENANT_ID, 64).unwrap(), None);
    }

    #[test]
    fn refuses_unreadable_repeated_empty_and_oversized_values() {
        let long = "x".repeat(65);
        let bad: [&[&[u8]]; 6] =
            [&[b"m\xfcnchen"], &[b"a", b"b"], &[b"a", b"a"], &[b""], &[long.as_bytes()], &["a\u{85}b".as_bytes()]];
        for values in bad {
            let refused = id(&headers(values), &TENANT_ID, 64).unwrap_err();
            assert!(format!("{refused:?}").contains("X-Tenant-Id"), "{refused:?}");
            assert_eq!(refused.into_response().status(), 400, "{values:?}");
        }
    }
}
