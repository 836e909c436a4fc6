//! The body of a scripted response, chunk by chunk.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};

use crate::context::HttpError;

/// The body of a scripted response as it comes: chunks, pauses, and how it ends. For
/// [`Reply::stream`](super::Reply::stream).
///
/// ```
/// # use imperal::testing::{Chunks, Reply, TestPlatform};
/// # use std::time::Duration;
/// # fn rules(platform: &TestPlatform) {
/// let words = Chunks::new().event("Hel").pause(Duration::from_secs(2)).event("lo").event("[DONE]");
/// platform.http().post("/v1/words").reply(Reply::stream(words));
/// // A service that fails in the middle of its answer.
/// platform.http().post("/v1/broken").reply(Reply::stream(Chunks::new().event("Hel").cut_off()));
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "give it to `Reply::stream`"]
pub struct Chunks(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Bytes(Bytes),
    Pause(Duration),
    Hang,
    CutOff,
}

impl Chunks {
    /// A body without bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// These bytes, in one chunk.
    pub fn bytes(self, bytes: impl Into<Bytes>) -> Self {
        self.with(Part::Bytes(bytes.into()))
    }

    /// A server-sent event with this data, in one chunk.
    pub fn event(self, data: impl AsRef<str>) -> Self {
        let mut event = String::new();
        for line in data.as_ref().split('\n') {
            event.push_str("data: ");
            event.push_str(line);
            event.push('\n');
        }
        event.push('\n');
        self.bytes(event)
    }

    /// Silence for this time.
    pub fn pause(self, time: Duration) -> Self {
        self.with(Part::Pause(time))
    }

    /// Silence from here on: the reading runs into its timeout.
    pub fn hang(self) -> Self {
        self.with(Part::Hang)
    }

    /// The connection breaks here.
    pub fn cut_off(self) -> Self {
        self.with(Part::CutOff)
    }

    fn with(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|part| if let Part::Bytes(bytes) = part { bytes.len() } else { 0 }).sum()
    }

    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Bytes, HttpError>> + Send + 'static {
        stream::iter(self.0).filter_map(|part| async move {
            match part {
                Part::Bytes(bytes) => Some(Ok(bytes)),
                Part::Pause(time) => {
                    tokio::time::sleep(time).await;
                    None
                }
                Part::Hang => std::future::pending().await,
                Part::CutOff => Some(Err(HttpError::broken_off())),
            }
        })
    }
}

impl From<Bytes> for Chunks {
    /// One chunk, or none.
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::new() } else { Self::new().bytes(bytes) }
    }
}
