//! The digest: when it is due, what it says, and that it is not repeated.

use serde_json::{Value, json};

use super::{Scene, answer, result, run};

async fn watching(scene: &Scene, settings: Value) -> imperal::testing::TestUser {
    let anna = scene.connected("anna").await;
    let saved = answer(&anna, "save_speed_digest", settings).await;
    assert!(saved.is_success(), "{saved:?}");
    anna
}

/// Chat messages other than replies and outcomes.
async fn messages(user: &imperal::testing::TestUser) -> Vec<String> {
    let turns = user.turns().await.into_iter();
    turns.filter(|turn| turn.body.msg_type == imperal::context::MsgType::System).map(|turn| turn.body.text).collect()
}

#[tokio::test(start_paused = true)]
async fn the_digest_names_failed_pages_and_measures_the_rest() {
    let scene = Scene::start().await;
    let sites = json!(["a.example.com", "nowhere.example.com", "b.example.com", "c.example.com"]);
    let anna = watching(&scene, json!({"enabled": true, "hour": 6, "sites": sites})).await;
    let (_, outcome) = run(&anna, "send_speed_digest", json!({})).await;
    let pages = result(&outcome).data["pages"].as_array().unwrap().clone();
    let names: Vec<_> = pages.iter().map(|page| page["page"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["https://a.example.com", "https://nowhere.example.com", "https://b.example.com", "https://c.example.com"]
    );
    assert_eq!(pages[1]["performance"], Value::Null);
    assert_eq!(pages[0]["verdict"], "ok");
    let messages = messages(&anna).await;
    assert_eq!(messages.len(), 1);
    assert!(
        messages[0].starts_with("Page speed: 1 of 4 watched pages to look at.\nhttps://nowhere.example.com could not")
    );
}

#[tokio::test(start_paused = true)]
async fn a_digest_runs_once_a_day_even_when_it_fails() {
    let scene = Scene::start().await;
    let anna = watching(&scene, json!({"enabled": true, "hour": 13, "sites": ["broken.example.com"]})).await;
    let none = "There is no digest to send now.";
    assert_eq!(answer(&anna, "send_speed_digest", json!({})).await.summary, none, "it is twelve");
    scene.set_clock("2026-03-01T13:10:00Z");
    run(&anna, "send_speed_digest", json!({})).await;
    scene.set_clock("2026-03-01T14:10:00Z");
    assert_eq!(answer(&anna, "send_speed_digest", json!({})).await.summary, none, "not again today");
    scene.set_clock("2026-03-02T13:10:00Z");
    run(&anna, "send_speed_digest", json!({})).await;
    assert_eq!(messages(&anna).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_send_one_digest() {
    let scene = Scene::start().await;
    let anna = watching(&scene, json!({"enabled": true, "hour": 0, "sites": ["a.example.com"]})).await;
    let (one, other) =
        tokio::join!(answer(&anna, "send_speed_digest", json!({})), answer(&anna, "send_speed_digest", json!({})));
    let begun = [one, other].iter().filter(|reply| reply.summary.starts_with("Measuring")).count();
    assert_eq!(begun, 1);
}

#[tokio::test(start_paused = true)]
async fn a_digest_without_a_key_stays_due() {
    let scene = Scene::start().await;
    let anna = watching(&scene, json!({"enabled": true, "hour": 0, "sites": ["a.example.com"]})).await;
    answer(&anna, "disconnect_pagespeed", json!({})).await;
    let refused = answer(&anna, "send_speed_digest", json!({})).await;
    assert_eq!(refused.error_code.unwrap(), "SECRET_MISSING");
    scene.connected("anna").await;
    run(&anna, "send_speed_digest", json!({})).await;
    assert_eq!(messages(&anna).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_digest_without_changes_can_be_silent() {
    let scene = Scene::start().await;
    let quiet = json!({"enabled": true, "hour": 0, "notify": "regressions", "sites": ["a.example.com"]});
    let anna = watching(&scene, quiet).await;
    run(&anna, "send_speed_digest", json!({})).await;
    assert_eq!(messages(&anna).await.len(), 0);
    let off = json!({"enabled": true, "notify": "off", "sites": ["nowhere.example.com"]});
    answer(&anna, "save_speed_digest", off).await;
    run(&anna, "send_speed_digest", json!({"now": true})).await;
    assert_eq!(messages(&anna).await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_site_is_named_by_its_index() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let reply = anna.call("save_speed_digest", json!({"enabled": true, "sites": ["a.example.com", "no"]})).await;
    assert_eq!(reply.unwrap().result.error_code.unwrap(), "VALIDATION_TYPE_ERROR");
    let settings = answer(&anna, "get_speed_settings", json!({})).await.data;
    assert_eq!(settings["digest"]["enabled"], false, "nothing was saved");
}
