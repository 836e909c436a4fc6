//! Files of the signed-in user: uploads, bytes, lists, deletes.
//!
//! Name, type and bytes of a file come from a stranger. A browser shows a file only if its first bytes agree with a type
//! that runs nothing; everything else is a download. The bytes of a file never change, so a browser keeps them.

use std::ops::Range;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api_error::ApiError;
use super::body::{IdInPath, PathId, Query};
use super::json;
use crate::codes;
use crate::error::Error;
use crate::files::{BlobStream, HEAD, can_be_shown};
use crate::ids::FileId;
use crate::platform::{Access, FileInfo, Upload};
use crate::result::Result as CallResult;

/// Longest silence of an upload.
const SILENCE: Duration = Duration::from_secs(30);
/// A page that shows a file may run nothing, and load nothing but the file.
const POLICY: &str = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; \
     frame-ancestors 'none'";
/// The characters of a file name that a header has as they are.
const IN_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

impl PathId for FileId {
    const KIND: &'static str = "file";
}

/// What is uploaded.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UploadQuery {
    app: String,
    name: String,
    expires_in: Option<u64>,
}

/// How a file is read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileQuery {
    info: Option<String>,
    download: Option<String>,
}

/// Which files are listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilesQuery {
    app: Option<String>,
    after: Option<FileId>,
    limit: Option<u32>,
}

/// The answer to a delete.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeletedFile {
    /// True.
    deleted: bool,
}

pub(super) async fn upload(
    access: Access,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers();
    let content_type = super::headers::text(headers, &header::CONTENT_TYPE)?.map(str::to_owned);
    let size = headers.get(header::CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse().ok());
    let UploadQuery { app, name, expires_in } = query;
    let upload = Upload::of_stream(app, name, arriving(request.into_body()))
        .content_type(content_type)
        .expires_in(expires_in.map(Duration::from_secs))
        .size(size);
    let file = access.upload_file(upload).await?;
    Ok(json(StatusCode::CREATED, &file))
}

/// The bytes of a body. A client that sends nothing for a while ends it.
fn arriving(body: Body) -> impl Stream<Item = CallResult<Bytes>> + Send + 'static {
    let malformed = |text: String| Error::user(codes::MALFORMED_REQUEST, text);
    stream::unfold(Some(body.into_data_stream()), move |body| async move {
        let mut body = body?;
        match tokio::time::timeout(SILENCE, body.next()).await {
            Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(body))),
            Ok(Some(Err(error))) => Some((Err(malformed(format!("The upload could not be read: {error}."))), None)),
            Ok(None) => None,
            Err(_) => {
                let text = format!("Nothing of the upload arrived for {} s. Upload again.", SILENCE.as_secs());
                Some((Err(malformed(text)), None))
            }
        }
    })
}

pub(super) async fn list(access: Access, Query(query): Query<FilesQuery>) -> Result<Response, ApiError> {
    let page = access.files(query.app.as_deref(), query.after, query.limit.unwrap_or(100)).await?;
    Ok(json(StatusCode::OK, &page))
}

pub(super) async fn remove(access: Access, IdInPath(file_id): IdInPath<FileId>) -> Result<Response, ApiError> {
    if !access.delete_file(file_id).await? {
        // Its error says that there is no such file.
        access.file(file_id).await?;
    }
    Ok(json(StatusCode::OK, &DeletedFile { deleted: true }))
}

