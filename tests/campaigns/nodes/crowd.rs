//! Users at work on a fleet: each request goes to a random node. A stream moves to another node when it
//! breaks, falls silent, or at random.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fleet::Fleet;
use crate::Dice;
use crate::campaigns::crash::driver::{CallOutcome, Plan, TrackedUser};

/// Silence after which a client gives a node up; a stopped process does not answer.
const SILENCE: Duration = Duration::from_secs(4);

/// Outcomes of the requests.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) answered: AtomicU64,
    /// Among them, repeated calls whose earlier try had been accepted.
    pub(crate) repeated: AtomicU64,
    /// Answered with 503.
    pub(crate) refused: AtomicU64,
    /// Without a complete answer.
    pub(crate) cut: AtomicU64,
    /// Opened streams.
    pub(crate) streams: AtomicU64,
}

/// State shared by all users.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) http: reqwest::Client,
    pub(crate) counts: Arc<Counts>,
}

impl Crowd {
    pub(crate) fn new(fleet: Arc<Fleet>) -> Self {
        // An error means that the process already has a provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().connect_timeout(SILENCE).read_timeout(SILENCE).build();
        Self { fleet, http: http.expect("a client can be made"), counts: Arc::default() }
    }

    /// Calls until `quota` tasks are acknowledged; sometimes cancels, injects, or tries another user's task.
    pub(crate) async fn drive(self, user: TrackedUser, others: Vec<TrackedUser>, quota: u64, mut dice: Dice) {
        loop {
            let told = user.record.open().acknowledged() as u64;
            if told >= quota {
                return;
            }
            let Some(url) = self.fleet.any(&mut dice) else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let there = user.visit_by(&self.http, &url);
            let plan = Plan {
                tasks: (1 + dice.below(4)).min(quota - told),
                steps: 1 + dice.below(4),
                step_ms: dice.below(400),
            };
            let done = match dice.below(24) {
                0 => user.cancel(&there, &mut dice).await.map(|()| CallOutcome::Answered),
                1 | 2 => {
                    let other = self.fleet.any(&mut dice).unwrap_or_else(|| url.clone());
                    let elsewhere = user.visit_by(&self.http, &other);
                    user.answer(&there, &elsewhere, &mut dice).await.map(|()| CallOutcome::Answered)
                }
                3 => user.inject(&there).await.map(|()| CallOutcome::Answered),
                5 | 6 => user.upload(&there, &mut dice).await.map(|()| CallOutcome::Answered),
                7 | 8 => user.schedule(&there, &mut dice).await.map(|()| CallOutcome::Answered),
                4 => match dice.one_of(&others) {
                    Some(other) => {
                        let theirs = std::slice::from_ref(&other.record);
                        user.trespass(&there, theirs, &mut dice).await.map(|()| CallOutcome::Answered)
                    }
                    None => continue,
                },
                _ => user.try_journey(&there, plan).await,
            };
            let counter = match done {
                Ok(CallOutcome::Answered | CallOutcome::Repeated) => &self.counts.answered,
                Ok(CallOutcome::Refused) => &self.counts.refused,
                Err(_) => &self.counts.cut,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            if matches!(done, Ok(CallOutcome::Repeated)) {
                self.counts.repeated.fetch_add(1, Ordering::Relaxed);
            }
            if !matches!(done, Ok(CallOutcome::Answered | CallOutcome::Repeated)) {
                tokio::time::sleep(Duration::from_millis(20 + dice.below(200))).await;
            }
        }
    }

    /// Follows a user's stream on changing nodes until it is asked to stop.
    pub(crate) async fn watch(self, user: TrackedUser, enough: CancellationToken, mut dice: Dice) {
        while !enough.is_cancelled() {
            let Some(url) = self.fleet.any(&mut dice) else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            self.counts.streams.fetch_add(1, Ordering::Relaxed);
            let there = user.visit_by(&self.http, &url);
            let for_a_while = Duration::from_millis(500 + dice.below(6000));
            let followed = tokio::time::timeout(for_a_while, user.clone().follow(there, false));
            if let Some(Ok(Err(_))) = enough.run_until_cancelled(followed).await {
                tokio::time::sleep(Duration::from_millis(100 + dice.below(200))).await;
            }
        }
    }

    /// Follows a user's stream to its head, on any node. Returns whether it reaches the head in time.
    pub(crate) async fn catch_up(&self, user: &TrackedUser, dice: &mut Dice, by: Instant) -> bool {
        while Instant::now() < by {
            let Some(url) = self.fleet.any(dice) else { return false };
            let there = user.visit_by(&self.http, &url);
            let followed = tokio::time::timeout(Duration::from_secs(20), user.clone().follow(there, true));
            if matches!(followed.await, Ok(Ok(()))) {
                return true;
            }
        }
        false
    }
}
