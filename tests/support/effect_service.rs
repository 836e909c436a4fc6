//! The part of the step service that effects call. It notes what it really did, and fails in ways that leave its caller in
//! doubt: it acts and never answers, never answers without acting, refuses, or breaks after or before it has acted.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

/// The sends of one task's effect.
#[derive(Debug, Default)]
struct Effect {
    keys: Vec<String>,
    /// The attempts whose sends were carried out.
    done_in: Vec<u64>,
}

impl Effect {
    /// The attempts of the sends that were carried out and came before each send of a later attempt.
    fn in_time(&self) -> Vec<u64> {
        let mut latest = 0;
        let mut in_time = self.done_in.clone();
        in_time.retain(|attempt| {
            let is_late = *attempt < latest;
            latest = latest.max(*attempt);
            !is_late
        });
        in_time
    }
}

/// The acts of the service, by task.
#[derive(Debug, Clone, Default)]
pub struct EffectLog(Arc<Mutex<HashMap<String, Effect>>>);

impl EffectLog {
    fn open(&self) -> MutexGuard<'_, HashMap<String, Effect>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The routes `/effect/{task}`: POST does the effect, GET says how often it was done.
    pub(super) fn routes(&self) -> Router {
        Router::new().route("/effect/{task}", post(send).get(look)).with_state(self.clone())
    }

    /// Whether a task's effect was done.
    pub fn is_done(&self, task: &str) -> bool {
        self.open().get(task).is_some_and(|effect| !effect.done_in.is_empty())
    }

    /// Whether a process that another had replaced sent the effect again: it was frozen in the middle of the send.
    pub fn has_late_send(&self, task: &str) -> bool {
        self.open().get(task).is_some_and(|effect| effect.in_time().len() < effect.done_in.len())
    }

    /// The number of effects, and their faults: one that was done twice, or whose key changed. Where processes are
    /// frozen, their late sends do not count.
    pub fn verdict(&self, freezes: bool) -> (u64, Vec<String>) {
        let log = self.open();
        let mut found = Vec::new();
        for (task, effect) in log.iter() {
            if effect.keys.iter().any(|key| key.is_empty() || *key != effect.keys[0]) {
                found.push(format!("the effect of {task} had the keys {:?}", effect.keys));
            }
            let done_in = if freezes { effect.in_time() } else { effect.done_in.clone() };
            if done_in.len() > 1 {
                found.push(format!("the effect of {task} was done in the attempts {:?}", effect.done_in));
            }
        }
        (log.len() as u64, found)
    }
}

async fn send(State(log): State<EffectLog>, Path(task): Path<String>, headers: HeaderMap) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let attempt = header("x-attempt").parse().unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    task.hash(&mut hasher);
    let answer = {
        let mut log = log.open();
        let effect = log.entry(task).or_default();
        effect.keys.push(header("idempotency-key").to_owned());
        let is_first = effect.keys.len() == 1;
        // `None` is no answer.
        let (acts, answer) = match hasher.finish() % 10 {
            0 if is_first => (true, None),
            1 if is_first => (false, None),
            2 if is_first => (false, Some(StatusCode::UNPROCESSABLE_ENTITY)),
            3 if is_first => (true, Some(StatusCode::INTERNAL_SERVER_ERROR)),
            4 if is_first => (false, Some(StatusCode::SERVICE_UNAVAILABLE)),
            _ => (true, Some(StatusCode::OK)),
        };
        // A service that recognises keys does nothing a second time.
        let recognises = header("x-effect") == "safe" && !effect.done_in.is_empty();
        if acts && !recognises {
            effect.done_in.push(attempt);
        }
        answer
    };
    match answer {
        Some(status) => status,
        None => std::future::pending().await,
    }
}

async fn look(State(log): State<EffectLog>, Path(task): Path<String>) -> String {
    log.open().get(&task).map_or(0, |effect| effect.done_in.len()).to_string()
}
