//! The official TypeScript client.

use std::time::Duration;

use imperal_tests::eventually;

use crate::{Desk, clients, token_of};

#[tokio::test]
async fn official_typescript_client_calls_waits_and_cancels_in_both_eras() {
    let desk = Desk::start_with(|settings| settings.wait = Duration::from_millis(500)).await;
    let mut client = clients::node("client.mjs").await;
    client.args([desk.url(), token_of("anna")]);
    let wanted = ["auto 2026-07-28 ok", "legacy 2025-11-25 ok", "tasks ok", "aborted"];
    assert_eq!(clients::lines_of(client).await, wanted);
    let access = desk.access("anna");
    eventually("the call of the aborted request is cancelled", async || {
        let turns = access.turns(0, 500).await.unwrap().rows;
        let code = turns.last().unwrap().body.result.as_ref()?.error_code.clone()?;
        (code == imperal::codes::CANCELLED).then_some(())
    })
    .await;
}
