//! Work that takes longer than a client waits, for clients without the tasks extension.

use std::time::Duration;

use imperal::App;
use imperal_tests::eventually;
use serde_json::{Value, json};

use crate::{Client, Desk, Kind, call, text};

async fn impatient() -> Desk {
    Desk::start_with(|settings| settings.wait = Duration::from_millis(200)).await
}

/// Asks for the state of work until it has ended.
async fn end_of(client: &Client, id: &str) -> String {
    eventually("the work ends", async || {
        let status = call(client, "task_status", json!({"id": id})).await;
        let is_open = status.structured_content.as_ref().is_some_and(|state| state["status"] == "working");
        (!is_open).then(|| text(&status))
    })
    .await
}

#[tokio::test]
async fn fast_background_work_is_answered_with_its_outcome() {
    let desk = Desk::start().await;
    for kind in [Kind::Handshake, Kind::Modern] {
        let client = desk.client("anna", kind).await;
        let result = call(&client, "build", json!({"millis": 10})).await;
        assert_eq!(text(&result), "Built.", "{kind:?}: the outcome, not the acknowledgement");
    }
}

#[tokio::test]
async fn slow_work_gets_a_ticket_and_task_status_has_the_outcome() {
    let desk = impatient().await;
    for (kind, tool) in [(Kind::Handshake, "build"), (Kind::Modern, "think")] {
        let client = desk.client("anna", kind).await;
        let ticket = call(&client, tool, json!({"millis": 1500})).await;
        let state = ticket.structured_content.clone().unwrap();
        assert_eq!((&state["status"], ticket.is_error), (&json!("working"), Some(false)), "{ticket:?}");
        assert!(
            text(&ticket).contains("`task_status`") && text(&ticket).contains("in the chat: http://"),
            "{ticket:?}"
        );
        if tool == "build" {
            assert!(state["message"].as_str().unwrap().contains("50 %, Half done"), "{state}");
        }
        let wanted = if tool == "build" { "Built." } else { "Thought." };
        assert_eq!(end_of(&client, state["id"].as_str().unwrap()).await, wanted);
    }
}

#[tokio::test]
async fn task_cancel_stops_the_call_and_its_tasks() {
    let desk = impatient().await;
    let client = desk.client("anna", Kind::Modern).await;
    for tool in ["build", "think"] {
        let ticket = call(&client, tool, json!({"millis": 600_000})).await;
        let id = ticket.structured_content.unwrap()["id"].as_str().unwrap().to_owned();
        assert_eq!(call(&client, "task_cancel", json!({"id": id})).await.is_error, Some(false));
        assert_eq!(end_of(&client, &id).await, "It was cancelled.");
    }
}

#[tokio::test]
async fn another_users_id_is_answered_like_an_unknown_one_and_audited() {
    let desk = impatient().await;
    let ticket = call(&desk.client("anna", Kind::Modern).await, "build", json!({"millis": 600_000})).await;
    let id = ticket.structured_content.unwrap()["id"].as_str().unwrap().to_owned();
    let ben = desk.client("ben", Kind::Modern).await;
    let mut answers = Vec::new();
    for id in [id.as_str(), "0192f0c1-0000-7000-8000-000000000000", "nonsense"] {
        for tool in ["task_status", "task_cancel"] {
            answers.push(serde_json::to_value(call(&ben, tool, json!({"id": id})).await).unwrap());
        }
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0] && answer["isError"] == Value::Bool(true)),
        "{answers:#?}"
    );
    let rows = desk.access("ben").audit(0, 50).await.unwrap().rows;
    assert_eq!(rows.iter().filter(|row| row.body.action == "call.read").count(), 6, "{rows:?}");
    assert_eq!(desk.access("anna").running_tasks().await.unwrap().len(), 1, "it was not cancelled");
}

