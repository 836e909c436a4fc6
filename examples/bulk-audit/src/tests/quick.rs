//! One domain, answered at once.

use serde_json::json;

use super::{Scene, answer};

#[tokio::test(start_paused = true)]
async fn the_five_default_checks_run_together() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let full = answer(&anna, "quick_check", json!({"domain": "https://Example.com/"})).await;
    assert_eq!(full.data["domain"], "example.com");
    assert_eq!(full.data["findings"].as_array().unwrap().len(), 5);
    assert_eq!(scene.service.counts().most, 5);
}

#[tokio::test(start_paused = true)]
async fn a_single_check_that_fails_is_an_error() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let failed = answer(&anna, "quick_check", json!({"domain": "down.example.com", "preset": "dns"})).await;
    assert_eq!(failed.error_code.unwrap(), "BACKEND_5XX");
    let made = answer(&anna, "quick_check", json!({"domain": "expired.example.com", "preset": "ssl"})).await;
    assert_eq!(made.summary, "expired.example.com, ssl: the certificate is not valid.");
    let refused = anna.call("quick_check", json!({"domain": "example.com", "preset": "everything"})).await;
    assert_eq!(refused.unwrap_err().field(), Some("preset"));
}
