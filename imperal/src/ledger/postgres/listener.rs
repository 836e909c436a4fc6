//! The loops behind [`PeerNotifier`]: one polls, one keeps a connection that listens and sends NOTIFYs.
//!
//! NOTIFYs and polls are paced: one every 10 ms in the long run, and a burst of 16 after a rest.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep_until};
use tokio_postgres::AsyncMessage;
use tokio_util::sync::CancellationToken;

use super::fault::reasons;
use super::notifier::PeerNotifier;
use super::pool::{Param, STATEMENT, Store, text};
use crate::failpoint;
use crate::ledger::LedgerError;
use crate::loops::{Loops, Need};

/// Between two NOTIFYs of this node, and between two polls that NOTIFYs caused.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// How many come without a gap after a rest: a call and its reply need not wait for each other.
const BURST: u32 = 16;
/// Between two polls of all watched owners.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// Between two checks that the listening connection still works.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// Aborts its tasks when it is dropped.
#[derive(Debug)]
pub(super) struct AbortOnDrop(Vec<AbortHandle>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

/// Starts both loops. They start again after a panic, and end when the returned value is dropped.
pub(super) fn start(notifier: &Arc<PeerNotifier>, store: &Store, loops: &Loops) -> AbortOnDrop {
    let never = CancellationToken::new;
    let listen = {
        let (notifier, store) = (notifier.clone(), store.clone());
        move || keep_listening(notifier.clone(), store.clone())
    };
    let poll = {
        let (notifier, store) = (notifier.clone(), store.clone());
        move || keep_polling(notifier.clone(), store.clone())
    };
    AbortOnDrop(vec![
        loops.spawn("notifier", Need::Helpful, never(), listen),
        loops.spawn("notifier-look", Need::Helpful, never(), poll),
    ])
}

/// One every [`MIN_INTERVAL`] in the long run, [`BURST`] of them without a wait.
#[derive(Debug)]
struct Pace {
    /// When the next one would be due without a burst.
    due: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { due: Instant::now() }
    }

    /// When the next one may come.
    fn next(&self) -> Instant {
        self.due.checked_sub(MIN_INTERVAL * (BURST - 1)).unwrap_or(self.due)
    }

    fn taken(&mut self) {
        self.due = self.due.max(Instant::now()) + MIN_INTERVAL;
    }
}

async fn keep_polling(notifier: Arc<PeerNotifier>, store: Store) {
    let mut pace = Pace::new();
    let mut next = Instant::now() + POLL_EVERY;
    loop {
        tokio::select! {
            () = notifier.to_poll.notified() => {}
            () = sleep_until(next) => {
                notifier.poll_all();
                next = Instant::now() + POLL_EVERY;
            }
        }
        failpoint::hit("notifier-look");
        if let Err(fault) = notifier.poll(&store).await {
            let error = LedgerError::from(fault);
            tracing::warn!(%error, "polling for other nodes' commits failed");
        }
        pace.taken();
        sleep_until(pace.next()).await;
    }
}

async fn keep_listening(notifier: Arc<PeerNotifier>, store: Store) {
    loop {
        failpoint::hit("notifier");
        let why = listen(&notifier, &store).await;
        tracing::debug!(why, "other nodes' notifications are late: the connection that listens ended");
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// Listens and sends on one connection until that ends; returns why it ended.
async fn listen(notifier: &PeerNotifier, store: &Store) -> String {
    let connecting = tokio::time::timeout(STATEMENT, store.config().connect(store.tls()));
    let (client, mut connection) = match connecting.await {
        Ok(Ok(connected)) => connected,
        Ok(Err(error)) => return reasons(&error),
        Err(_) => return "the server did not answer".to_owned(),
    };
    let (received, mut payloads) = mpsc::unbounded_channel();
    let driver: JoinHandle<()> = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(note) = message {
                // An error means that this function has returned.
                let _ = received.send(note.payload().to_owned());
            }
        }
    });
    let _driver = AbortOnDrop(vec![driver.abort_handle()]);
    if let Err(why) = in_time(client.batch_execute(&format!("LISTEN \"{}\"", store.schema()))).await {
        return why;
    }
    // Earlier NOTIFYs are lost.
    notifier.poll_all();
    notifier.to_poll.notify_one();
    let mut pace = Pace::new();
    let mut check = tokio::time::interval_at(Instant::now() + CHECK_EVERY, CHECK_EVERY);
    loop {
        let sendable = async {
            while !notifier.has_outgoing() {
                notifier.to_send.notified().await;
            }
            sleep_until(pace.next()).await;
        };
        let sent = tokio::select! {
            payload = payloads.recv() => match payload {
                Some(payload) => {
                    notifier.on_notify(&payload);
                    Ok(())
                }
                None => return "the server ended it".to_owned(),
            },
            () = sendable => {
                pace.taken();
                let Some(payload) = notifier.take_outgoing() else { continue };
                let schema = store.schema();
                let params: [Param<'_>; 2] = [text(&schema), text(&payload)];
                in_time(client.query_typed("SELECT pg_notify($1, $2)", &params)).await
            }
            // A network that swallows everything does not end the connection by itself.
            _ = check.tick() => in_time(client.query_typed("SELECT", &[])).await,
        };
        if let Err(why) = sent {
            return why;
        }
    }
}

async fn in_time<T>(statement: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<(), String> {
    match tokio::time::timeout(STATEMENT, statement).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(reasons(&error)),
        Err(_) => Err("the server did not answer".to_owned()),
    }
}
