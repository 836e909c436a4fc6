//! Going on from ended tasks over HTTP, and running them again: one new task for however many requests, scoped to its
//! user.

use imperal_tests::{Node, User, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use crate::options;

async fn start() -> (tempfile::TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let node = options(&folder).start().await;
    (folder, node)
}

/// A task that asks, and was cancelled then: one step is stored.
async fn cancelled(anna: &User) -> String {
    anna.call("inquire_user", json!({"what": "choice"})).await;
    let task_id = asking(anna).await;
    anna.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await;
    assert_eq!(anna.end_of(&task_id).await["state"], "cancelled");
    task_id
}

/// The id of the task that asks.
async fn asking(anna: &User) -> String {
    eventually("a task asks", async || {
        let (_, active) = anna.get("/v1/tasks/active").await;
        let task = active["tasks"].as_array()?.iter().find(|task| task["open_questions"].as_u64() > Some(0))?;
        task["task_id"].as_str().map(str::to_owned)
    })
    .await
}

/// Status, body, and whether it repeats an earlier answer.
async fn send(user: &User, path: &str, body: &Value, key: Option<&str>) -> (u16, Value, bool) {
    let mut request = user.request(Method::POST, path).json(body);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let answer = request.send().await.unwrap();
    let repeated = answer.headers().contains_key("idempotency-replayed");
    (answer.status().as_u16(), answer.json().await.unwrap(), repeated)
}

#[tokio::test]
async fn two_windows_that_go_on_get_one_task() {
    let (_folder, node) = start().await;
    let anna = User::of(&node, "anna");
    let ended = cancelled(&anna).await;
    let path = format!("/v1/tasks/{ended}/continue");
    let empty = json!({});
    let press = || send(&anna, &path, &empty, None);
    let (first, second) = tokio::join!(press(), press());
    assert_eq!((first.0, second.0), (200, 200), "{} {}", first.1, second.1);
    assert_eq!(first.1["task_id"], second.1["task_id"]);
    assert_eq!(first.1["follows"], json!({"task_id": ended, "through": 2, "kept": 1}));
    assert!(first.2 != second.2, "one of them repeats the other's");
    let new = asking(&anna).await;
    assert_eq!(first.1["task_id"], new.as_str());
    let (status, again, repeated) = press().await;
    assert_eq!((status, &again["task_id"], repeated), (200, &json!(new), true));
    anna.post(&format!("/v1/tasks/{new}/answer"), &json!({"answer": "Publish"})).await;
    assert_eq!(anna.end_of(&new).await["state"], "succeeded");
    // The chat has one request for it, with the parameters of the first call.
    let turns = anna.turns().await;
    let asked: Vec<_> = turns.iter().filter(|turn| turn["follows"] == ended.as_str()).collect();
    assert_eq!(asked.len(), 1, "{turns:?}");
    assert_eq!((&asked[0]["role"], &asked[0]["params"]["what"]), (&json!("user"), &json!("choice")));
    assert_eq!(asked[0]["text"], "Go on with “Inquiry” from step 2");
    // Both tasks know each other, and the timeline tells what was kept.
    assert_eq!(anna.get(&format!("/v1/tasks/{ended}")).await.1["followed_by"], new.as_str());
    let (_, timeline) = anna.get(&format!("/v1/tasks/{new}/timeline")).await;
    let entries = timeline["entries"].as_array().unwrap();
    assert_eq!((&entries[1]["kind"], &entries[1]["task_id"]), (&json!("follows"), &json!(ended)));
    assert_eq!((&entries[2]["name"], &entries[2]["attempt"]), (&json!("prepare"), &json!(0)));
    let (_, steps) = anna.get(&format!("/v1/tasks/{new}/steps")).await;
    assert_eq!(steps["steps"][0]["attempt"], 0);
    let rows = anna.audit().await;
    assert_eq!(rows.iter().filter(|row| row["action"] == "task.continue").count(), 1, "{rows:?}");
}

#[tokio::test]
async fn refusals_say_why() {
    let (_folder, node) = start().await;
    let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
    let ended = cancelled(&anna).await;
    let [go_on, again] = ["continue", "run-again"].map(|how| format!("/v1/tasks/{ended}/{how}"));
    for (path, body, status, code) in [
        (&go_on, json!({"from_step": 3}), 422, "VALIDATION_TYPE_ERROR"),
        (&go_on, json!({"from_step": 0}), 422, "VALIDATION_TYPE_ERROR"),
        (&go_on, json!({"from_step": "prepare"}), 400, "MALFORMED_REQUEST"),
        (&go_on, json!({"from": 1}), 400, "MALFORMED_REQUEST"),
        (&again, json!({"from_step": 1}), 400, "MALFORMED_REQUEST"),
    ] {
        let (found, answer, _) = send(&anna, path, &body, None).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{body}: {answer}");
    }
    for path in [&go_on, &again] {
        let (status, answer, _) = send(&ben, path, &json!({}), None).await;
        assert_eq!((status, &answer["error"]["code"]), (403, &json!("PERMISSION_DENIED")), "{answer}");
        let plain = anna.request(Method::POST, path).body("{}").send().await.unwrap();
        assert_eq!(plain.status().as_u16(), 415, "another site's form sends no JSON");
    }
    let tried: Vec<_> = ben.audit().await.iter().map(|row| row["action"].clone()).collect();
    assert_eq!(tried, ["task.continue", "task.run_again"]);
    anna.call("inquire_user", json!({"what": "choice"})).await;
    let open = asking(&anna).await;
    let (status, answer, _) = send(&anna, &format!("/v1/tasks/{open}/run-again"), &json!({}), None).await;
    assert_eq!((status, &answer["error"]["code"]), (409, &json!("NOT_CONTINUABLE")), "{answer}");
    let unknown = "/v1/tasks/01a20482-1178-74f9-8951-cc3b678a7413/continue";
    assert_eq!(send(&anna, unknown, &json!({}), None).await.0, 404);
}

/// Each key is a run of its own; a key belongs to one request.
#[tokio::test]
async fn a_task_runs_again_under_keys() {
    let (_folder, node) = start().await;
    let anna = User::of(&node, "anna");
    let ended = cancelled(&anna).await;
    let path = format!("/v1/tasks/{ended}/run-again");
    let first = send(&anna, &path, &json!({}), Some("a")).await;
    let repeated = send(&anna, &path, &json!({}), Some("a")).await;
    let second = send(&anna, &path, &json!({}), Some("b")).await;
    assert_eq!([first.0, repeated.0, second.0], [200; 3], "{} {}", first.1, second.1);
    assert_eq!((&first.1["task_id"], first.2, repeated.2), (&repeated.1["task_id"], false, true));
    assert_ne!(first.1["task_id"], second.1["task_id"]);
    assert_eq!(second.1["follows"], json!({"task_id": ended}));
    // The key of another request.
    let body = json!({"function": "echo", "params": {"text": "hello"}});
    let echo = send(&anna, "/v1/extensions/probe/call", &body, Some("c")).await;
    assert_eq!(echo.0, 200);
    let reused = send(&anna, &path, &json!({}), Some("c")).await;
    assert_eq!((reused.0, &reused.1["error"]["code"]), (422, &json!("KEY_REUSED")), "{}", reused.1);
}

/// The process dies after the press: the new task is on disk, and the next process runs it.
#[tokio::test]
async fn a_task_that_goes_on_survives_its_process() {
    let (_folder, node) = start().await;
    let anna = User::of(&node, "anna");
    let ended = cancelled(&anna).await;
    let (status, new, _) = send(&anna, &format!("/v1/tasks/{ended}/continue"), &json!({}), None).await;
    assert_eq!(status, 200, "{new}");
    let node = node.kill().await.start().await;
    let anna = anna.at(&node);
    let task_id = asking(&anna).await;
    assert_eq!(new["task_id"], task_id.as_str());
    anna.post(&format!("/v1/tasks/{task_id}/answer"), &json!({"answer": "Later"})).await;
    assert_eq!(anna.end_of(&task_id).await["state"], "succeeded");
    assert_eq!(anna.outcomes(&task_id).await.len(), 1);
}
