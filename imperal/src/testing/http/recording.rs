//! Responses of a real service in a file.
//!
//! Owns the file's format and the redaction: by names, and of secrets that the extension has read. A recorded call runs
//! in its own runtime on its own thread, so that the test's paused clock stands still during it. A response that is read
//! as it comes is recorded whole; its server-sent events are replayed one chunk each, without pauses.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderMap, Method};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::rule::Kept;
use super::{Chunks, Reply, SentRequest};
use crate::context::{Exchange, HttpError, HttpPool, OutgoingRequest, Response};
use crate::secrets::screen_process_text;

const RECORD: &str = "IMPERAL_RECORD";
const REDACTED: &str = "REDACTED";
/// Parts of secret names of headers, query parameters and JSON fields.
const SECRET: &[&str] =
    &["key", "token", "secret", "signature", "password", "passwd", "cookie", "authorization", "authenticate"];
/// Headers of the connection, not of the response.
const CONNECTION: &[&str] =
    &["connection", "keep-alive", "transfer-encoding", "content-encoding", "content-length", "date"];

#[derive(Debug, Serialize, Deserialize)]
struct Recording {
    exchanges: Vec<Recorded>,
}

/// One exchange. A body is text, or its bytes in hexadecimal.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recorded {
    method: String,
    url: String,
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    body: Body,
    status: u16,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    headers: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    answer: Body,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Body {
    Json(Value),
    Text(String),
    Hex(String),
}

impl Default for Body {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Body {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    fn of(bytes: &[u8]) -> Self {
        if let Ok(mut json @ (Value::Object(_) | Value::Array(_))) = crate::json::read(bytes) {
            redact_json(&mut json);
            return Self::Json(json);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(screen_process_text(text).into_owned()),
            Err(_) => Self::Hex(bytes.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })),
        }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Json(value) => serde_json::to_vec(value).ok(),
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Hex(hex) => (0..hex.len())
                .step_by(2)
                .map(|at| hex.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok()))
                .collect(),
        }
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET.iter().any(|part| name.contains(part))
}

fn redact_json(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if is_secret(name) && !field.is_object() && !field.is_array() {
                    *field = REDACTED.into();
                } else {
                    redact_json(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact_json),
        Value::String(text) => *text = screen_process_text(text).into_owned(),
        _ => {}
    }
}

fn redacted_url(url: &Url) -> String {
    let mut shown = url.clone();
    // User and password of the address are secret too.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    if url.query().is_some() {
        let mut pairs = shown.query_pairs_mut();
        pairs.clear();
        for (name, value) in url.query_pairs() {
            pairs.append_pair(&name, if is_secret(&name) { REDACTED } else { &value });
        }
        drop(pairs);
    }
    screen_process_text(shown.as_str()).into_owned()
}

/// The headers of a response to a request for `url`.
fn redacted_headers(headers: &HeaderMap, url: &Url) -> Map<String, Value> {
    let kept = headers.iter().filter(|(name, _)| !CONNECTION.contains(&name.as_str()));
    kept.map(|(name, value)| {
        let value = value.to_str().unwrap_or_default();
        let value = match name.as_str() {
            name if is_secret(name) => REDACTED.to_owned(),
            // The request that follows is recorded under the redacted address.
            "location" => url.join(value).map_or_else(|_| value.to_owned(), |to| redacted_url(&to)),
            _ => screen_process_text(value).into_owned(),
        };
        (name.to_string(), value.into())
    })
    .collect()
}

/// The file's path, relative to the crate's folder, where cargo runs its tests.
fn resolve(file: &Path) -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| file.to_owned(), |folder| Path::new(&folder).join(file))
}

/// The rules that give a file's responses.
pub(super) fn rules_of(file: &Path) -> Vec<Kept> {
    let path = resolve(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{} cannot be read ({error}): run the test once with {RECORD}=1 to record it", path.display())
    });
    let recording: Recording = crate::json::read(text.as_bytes()).unwrap_or_else(|error| {
        panic!("{} is no recording ({error}): record it again with {RECORD}=1", path.display())
    });
    recording.exchanges.into_iter().map(|recorded| rule_of(recorded, &path)).collect()
}

fn rule_of(recorded: Recorded, path: &Path) -> Kept {
    let bad = |what: &str| -> ! { panic!("{}: {what} of {} is not sound", path.display(), recorded.url) };
    let Ok(method) = recorded.method.parse::<Method>() else { bad("the method") };
    let Some(answer) = recorded.answer.bytes() else { bad("the answer") };
    let is_stream = recorded.headers.get("content-type").and_then(Value::as_str).is_some_and(is_event_stream);
    let mut reply = if is_stream { Reply::stream(one_chunk_an_event(&answer)) } else { Reply::bytes(answer) };
    reply = reply.with_status(recorded.status);
    for (name, value) in &recorded.headers {
        reply = reply.header(name, value.as_str().unwrap_or_default());
    }
    let (url, body) = (recorded.url.clone(), recorded.body);
    let is_it = move |sent: &SentRequest| redacted_url(&sent.url) == url && Body::of(&sent.body) == body;
    Kept::recorded(method, &recorded.url, is_it, reply)
}

/// A response as a replay gives it.
pub(super) fn replayed(answer: &Response) -> Reply {
    let is_stream = answer.header("content-type").is_some_and(is_event_stream);
    let chunks = if is_stream { one_chunk_an_event(answer.bytes()) } else { answer.bytes().clone().into() };
    answer.headers().iter().fold(Reply::stream(chunks).with_status(answer.status().as_u16()), |reply, (name, value)| {
        reply.header(name.as_str(), value.to_str().unwrap_or_default())
    })
}

