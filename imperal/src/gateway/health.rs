//! Probes for operators: `/healthz` answers while the process runs, `/readyz` while it accepts calls.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Gateway;
use crate::platform::Platform;

pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// How long a result of `/readyz` is reused.
const REUSED_FOR: Duration = Duration::from_secs(1);

/// The node's readiness, checked at most once a second: a check writes to the ledger.
#[derive(Debug, Default)]
pub(super) struct Readiness(tokio::sync::Mutex<Option<LastCheck>>);

#[derive(Debug)]
struct LastCheck {
    at: Instant,
    state: ReadyState,
}

#[derive(Debug, Clone)]
enum ReadyState {
    Ready,
    /// With the reason.
    NotReady(String),
}

impl Readiness {
    /// Requests that arrive during a check wait for its result. The returned reason names no file and no host; the log
    /// names them, once per outage.
    async fn check(&self, platform: &Platform) -> ReadyState {
        let mut last = self.0.lock().await;
        if let Some(check) = last.as_ref().filter(|check| check.at.elapsed() < REUSED_FOR) {
            return check.state.clone();
        }
        let was_ready = last.as_ref().is_none_or(|check| matches!(check.state, ReadyState::Ready));
        let state = match platform.ready().await {
            Ok(()) => {
                if !was_ready {
                    tracing::warn!("ready again");
                }
                ReadyState::Ready
            }
            Err(error) => {
                if was_ready {
                    tracing::error!(%error, "not ready");
                }
                ReadyState::NotReady(error.message().to_owned())
            }
        };
        *last = Some(LastCheck { at: Instant::now(), state: state.clone() });
        state
    }
}

pub(super) async fn readyz(State(gateway): State<Gateway>) -> Response {
    match gateway.readiness.check(&gateway.platform).await {
        ReadyState::Ready => match gateway.platform.unreadable_rows() {
            0 => "ready\n".into_response(),
            rows => format!("ready, {rows} ledger rows cannot be read: see the log\n").into_response(),
        },
        ReadyState::NotReady(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}
