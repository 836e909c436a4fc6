//! The example's behaviour for a user, on a platform in memory and with the example's small service.

mod checks;
mod digest;
mod history;
mod keys;
mod scripted;
mod site;

use std::sync::Arc;

use imperal::ledger::{Task, Turn};
use imperal::testing::{TestPlatform, TestUser};
use imperal::{ErrorKind, WireResult};
use serde_json::{Value, json};

use crate::speed_api::SpeedApi;
use crate::store::Clock;

/// A platform whose rows are of one moment.
struct Scene {
    platform: TestPlatform,
}

impl Scene {
    async fn start() -> Self {
        Self::with(SpeedApi::at(None)).await
    }

    /// Starts with the service at an address.
    async fn at(service: &str) -> Self {
        Self::with(SpeedApi::at(Some(service.to_owned()))).await
    }

    async fn with(api: SpeedApi) -> Self {
        let reads = Clock(Arc::new(|| "2026-03-01T12:00:00Z".parse().unwrap()));
        let platform = TestPlatform::setup().state(api).state(reads).real_network().start().await;
        Self { platform }
    }

    /// A user with a key.
    async fn connected(&self, name: &str) -> TestUser {
        let user = self.platform.user(name);
        answer(&user, "connect_pagespeed", json!({"api_key": "a-key-that-works"})).await;
        user
    }
}

/// The result of a call, also of a failed one.
async fn answer(user: &TestUser, function: &str, params: Value) -> WireResult {
    match user.call(function, params).await {
        Ok(reply) => reply.result,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::User, "{error}");
            error.into_wire()
        }
    }
}

/// Runs a background function and returns its task and outcome.
async fn run(user: &TestUser, function: &str, params: Value) -> (Task, Turn) {
    let task = user.start(function, params).await;
    let ended = user.end_of(task).await;
    let mut outcomes = user.outcomes(task).await;
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    (ended, outcomes.remove(0))
}

fn result(turn: &Turn) -> &WireResult {
    turn.body.result.as_ref().unwrap()
}

/// The history's rows, newest first.
async fn rows(user: &TestUser) -> Vec<Value> {
    let listed = answer(user, "list_speed_snapshots", json!({})).await;
    listed.data["snapshots"].as_array().cloned().unwrap_or_default()
}

#[test]
fn the_manifest_is_fresh() {
    imperal::assert_manifest_is_fresh!();
}