pub(super) async fn read(
    access: Access,
    IdInPath(file_id): IdInPath<FileId>,
    Query(query): Query<FileQuery>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let info = access.file(file_id).await?;
    if query.info.is_some() {
        return Ok(json(StatusCode::OK, &info));
    }
    let FileInfo { file, .. } = &info;
    let etag = format!("\"{}\"", file.sha256);
    if is_known(&headers, &etag) {
        return Ok(with_cache(StatusCode::NOT_MODIFIED.into_response(), &etag));
    }
    let (status, range) = match asked_range(&headers, &etag, file.size) {
        Asked::Whole => (StatusCode::OK, 0..file.size),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Nothing => {
            let text = format!("The file has {} bytes, and none in this range.", file.size);
            let refusal = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, codes::MALFORMED_REQUEST, text);
            let mut response = refusal.into_response();
            set(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{}", file.size));
            return Ok(response);
        }
    };
    let shown = query.download.is_none() && is_shown(&access, &info).await?;
    let body = if method == Method::HEAD {
        // Reads one byte, so that bytes that are gone are an error.
        drop(access.file_bytes(file_id, 0..file.size.min(1)).await?);
        Body::empty()
    } else {
        Body::from_stream(access.file_bytes(file_id, range.clone()).await?)
    };
    let mut response = with_cache((status, body).into_response(), &etag);
    let headers = response.headers_mut();
    set(headers, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    set(headers, header::ACCEPT_RANGES, "bytes");
    if status == StatusCode::PARTIAL_CONTENT {
        let (first, last) = (range.start, range.end - 1);
        set(headers, header::CONTENT_RANGE, &format!("bytes {first}-{last}/{}", file.size));
    }
    let (disposition, content_type) = match (shown, &*file.content_type) {
        (true, "text/plain") => ("inline", "text/plain; charset=utf-8"),
        (true, shown) => ("inline", shown),
        (false, _) if has_unclear_type(&file.content_type) => ("attachment", "application/octet-stream"),
        (false, other) => ("attachment", other),
    };
    set(headers, header::CONTENT_TYPE, content_type);
    set(headers, header::CONTENT_DISPOSITION, &format!("{disposition}; {}", name_in_header(&file.name)));
    set(headers, header::CONTENT_SECURITY_POLICY, POLICY);
    set(headers, header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    Ok(response)
}

/// Types that a browser may run or embed are not named, even for a download.
fn has_unclear_type(content_type: &str) -> bool {
    const RUN: &[&str] = &["html", "xml", "svg", "script", "css", "wasm", "shockwave"];
    content_type.is_empty() || RUN.iter().any(|part| content_type.contains(part))
}

/// Whether a file is shown, by its declared type and its first bytes.
async fn is_shown(access: &Access, info: &FileInfo) -> Result<bool, ApiError> {
    let file = &info.file;
    let head = file.size.min(HEAD as u64);
    let mut bytes = Vec::new();
    let mut stream: BlobStream = access.file_bytes(file.file_id, 0..head).await?;
    while let Some(Ok(next)) = stream.next().await {
        bytes.extend_from_slice(&next);
    }
    Ok(can_be_shown(&file.content_type, &bytes))
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn with_cache(mut response: Response, etag: &str) -> Response {
    set(response.headers_mut(), header::ETAG, etag);
    set(response.headers_mut(), header::CACHE_CONTROL, "private, max-age=31536000, immutable");
    response
}

/// The file's name: as it is for clients that know how, and in ASCII.
fn name_in_header(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_. ()".contains(c) { c } else { '_' }).collect();
    format!("filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, IN_NAME))
}

/// Whether the client has these bytes already.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|tags| tags.split(',')).map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// The bytes that a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    Nothing,
}

/// Reads one range. Several ranges, and a header that is not a range, ask for the whole file.
fn asked_range(headers: &HeaderMap, etag: &str, size: u64) -> Asked {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|tag| tag != etag) {
        return Asked::Whole;
    }
    let Some((first, last)) = text(header::RANGE).and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
    else {
        return Asked::Whole;
    };
    let number = |text: &str| {
        let text = text.trim();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let range = match (first.trim().is_empty(), number(first), last.trim().is_empty(), number(last)) {
        (false, Some(first), true, _) => first..size,
        (false, Some(first), false, Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (true, _, false, Some(count)) => size.saturating_sub(count)..size,
        _ => return Asked::Whole,
    };
    if range.is_empty() { Asked::Nothing } else { Asked::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body that sends these bytes, each after a wait, and then nothing without an end.
    fn slow(bytes: &'static [(u64, &'static str)]) -> Body {
        let sent = stream::iter(bytes).then(|(seconds, bytes)| async move {
            tokio::time::sleep(Duration::from_secs(*seconds)).await;
            Ok::<_, std::io::Error>(Bytes::from(*bytes))
        });
        Body::from_stream(sent.chain(stream::pending()))
    }

    /// A slow client is no silent one.
    #[tokio::test(start_paused = true)]
    async fn silent_client_ends_its_upload() {
        let begun = tokio::time::Instant::now();
        let came: Vec<_> = arriving(slow(&[(0, "one"), (29, "two"), (29, "three")])).collect().await;
        let [Ok(one), Ok(two), Ok(three), Err(error)] = &came[..] else { panic!("{came:?}") };
        assert_eq!([&one[..], &two[..], &three[..]], [&b"one"[..], b"two", b"three"]);
        assert_eq!((error.code(), begun.elapsed().as_secs()), (&codes::MALFORMED_REQUEST, 88));
        assert_eq!(error.message(), "Nothing of the upload arrived for 30 s. Upload again.");
    }

    fn asked(range: &str, if_range: Option<&str>, size: u64) -> Asked {
        let mut headers = HeaderMap::new();
        set(&mut headers, header::RANGE, range);
        if let Some(tag) = if_range {
            set(&mut headers, header::IF_RANGE, tag);
        }
        asked_range(&headers, "\"e\"", size)
    }

    #[test]
    fn one_range_is_understood() {
        for (range, wanted) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-4", Asked::Part(2..5)),
            ("bytes=7-", Asked::Part(7..10)),
            ("bytes=7-99999999999999999999999", Asked::Part(7..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-99", Asked::Part(0..10)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=10-12", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=4-2", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("items=0-1", Asked::Whole),
            ("", Asked::Whole),
        ] {
            assert_eq!(asked(range, None, 10), wanted, "{range}");
        }
        assert_eq!(asked("bytes=0-0", None, 0), Asked::Nothing);
        assert_eq!(asked("bytes=0-0", Some("\"e\""), 10), Asked::Part(0..1));
        assert_eq!(asked("bytes=0-0", Some("\"other\""), 10), Asked::Whole);
        assert_eq!(asked("bytes=0-0", Some("W/\"e\""), 10), Asked::Whole);
    }

    #[test]
    fn names_break_no_header() {
        let name = name_in_header("a \"b\"\r\nSet-Cookie: x; ü.png");
        assert_eq!(
            name,
            "filename=\"a _b___Set-Cookie_ x_ _.png\"; filename*=UTF-8''a%20%22b%22%0D%0ASet%2DCookie%3A%20x%3B%20%C3%BC.png"
                .replace("%2D", "-")
        );
        assert!(HeaderValue::from_str(&name).is_ok());
    }

    #[test]
    fn types_that_run_are_not_named() {
        for run in ["image/svg+xml", "text/html", "application/xhtml+xml", "text/javascript", "application/wasm", ""] {
            assert!(has_unclear_type(run), "{run}");
        }
        assert!(!has_unclear_type("application/pdf") && !has_unclear_type("image/png"));
    }
}
