//! Responses to input that is not a request. No route sees it, so they are written by hand.

use crate::codes::{self, ErrorCode};

/// A complete response for a status. The connection is closed after it.
pub(super) fn answer(status: u16) -> Vec<u8> {
    let (reason, code, message): (&str, ErrorCode, &str) = match status {
        408 => ("Request Timeout", codes::MALFORMED_REQUEST, "The head of the request took too long to arrive."),
        414 => ("URI Too Long", codes::MALFORMED_REQUEST, "The address is too long. Send data in the body."),
        431 => (
            "Request Header Fields Too Large",
            codes::MALFORMED_REQUEST,
            "The head of a request is at most 32 KiB with at most 100 headers.",
        ),
        505 => ("HTTP Version Not Supported", codes::MALFORMED_REQUEST, "Use HTTP/1.1."),
        _ => ("Bad Request", codes::MALFORMED_REQUEST, "This is not an HTTP/1.1 request."),
    };
    let status = if reason == "Bad Request" { 400 } else { status };
    let body = serde_json::json!({"error": {"code": code.as_str(), "message": message}}).to_string();
    format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\
         cache-control: no-store\r\nx-content-type-options: nosniff\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The status in the first bytes of a response.
pub(super) fn status(head: &[u8]) -> u16 {
    head.get(9..12).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(400)
}