fn is_event_stream(content_type: &str) -> bool {
    content_type.trim_start().starts_with("text/event-stream")
}

/// Cuts a body of server-sent events behind each blank line.
fn one_chunk_an_event(body: &[u8]) -> Chunks {
    let (mut chunks, mut from) = (Chunks::new(), 0);
    for at in 1..body.len() {
        let is_blank = body[at] == b'\n' && (body[at - 1] == b'\n' || body[..at].ends_with(b"\n\r"));
        if is_blank {
            chunks = chunks.bytes(body[from..=at].to_vec());
            from = at + 1;
        }
    }
    if from < body.len() { chunks.bytes(body[from..].to_vec()) } else { chunks }
}

/// Sends calls to the network and records the responses.
pub(super) struct Recorder {
    path: PathBuf,
    exchanges: Arc<Mutex<Vec<Recorded>>>,
}

impl Recorder {
    pub(super) fn is_requested() -> bool {
        std::env::var_os(RECORD).is_some_and(|value| !value.is_empty() && value != "0")
    }

    pub(super) fn new(file: &Path) -> Self {
        Self { path: resolve(file), exchanges: Arc::default() }
    }

    pub(super) fn exchange(&self, request: SentRequest, outgoing: OutgoingRequest) -> Exchange<'_> {
        self.record(request, move || go(outgoing))
    }

    /// Records a response that its caller reads as it comes.
    pub(super) fn open(&self, request: SentRequest, outgoing: OutgoingRequest) -> Exchange<'_> {
        self.record(request, move || go_to_the_end(outgoing))
    }

    fn record(
        &self,
        request: SentRequest,
        go: impl FnOnce() -> Result<Response, HttpError> + Send + 'static,
    ) -> Exchange<'_> {
        let exchanges = self.exchanges.clone();
        Box::pin(async move {
            // The paused clock stands still while this thread runs.
            let going = tokio::task::spawn_blocking(go);
            let answer = going.await.unwrap_or_else(|error| panic!("the call could not be recorded: {error}"))?;
            let recorded = Recorded {
                method: request.method.to_string(),
                url: redacted_url(&request.url),
                body: Body::of(&request.body),
                status: answer.status().as_u16(),
                headers: redacted_headers(answer.headers(), &request.url),
                answer: Body::of(answer.bytes()),
            };
            exchanges.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
            Ok(answer)
        })
    }

    pub(super) fn save(&self) {
        let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Ok(mut text) = serde_json::to_string_pretty(&Recording { exchanges }) else { return };
        text.push('\n');
        let written = self.path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&self.path, text));
        match written {
            Ok(()) => eprintln!("recorded {}", self.path.display()),
            Err(error) => eprintln!("{} cannot be written: {error}", self.path.display()),
        }
    }
}

fn go(outgoing: OutgoingRequest) -> Result<Response, HttpError> {
    // A client of its own: a pool's connections belong to the runtime that opened them.
    runtime().block_on(async { HttpPool::new()?.transport().exchange(outgoing).await })
}

fn go_to_the_end(outgoing: OutgoingRequest) -> Result<Response, HttpError> {
    runtime().block_on(async {
        let answer = HttpPool::new()?.transport().open(outgoing).await?;
        let body: Vec<Bytes> = answer.body.try_collect().await?;
        Ok(Response::new(answer.status, answer.headers, body.concat().into()))
    })
}

fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap_or_else(|error| panic!("no runtime to record with: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_secret_names_are_redacted() {
        let url = "https://me:pw@a.example/x?api_key=k1&lang=en&X-Amz-Signature=s1".parse().unwrap();
        assert_eq!(redacted_url(&url), "https://a.example/x?api_key=REDACTED&lang=en&X-Amz-Signature=REDACTED");
        let body = Body::of(br#"{"user":"me","auth":{"accessToken":"t1"},"rows":[{"Password":"p1","n":1}]}"#);
        let text = serde_json::to_string(&body).unwrap();
        assert!(text.contains("REDACTED") && !["t1", "p1"].iter().any(|secret| text.contains(secret)), "{text}");
        let mut headers = HeaderMap::new();
        headers.insert("set-cookie", "session=c1".parse().unwrap());
        headers.insert("content-type", "text/plain".parse().unwrap());
        headers.insert("date", "now".parse().unwrap());
        headers.insert("location", "/two?token=t1&page=2".parse().unwrap());
        let headers = Value::from(redacted_headers(&headers, &url)).to_string();
        assert_eq!(
            headers,
            r#"{"set-cookie":"REDACTED","content-type":"text/plain","location":"https://a.example/two?token=REDACTED&page=2"}"#
        );
    }

    #[test]
    fn events_are_replayed_one_chunk_each() {
        let body = b"data: 1\n\ndata: 2\r\n\r\n: still here\n\nda";
        let chunks = format!("{:?}", one_chunk_an_event(body));
        assert_eq!(chunks.matches("Bytes").count(), 4, "{chunks}");
    }

    #[test]
    fn bodies_round_trip_byte_for_byte() {
        for bytes in [&b""[..], b"plain", b"\x00\xff\x10", b"[1,2]", b"true"] {
            assert_eq!(Body::of(bytes).bytes().unwrap(), bytes);
        }
    }
}
