//! A service that durable tasks call in their steps. It notes each request, and whether a step came again
//! although a later one had been seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;

use super::effect_service::EffectLog;

/// One request of a step.
#[derive(Debug, Clone)]
struct Seen {
    step: u64,
    /// The attempt of the task that sent it.
    attempt: u64,
    key: String,
}

type Log = Arc<Mutex<HashMap<String, Vec<Seen>>>>;

/// A running service.
#[derive(Debug)]
pub struct StepService {
    /// Its address: a step posts to `{url}/{task}/{step}`.
    pub url: String,
    log: Log,
    /// Its acts for effects.
    pub effects: EffectLog,
}

impl StepService {
    /// Starts the service on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        let (log, effects) = (Log::default(), EffectLog::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let app =
            axum::Router::new().route("/{task}/{step}", post(note)).with_state(log.clone()).merge(effects.routes());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, log, effects }
    }

    /// The number of requests, and their faults: a step whose result was stored and that ran again,
    /// or an idempotency key that changed or was shared.
    pub fn verdict(&self) -> (u64, Vec<String>) {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut checked, mut found) = (0, Vec::new());
        for (task, seen) in log.iter() {
            let mut keys: HashMap<&str, u64> = HashMap::new();
            for (at, request) in seen.iter().enumerate() {
                checked += 1;
                // A step begins only when the one before is stored. The request of an earlier attempt may come late:
                // its process was stopped while the step ran, and another has taken the task since.
                let later = |seen: &&Seen| seen.step > request.step && seen.attempt <= request.attempt;
                if let Some(later) = seen[..at].iter().find(later) {
                    found.push(format!("step {} of {task} ran again after step {}", request.step, later.step));
                }
                if request.key.is_empty() || *keys.entry(&request.key).or_insert(request.step) != request.step {
                    found.push(format!("step {} of {task} has the key {:?} of another", request.step, request.key));
                }
            }
            let steps: std::collections::HashSet<u64> = seen.iter().map(|request| request.step).collect();
            if keys.len() != steps.len() {
                found.push(format!("{task} has {} keys for {} steps", keys.len(), steps.len()));
            }
        }
        (checked, found)
    }
}

async fn note(State(log): State<Log>, Path((task, step)): Path<(String, u64)>, headers: HeaderMap) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (key, attempt) = (header("idempotency-key").to_owned(), header("x-attempt").parse().unwrap_or_default());
    log.lock().unwrap_or_else(PoisonError::into_inner).entry(task).or_default().push(Seen { step, attempt, key });
    StatusCode::OK
}
