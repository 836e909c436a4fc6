//! The live stream of a user, event by event.

use serde_json::Value;

/// One event.
#[derive(Debug, Clone)]
pub struct SseEvent {
    /// `hello`, `turn`, `task` or `progress`.
    pub event: String,
    /// Its number, if it has one.
    pub id: Option<u64>,
    /// Its data.
    pub data: Value,
}

/// An open stream.
#[derive(Debug)]
pub struct Events {
    answer: reqwest::Response,
    pending: Vec<u8>,
}

impl Events {
    /// The events in the body of a response.
    pub fn new(answer: reqwest::Response) -> Self {
        Self { answer, pending: Vec::new() }
    }

    /// The next event; skips keep-alives.
    ///
    /// # Panics
    /// When the stream ends.
    pub async fn next(&mut self) -> SseEvent {
        self.try_next().await.expect("the stream continues")
    }

    /// The next event, or `None` when the stream ends.
    ///
    /// # Panics
    /// When an event is malformed.
    pub async fn try_next(&mut self) -> Option<SseEvent> {
        loop {
            while let Some(end) = self.pending.windows(2).position(|two| two == b"\n\n") {
                let block = String::from_utf8(self.pending.drain(..end + 2).collect()).expect("events are UTF-8");
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
                if let (Some(event), Some(data)) = (field("event:"), field("data:")) {
                    return Some(SseEvent {
                        event: event.to_owned(),
                        id: field("id:").map(|id| id.parse().expect("ids are numbers")),
                        data: serde_json::from_str(data).expect("data is JSON"),
                    });
                }
            }
            let chunk = self.answer.chunk().await.ok()??;
            // A chunk may end in a character.
            self.pending.extend_from_slice(&chunk);
        }
    }
}
