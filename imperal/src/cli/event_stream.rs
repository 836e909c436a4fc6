//! The live stream as a channel of events. It reconnects by itself, also to a platform that has moved, and resumes
//! after the last number it saw.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::mpsc;

use super::api::ApiClient;
use super::exit::{CliError, Exit};
use super::sse::{SseMessage, SseParser};

/// Pause between two attempts to connect.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Failed attempts in a row before the stream gives up. A stopping platform may take its grace to come back.
const ATTEMPTS: u32 = 60;

/// An item of a stream.
#[derive(Debug)]
pub(super) enum StreamEvent {
    /// An event of the platform.
    Message(SseMessage),
    /// The connection is lost. The next message is `hello`.
    Lost,
}

/// An open stream: its events, or the error that ended it.
pub(super) type EventStream = mpsc::Receiver<Result<StreamEvent, CliError>>;

/// A live stream, and the events of it that were received but not handled yet.
#[derive(Debug)]
pub(super) struct ReceivedEvents {
    stream: EventStream,
    waiting: VecDeque<Result<StreamEvent, CliError>>,
}

impl ReceivedEvents {
    pub(super) fn new(stream: EventStream) -> Self {
        Self { stream, waiting: VecDeque::new() }
    }

    /// Receives one event for later, and shows it. Never returns once the stream is over. Cancel-safe.
    pub(super) async fn receive(&mut self) -> Option<&SseMessage> {
        match self.stream.recv().await {
            Some(event) => self.waiting.push_back(event),
            None => std::future::pending().await,
        }
        match self.waiting.back() {
            Some(Ok(StreamEvent::Message(message))) => Some(message),
            _ => None,
        }
    }

    /// The next event; `None` at the end of the stream. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Result<StreamEvent, CliError>> {
        match self.waiting.pop_front() {
            Some(event) => Some(event),
            None => self.stream.recv().await,
        }
    }
}

/// The data of the event `hello`, the first of each connection.
#[derive(Deserialize)]
struct Hello {
    /// The number of the latest event.
    head: u64,
}

/// Streams the events after a number, or all events from now on, until the receiver is dropped.
///
/// The first event is `hello`. After it the platform sends every progress report to this stream.
pub(super) fn subscribe(api: ApiClient, after: Option<u64>) -> EventStream {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let mut seen = after;
        // Each message sets it to 0. So 1 is the first failure after an open connection.
        let mut failures = 1;
        loop {
            let error = match read(&api, &mut seen, &mut failures, &sender).await {
                Ok(()) => return,
                Err(error) => error,
            };
            failures += 1;
            if failures == 1 && sender.send(Ok(StreamEvent::Lost)).await.is_err() {
                return;
            }
            // A refusal is final, except by a limit, which may pass.
            if failures > ATTEMPTS || (error.exit == Exit::Refused && !error.is_transient()) {
                // Fails only if the receiver was dropped.
                let _ = sender.send(Err(error)).await;
                return;
            }
            tokio::time::sleep(RETRY_PAUSE).await;
            api.find_again();
        }
    });
    receiver
}

/// Reads one connection to its end. `Ok` means that the subscription is over.
async fn read(
    api: &ApiClient,
    seen: &mut Option<u64>,
    failures: &mut u32,
    sender: &mpsc::Sender<Result<StreamEvent, CliError>>,
) -> Result<(), CliError> {
    let mut stream = api.open_stream(*seen).await?;
    let mut parser = SseParser::default();
    while let Some(bytes) = stream.chunk().await? {
        let messages = match parser.feed(&bytes) {
            Ok(messages) => messages,
            // A new connection would send the same event again.
            Err(error) => {
                let _ = sender.send(Err(error)).await;
                return Ok(());
            }
        };
        for message in messages {
            *failures = 0;
            let mut id = message.id;
            if message.event == "hello" && seen.is_none() {
                id = crate::json::read::<Hello>(message.data.as_bytes()).ok().map(|hello| hello.head);
            }
            if sender.send(Ok(StreamEvent::Message(message))).await.is_err() {
                return Ok(());
            }
            *seen = id.or(*seen);
        }
    }
    Err(CliError::unavailable("the platform ended the live stream and did not come back"))
}
