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
const READY_FOR: Duration = Duration::from_secs(1);

/// The node's readiness, checked at most once a second: a check writes to the ledger.
#[derive(Debug, Default)]
pub(super) struct Readiness(tokio::sync::Mutex<Option<(Instant, Result<(), String>)>>);

impl Readiness {
    /// Requests that arrive during a check wait for its result. The returned reason names no file and no host; the log
    /// names them, once per outage.
    async fn look(&self, platform: &Platform) -> Result<(), String> {
        let mut known = self.0.lock().await;
        if let Some((at, ready)) = &*known
            && at.elapsed() < READY_FOR
        {
            return ready.clone();
        }
        let found = platform.ready().await;
        let was_ready = known.as_ref().is_none_or(|(_, ready)| ready.is_ok());
        match &found {
            Err(error) if was_ready => tracing::error!(%error, "not ready"),
            Ok(()) if !was_ready => tracing::warn!("ready again"),
            _ => {}
        }
        let found = found.map_err(|error| error.message().to_owned());
        *known = Some((Instant::now(), found.clone()));
        found
    }
}

pub(super) async fn readyz(State(gateway): State<Gateway>) -> Response {
    match gateway.readiness.look(&gateway.platform).await {
        Ok(()) => match gateway.platform.unreadable_rows() {
            0 => "ready\n".into_response(),
            rows => format!("ready, {rows} ledger rows cannot be read: see the log\n").into_response(),
        },
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}
