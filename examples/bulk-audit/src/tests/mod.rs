//! The example's behaviour for a user, on a platform in memory and with the example's small service.

mod audits;
mod groups;
mod quick;
mod watched;

use imperal::ledger::{Task, Turn};
use imperal::testing::{TestPlatform, TestUser};
use imperal::{ErrorKind, WireResult};
use serde_json::{Value, json};

use crate::tools_api::ToolsApi;
use watched::Watched;

/// A platform, and a service that counts.
struct Scene {
    platform: TestPlatform,
    service: Watched,
}

impl Scene {
    async fn start() -> Self {
        let service = Watched::start().await;
        let platform =
            TestPlatform::setup().state(ToolsApi::at(Some(service.base.clone()))).real_network().start().await;
        Self { platform, service }
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

/// The data of an outcome.
fn data(turn: &Turn) -> &Value {
    &turn.body.result.as_ref().unwrap().data
}

/// The row of a domain.
fn row<'a>(data: &'a Value, domain: &str) -> &'a Value {
    let rows = data["domains"].as_array().unwrap();
    rows.iter().find(|row| row["domain"] == domain).unwrap_or_else(|| panic!("no row of {domain} in {rows:?}"))
}

/// A parameter with `n` domains.
fn many(n: usize) -> Value {
    json!({"domains": (0..n).map(|n| format!("d{n}.example.com")).collect::<Vec<_>>()})
}

#[test]
fn the_manifest_is_fresh() {
    imperal::assert_manifest_is_fresh!();
}
