//! Schedules over HTTP: the shapes of requests and answers, and a run that the chat shows.

use imperal_tests::{User, eventually};
use serde_json::{Value, json};

use crate::node;

#[tokio::test]
async fn schedule_is_created_run_and_deleted_over_http() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let new = json!({
        "name": "Greeting", "app_id": "probe", "function": "echo", "params": {"text": "hello"},
        "when": {"cron": "0 8 * * 1-5"}, "zone": "Europe/Berlin",
    });
    let (status, made) = anna.post("/v1/schedules", &new).await;
    assert_eq!(status.as_u16(), 201, "{made}");
    assert_eq!((&made["state"], &made["words"]), (&json!("active"), &json!("every weekday at 08:00")));
    assert!(made["next_local"].as_str().unwrap().ends_with("[Europe/Berlin]"), "{made}");
    assert_eq!(made["version"], 1);
    let place = format!("/v1/schedules/{}", made["id"].as_str().unwrap());

    let (status, _) = anna.post(&format!("{place}/run"), &Value::Null).await;
    assert_eq!(status.as_u16(), 200);
    let turn = eventually("the schedule has run", async || {
        let turns = anna.turns().await;
        turns.into_iter().find(|turn| turn["role"] == "user" && turn["schedule"]["name"] == "Greeting")
    })
    .await;
    assert_eq!((&turn["schedule"]["id"], &turn["schedule"]["late_by"]), (&made["id"], &json!(0)));
    let run = eventually("its end is known", async || {
        let (_, runs) = anna.get(&format!("{place}/runs")).await;
        runs["runs"].as_array()?.iter().find(|run| run["state"] == "succeeded").cloned()
    })
    .await;
    assert_eq!(run["call_id"], turn["call_id"]);

    let (_, listed) = anna.get("/v1/schedules").await;
    assert_eq!(listed["schedules"].as_array().unwrap().len(), 1);
    let (status, deleted) = User::send(anna.request(reqwest::Method::DELETE, &place)).await;
    assert_eq!((status.as_u16(), &deleted), (200, &json!({"deleted": true})));
    let (status, _) = anna.get(&place).await;
    assert_eq!(status.as_u16(), 404);
}

#[tokio::test]
async fn invalid_schedules_are_refused_with_the_field() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let preview = async |when: Value, zone: &str| {
        let (status, answer) = anna.post("/v1/schedules/preview", &json!({"when": when, "zone": zone})).await;
        (status.as_u16(), answer)
    };
    let (status, shown) = preview(json!({"cron": "30 2 * * *"}), "Europe/Berlin").await;
    assert_eq!((status, shown["next"].as_array().unwrap().len()), (200, 5), "{shown}");
    for (when, zone, field) in [
        (json!({"cron": "* * * * *"}), "UTC", "cron"),
        (json!({"cron": "@reboot"}), "UTC", "cron"),
        (json!({"every_seconds": 10}), "UTC", "every_seconds"),
        (json!({"cron": "0 8 * * *"}), "Mars/Base", "zone"),
    ] {
        let (status, refused) = preview(when, zone).await;
        assert_eq!(status, 422, "{refused}");
        assert_eq!(
            (&refused["error"]["code"], &refused["error"]["field"]),
            (&json!("SCHEDULE_INVALID"), &json!(field))
        );
    }
    let (status, _) = preview(json!({"sometimes": true}), "UTC").await;
    assert_eq!(status, 400);
}
