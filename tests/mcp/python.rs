//! The official Python client.

use std::time::Duration;

use crate::{Desk, clients, token_of};

#[tokio::test]
async fn official_python_client_lists_calls_and_waits_in_both_eras() {
    let desk = Desk::start_with(|settings| settings.wait = Duration::from_millis(500)).await;
    let mut client = clients::python("client.py").await;
    client.args([desk.url(), token_of("anna")]);
    assert_eq!(clients::lines_of(client).await, ["legacy 2025-11-25 ok", "auto 2026-07-28 ok"]);
}
