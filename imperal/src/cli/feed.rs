//! The live stream as a channel: reconnects by itself and goes on after the last number it saw.

use std::time::Duration;

use tokio::sync::mpsc;

use super::client::ApiClient;
use super::exit::CliError;
use super::sse::{SseMessage, SseParser};

/// Between two attempts; the process may be starting again.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// Attempts in a row before it is given up: the process may be draining its work for its grace.
const ATTEMPTS: u32 = 60;

/// Events after a number, until the receiver is dropped. An error ends it.
pub(super) fn open(api: ApiClient, after: u64) -> mpsc::Receiver<Result<SseMessage, CliError>> {
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
            if failures > ATTEMPTS || error.exit == super::exit::Exit::Refused {
                // Nobody hears it when nobody listens any more.
                let _ = sender.send(Err(error)).await;
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    receiver
}

/// Ends well when nobody listens any more.
async fn read(
    api: &ApiClient,
    seen: &mut u64,
    failures: &mut u32,
    sender: &mpsc::Sender<Result<SseMessage, CliError>>,
) -> Result<(), CliError> {
    let mut stream = api.stream(*seen).await?;
    let mut parser = SseParser::default();
    while let Some(bytes) = stream.chunk().await? {
        let messages = match parser.feed(&bytes) {
            Ok(messages) => messages,
            // The same would come again.
            Err(error) => {
                let _ = sender.send(Err(error)).await;
                return Ok(());
            }
        };
        for message in messages {
            *failures = 0;
            let id = message.id;
            if sender.send(Ok(message)).await.is_err() {
                return Ok(());
            }
            *seen = id.unwrap_or(*seen);
        }
    }
    Err(CliError::unavailable("the platform ended the live stream and did not come back"))
}
