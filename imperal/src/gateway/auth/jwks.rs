//! A cache of the keys at a JWKS URL: one fetch for all waiting requests, renewed before it is old, without keys that
//! the issuer has removed.
//!
//! - At most one fetch runs. Every request that needs keys waits for the same one, and a client that disconnects
//!   does not abort it.
//! - Keys are renewed in the background after [`RENEW_AFTER`] and not used after [`MAX_AGE`]. While the issuer cannot
//!   be reached, they are used up to [`MAX_AGE_IN_OUTAGE`].
//! - A token with an unknown key id waits for a fetch that began after the token arrived. Fetches are at least
//!   [`MIN_FETCH_INTERVAL`] apart, so made-up key ids cost the issuer next to nothing and delay a rotation by one
//!   fetch at most.
//! - Without keys, tokens get 503, never 401.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use super::AuthError;
use super::keys::{KeySet, SignatureCheck, SkippedKey};
use super::token::UnverifiedToken;

/// Age after which keys in use are renewed.
const RENEW_AFTER: Duration = Duration::from_secs(4 * 60);
/// Age after which keys are not used: the longest time for which a removed key is still accepted.
const MAX_AGE: Duration = Duration::from_secs(5 * 60);
/// How long keys are used while the issuer cannot be reached.
const MAX_AGE_IN_OUTAGE: Duration = Duration::from_secs(3600);
/// Shortest time between two fetches.
const MIN_FETCH_INTERVAL: Duration = Duration::from_secs(5);
/// Wait after a failed fetch; doubled with each failure, up to `MIN_FETCH_INTERVAL`.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest wait of one request.
const WAIT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a key id that a fetch did not contain is refused without another fetch.
const UNKNOWN_ID_LIFETIME: Duration = Duration::from_secs(5);
/// Unknown key ids that are remembered, the latest ones.
const MAX_UNKNOWN_IDS: usize = 256;
/// Most requests that wait for a fetch.
const MAX_WAITING: usize = 256;

/// Fetches the keys. The error is a text for the log.
pub(super) type Fetch = Box<dyn Fn() -> BoxFuture<'static, Result<KeySet, String>> + Send + Sync>;

/// The cached keys of a URL.
#[derive(Clone)]
pub(super) struct Jwks(Arc<Shared>);

struct Shared {
    fetch: Fetch,
    most_waiting: usize,
    state: Mutex<State>,
    /// Number of fetches that have ended.
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    held: Option<Arc<CachedKeys>>,
    /// A fetch is running or scheduled.
    running: bool,
    last_begun: Option<Instant>,
    /// Failures since the last success, and the time of the last one.
    failures: u32,
    last_failed: Option<Instant>,
    /// Key ids that a fetch did not contain, with the start of that fetch.
    unknown: VecDeque<(String, Instant)>,
    waiting: usize,
    skipped: Vec<SkippedKey>,
}

/// The keys of one fetch.
struct CachedKeys {
    keys: KeySet,
    begun: Instant,
}

impl State {
    /// The earliest time of the next fetch.
    fn next(&self) -> Instant {
        let apart = match self.failures {
            0 => MIN_FETCH_INTERVAL,
            failures => FIRST_RETRY.saturating_mul(1 << (failures - 1).min(8)).min(MIN_FETCH_INTERVAL),
        };
        self.last_begun.map_or_else(Instant::now, |begun| begun + apart)
    }

    fn unavailable(&self) -> AuthError {
        AuthError::KeysUnavailable { retry_after: self.next().saturating_duration_since(Instant::now()) }
    }
}

impl Jwks {
    pub(super) fn new(fetch: Fetch) -> Self {
        Self::with_room(fetch, MAX_WAITING)
    }

    fn with_room(fetch: Fetch, most_waiting: usize) -> Self {
        Self(Arc::new(Shared { fetch, most_waiting, state: Mutex::default(), ended: watch::Sender::new(0) }))
    }

    /// Checks that a key of the issuer signed the token.
    ///
    /// # Errors
    /// The fault of the token, or that keys are not available right now.
    pub(super) async fn check(&self, token: &UnverifiedToken<'_>) -> Result<(), AuthError> {
        let asked = Instant::now();
        let mut held = self.usable(asked).await?;
        if !held.keys.knows(token) {
            held = self.with_key_of(token, asked).await?;
        }
        match held.keys.check(token) {
            SignatureCheck::Signed => Ok(()),
            otherwise => Err(otherwise.refusal()),
        }
    }

    /// Starts a fetch, so that the first token does not have to wait.
    pub(super) fn prefetch(&self) {
        self.fetch_soon();
    }

