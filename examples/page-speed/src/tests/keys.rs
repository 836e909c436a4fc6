//! The key: tried, stored, forgotten, and separate per user.

use serde_json::json;

use super::{Scene, answer};

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_not_stored() {
    let scene = Scene::start().await;
    let anna = scene.platform.user("anna");
    let refused = answer(&anna, "connect_pagespeed", json!({"api_key": "wrong-key"})).await;
    assert_eq!(refused.error_code.unwrap(), "KEY_INVALID");
    let check = answer(&anna, "check_site_speed", json!({"url": "example.com"})).await;
    assert_eq!(check.error_code.unwrap(), "SECRET_MISSING");
}

#[tokio::test(start_paused = true)]
async fn removing_the_key_keeps_the_history() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    super::run(&anna, "check_site_speed", json!({"url": "example.com"})).await;
    assert_eq!(answer(&anna, "disconnect_pagespeed", json!({})).await.data["had_key"], true);
    assert_eq!(answer(&anna, "disconnect_pagespeed", json!({})).await.data["had_key"], false);
    let check = answer(&anna, "check_site_speed", json!({"url": "example.com"})).await;
    assert_eq!(check.error_code.unwrap(), "SECRET_MISSING");
    assert_eq!(super::rows(&anna).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn keys_are_separate_per_user() {
    let scene = Scene::start().await;
    scene.connected("anna").await;
    let ben = scene.platform.user("ben");
    let check = answer(&ben, "check_site_speed", json!({"url": "example.com"})).await;
    assert_eq!(check.error_code.unwrap(), "SECRET_MISSING");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_never_in_the_chat() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let turns = serde_json::to_string(&anna.turns().await).unwrap();
    assert!(turns.contains("connect_pagespeed") && !turns.contains("a-key-that-works"), "{turns}");
}
