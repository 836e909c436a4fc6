//! The digest: when it comes, what it says, and that it is not repeated.

use serde_json::{Value, json};

use super::{Scene, answer, result, run};

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

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

/// At the user's hour, in the user's zone, also after a failure.
#[tokio::test(start_paused = true)]
async fn the_digest_comes_once_a_day_at_the_users_hour() {
    let scene = Scene::start().await;
    let settings = json!({"enabled": true, "hour": 7, "zone": "Asia/Tokyo", "sites": ["broken.example.com"]});
    let anna = watching(&scene, settings).await;
    let schedules = anna.access().schedules();
    let daily = schedules.list().await.unwrap().remove(0);
    assert_eq!((daily.name.as_str(), daily.words.as_str()), ("Page speed digest", "every day at 07:00"));
    assert!(daily.next_local.unwrap().ends_with("T07:00:00+09:00[Asia/Tokyo]"));
    scene.platform.pass(DAY).await;
    assert_eq!(messages(&anna).await.len(), 1);
    scene.platform.pass(2 * DAY).await;
    assert_eq!(messages(&anna).await.len(), 3);
    answer(&anna, "save_speed_digest", json!({"enabled": true, "hour": 8})).await;
    assert_eq!(schedules.find(daily.id).await.unwrap().words, "every day at 08:00");
    answer(&anna, "save_speed_digest", json!({"enabled": false})).await;
    assert!(schedules.list().await.unwrap().is_empty());
    scene.platform.pass(2 * DAY).await;
    assert_eq!(messages(&anna).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_does_not_exist_is_refused() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let settings = json!({"enabled": true, "zone": "Europe/Nowhere", "sites": ["a.example.com"]});
    let refused = answer(&anna, "save_speed_digest", settings).await;
    assert_eq!(refused.error_code.unwrap(), "SCHEDULE_INVALID");
}

#[tokio::test(start_paused = true)]
async fn concurrent_calls_send_one_digest() {
    let scene = Scene::start().await;
    let anna = watching(&scene, json!({"enabled": true, "sites": ["a.example.com"]})).await;
    let (one, other) =
        tokio::join!(answer(&anna, "send_speed_digest", json!({})), answer(&anna, "send_speed_digest", json!({})));
    let begun = [one, other].iter().filter(|reply| reply.summary.starts_with("Measuring")).count();
    assert_eq!(begun, 1);
}

#[tokio::test(start_paused = true)]
async fn a_digest_without_a_key_is_a_failed_run() {
    let scene = Scene::start().await;
    let anna = watching(&scene, json!({"enabled": true, "sites": ["a.example.com"]})).await;
    answer(&anna, "disconnect_pagespeed", json!({})).await;
    let refused = answer(&anna, "send_speed_digest", json!({})).await;
    assert_eq!(refused.error_code.unwrap(), "SECRET_MISSING");
    scene.platform.pass(DAY).await;
    let daily = anna.access().schedules().list().await.unwrap().remove(0);
    assert_eq!(daily.counts.failures, 1);
    scene.connected("anna").await;
    scene.platform.pass(DAY).await;
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
    run(&anna, "send_speed_digest", json!({})).await;
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
