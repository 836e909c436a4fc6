//! The live stream as a channel of events. It reconnects by itself and resumes after the last number it saw.

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

/// An open stream: its events, or the error that ended it.
pub(super) type EventStream = mpsc::Receiver<Result<SseMessage, CliError>>;

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
        let mut failures = 0;
        loop {
            let error = match read(&api, &mut seen, &mut failures, &sender).await {
                Ok(()) => return,
                Err(error) => error,
            };
            failures += 1;
            if failures > ATTEMPTS || error.exit == Exit::Refused {
                // Fails only if the receiver was dropped.
                let _ = sender.send(Err(error)).await;
                return;
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    });
    receiver
}

/// Reads one connection to its end. `Ok` means that the subscription is over.
async fn read(
    api: &ApiClient,
    seen: &mut Option<u64>,
    failures: &mut u32,
    sender: &mpsc::Sender<Result<SseMessage, CliError>>,
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
            if sender.send(Ok(message)).await.is_err() {
                return Ok(());
            }
            *seen = id.or(*seen);
        }
    }
    Err(CliError::unavailable("the platform ended the live stream and did not come back"))
}