#[tokio::test]
async fn client_that_hangs_up_cancels_its_call_in_the_era_that_says_so() {
    let desk = Desk::start().await;
    let cases = [("anna", "2026-07-28", "CANCELLED"), ("cora", "2025-06-18", "")];
    for (user, version, code) in cases {
        let params = json!({"name": "think", "arguments": {"millis": 2500}});
        let request = if version == "2026-07-28" {
            desk.request(user, "tools/call", Some("think"), params)
        } else {
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
            desk.plain_request(&body).bearer_auth(crate::token_of(user)).header("mcp-protocol-version", version)
        };
        let access = desk.access(user);
        let asked = tokio::spawn(request.send());
        eventually("the call is accepted", async || (!access.turns(0, 9).await.unwrap().rows.is_empty()).then_some(()))
            .await;
        asked.abort();
        let reply =
            eventually("the call has its reply", async || access.turns(0, 9).await.unwrap().rows.into_iter().nth(1))
                .await;
        let result = reply.body.result.unwrap();
        assert_eq!(result.error_code.as_ref().map_or("", imperal::codes::ErrorCode::as_str), code, "{version}");
    }
}

#[tokio::test]
async fn progress_rises_and_comes_only_with_a_token() {
    let desk = Desk::start().await;
    let progress = async |meta: Value| {
        let params = json!({"name": "wander", "arguments": {}, "_meta": meta});
        let answer = desk.request("anna", "tools/call", Some("wander"), params).send().await.unwrap();
        let text = answer.text().await.unwrap();
        assert!(text.contains("Arrived."), "{text}");
        let messages =
            text.lines().filter_map(|line| serde_json::from_str::<Value>(line.trim_start_matches("data:")).ok());
        let sent = messages.filter(|message| message["method"] == "notifications/progress");
        sent.map(|message| {
            (message["params"]["progressToken"].clone(), message["params"]["progress"].as_f64().unwrap())
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(progress(json!({"progressToken": "t"})).await, [(json!("t"), 50.0), (json!("t"), 80.0)]);
    assert_eq!(progress(json!({})).await, []);
}

#[tokio::test]
async fn settings_without_an_end_are_cut_to_an_hour() {
    let desk = Desk::start_with(|settings| settings.wait = Duration::MAX).await;
    let client = desk.client("anna", Kind::Modern).await;
    let built = tokio::time::timeout(Duration::from_secs(30), call(&client, "build", json!({"millis": 10})));
    assert_eq!(text(&built.await.expect("an answer")), "Built.");
}

#[tokio::test]
async fn task_status_returns_when_its_time_is_over() {
    let desk = Desk::start_with(|settings| settings.wait = Duration::from_secs(1)).await;
    let client = desk.client("anna", Kind::Modern).await;
    let ticket = call(&client, "build", json!({"millis": 600_000})).await;
    let id = ticket.structured_content.unwrap()["id"].clone();
    for wait_seconds in [json!(0), json!(3600), json!(null)] {
        let asked = call(&client, "task_status", json!({"id": id, "wait_seconds": wait_seconds}));
        let status =
            tokio::time::timeout(Duration::from_secs(20), asked).await.expect("it is no longer than the setting");
        assert_eq!(status.structured_content.unwrap()["status"], "working");
    }
}

#[tokio::test]
async fn calls_at_work_are_limited_by_number_and_memory() {
    let by_number = App::new().settings(|settings| settings.calls_per_user = 1);
    let by_memory = App::new().settings(|settings| settings.call_bytes_per_user = 20_000);
    for app in [by_number, by_memory] {
        let desk = Desk::start_app(app).await;
        let client = desk.client("anna", Kind::Modern).await;
        let params = json!({"millis": 2000, "note": "x".repeat(15_000)});
        let (first, second) = tokio::join!(call(&client, "think", params.clone()), call(&client, "think", params));
        let mut texts = [text(&first), text(&second)];
        texts.sort_unstable();
        assert!(texts[0].starts_with("RATE_LIMITED: ") && texts[1] == "Thought of it.", "{texts:?}");
    }
}
