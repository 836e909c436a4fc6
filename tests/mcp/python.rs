//! The official Python client.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::{Desk, token_of};

#[tokio::test]
async fn official_python_client_lists_calls_and_waits_in_both_eras() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mcp");
    let setup = Command::new(folder.join("setup")).output().unwrap();
    assert!(setup.status.success(), "{}", String::from_utf8_lossy(&setup.stderr));
    let venv = String::from_utf8(setup.stdout).unwrap();
    let python = Path::new(venv.trim()).join("bin/python");
    let desk = Desk::start_with(|settings| settings.wait = Duration::from_millis(500)).await;
    let mut client = tokio::process::Command::new(python);
    client.arg(folder.join("client.py")).args([desk.url(), token_of("anna")]);
    let output = client.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), "legacy 2025-11-25 ok\nauto 2026-07-28 ok");
}