    /// Keys that are young enough to use.
    async fn usable(&self, asked: Instant) -> Result<Arc<CachedKeys>, AuthError> {
        let mut place = None;
        loop {
            let ended = self.0.ended.subscribe();
            {
                let state = self.0.lock();
                let age = state.held.as_ref().map(|held| held.begun.elapsed());
                let failed_since = state.last_failed.is_some_and(|failed| failed >= asked);
                match (&state.held, age) {
                    (Some(held), Some(age)) if age < RENEW_AFTER => return Ok(held.clone()),
                    // During an outage, requests do not wait while there are keys.
                    (Some(held), Some(age)) if age < MAX_AGE || (age < MAX_AGE_IN_OUTAGE && state.failures > 0) => {
                        let held = held.clone();
                        drop(state);
                        self.fetch_soon();
                        return Ok(held);
                    }
                    _ if failed_since => return Err(state.unavailable()),
                    // The last fetch failed, and the next one is not due yet.
                    _ if state.failures > 0 && state.next() > Instant::now() => {
                        let error = state.unavailable();
                        drop(state);
                        self.fetch_soon();
                        return Err(error);
                    }
                    _ => {}
                }
            }
            self.wait(ended, asked, &mut place).await?;
        }
    }

    /// Keys that include the token's, or those of a fetch that began after the token arrived.
    async fn with_key_of(&self, token: &UnverifiedToken<'_>, asked: Instant) -> Result<Arc<CachedKeys>, AuthError> {
        let mut place = None;
        loop {
            let ended = self.0.ended.subscribe();
            {
                let mut state = self.0.lock();
                if let Some(held) = &state.held {
                    if held.keys.knows(token) {
                        return Ok(held.clone());
                    }
                    let held = held.clone();
                    let kid = token.kid().unwrap_or_default();
                    state.unknown.retain(|(_, begun)| begun.elapsed() < UNKNOWN_ID_LIFETIME);
                    if state.unknown.iter().any(|(name, _)| name == kid) {
                        return Ok(held);
                    }
                    if held.begun >= asked {
                        if state.unknown.len() >= MAX_UNKNOWN_IDS {
                            state.unknown.pop_front();
                        }
                        state.unknown.push_back((kid.to_owned(), held.begun));
                        return Ok(held);
                    }
                }
                // The key may be new: only the issuer knows.
                if state.last_failed.is_some_and(|failed| failed >= asked) {
                    return Err(state.unavailable());
                }
            }
            self.wait(ended, asked, &mut place).await?;
        }
    }

    /// Waits for a fetch to end.
    async fn wait(
        &self,
        mut ended: watch::Receiver<u64>,
        asked: Instant,
        place: &mut Option<WaiterPermit>,
    ) -> Result<(), AuthError> {
        if place.is_none() {
            let mut state = self.0.lock();
            if state.waiting >= self.0.most_waiting {
                return Err(state.unavailable());
            }
            state.waiting += 1;
            *place = Some(WaiterPermit(self.0.clone()));
        }
        self.fetch_soon();
        let waited = tokio::time::timeout_at(asked + WAIT_TIMEOUT, ended.changed()).await;
        waited.map(drop).map_err(|_| self.0.lock().unavailable())
    }

    /// Schedules a fetch as soon as one may begin, unless one is running.
    fn fetch_soon(&self) {
        let at = {
            let mut state = self.0.lock();
            if std::mem::replace(&mut state.running, true) {
                return;
            }
            state.next()
        };
        let running = FetchGuard(self.0.clone());
        tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            running.0.lock().last_begun = Some(Instant::now());
            let fetched = (running.0.fetch)().await;
            running.0.store(fetched);
            drop(running);
        });
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, fetched: Result<KeySet, String>) {
        let mut state = self.lock();
        match fetched {
            Ok(mut keys) => {
                if state.failures > 0 {
                    tracing::info!(failures = state.failures, "the JWKS can be fetched again");
                }
                state.failures = 0;
                let skipped = std::mem::take(&mut keys.skipped);
                if skipped != state.skipped {
                    for key in &skipped {
                        tracing::warn!(%key, "a key of the JWKS is not used");
                    }
                    state.skipped = skipped;
                }
                if keys.is_empty() {
                    tracing::warn!("the JWKS has no key that can check a token: every token is refused");
                }
                let begun = state.last_begun.unwrap_or_else(Instant::now);
                state.held = Some(Arc::new(CachedKeys { keys, begun }));
            }
            Err(error) => {
                if state.failures == 0 {
                    tracing::error!(error, "the JWKS cannot be fetched");
                }
                state.failures = state.failures.saturating_add(1);
                state.last_failed = Some(Instant::now());
            }
        }
    }
}

/// A running fetch. Dropping it wakes the waiting requests.
struct FetchGuard(Arc<Shared>);

impl Drop for FetchGuard {
    fn drop(&mut self) {
        self.0.lock().running = false;
        self.0.ended.send_modify(|ended| *ended += 1);
    }
}

/// Counts one waiting request.
struct WaiterPermit(Arc<Shared>);

impl Drop for WaiterPermit {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

#[cfg(test)]
mod tests;
