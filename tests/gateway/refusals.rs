//! Invalid input gets a clear error with the right status and writes nothing (P14).

use imperal_tests::{Claims, JWT_SECRET, User, token};
use reqwest::Method;
use serde_json::{Value, json};

use crate::node;

#[tokio::test]
async fn parameters_are_checked_before_anything_is_written() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let cases = [
        (json!({}), "VALIDATION_MISSING_FIELD", "text"),
        (json!({"text": 5}), "VALIDATION_TYPE_ERROR", "text"),
        (json!({"text": "x".repeat(1001)}), "VALIDATION_TYPE_ERROR", "text"),
        (json!({"text": "x", "times": 10}), "VALIDATION_TYPE_ERROR", "times"),
        (json!({"text": "x", "times": -1}), "VALIDATION_TYPE_ERROR", "times"),
    ];
    for (params, code, field) in cases {
        let (status, body) = anna.try_call("echo", params).await;
        assert_eq!(status, 422, "{body}");
        assert_eq!(body["error"]["code"], code);
        assert_eq!(body["error"]["field"], field);
        assert!(body["error"]["message"].as_str().unwrap().contains(field));
    }
    assert_eq!(anna.turns().await, Vec::<Value>::new(), "nothing half-written");
    assert_eq!(anna.call("echo", json!({"text": "x".repeat(1000), "times": 9})).await["result"]["status"], "success");
}

#[tokio::test]
async fn missing_things_are_named() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let (status, body) = anna.try_call("ecko", json!({})).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (404, &json!("UNKNOWN_SUB_FUNCTION")));
    assert!(body["error"]["message"].as_str().unwrap().contains("echo"), "it says what there is");
    let (status, body) = anna.post("/v1/extensions/nobody/call", &json!({"function": "echo"})).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (404, &json!("UNKNOWN_TOOL")));
    assert_eq!(anna.get("/v1/nothing").await.0, 404);
    assert_eq!(anna.get("/v1/extensions/probe/call").await.0, 405);
    assert_eq!(anna.get("/v1/tasks/not-an-id").await.0, 404);
    assert_eq!(anna.get("/v1/tasks/01a20482-1178-74f9-8951-cc3b678a7413").await.0, 404);
}

#[tokio::test]
async fn invalid_body_is_refused() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let call = |content_type: &str, body: Vec<u8>| {
        anna.request(Method::POST, "/v1/extensions/probe/call").header("content-type", content_type).body(body)
    };
    let json_type = "application/json";
    for body in ["{", "", "[]", "{\"function\":5}", "{\"function\":\"echo\",\"params\":[]}", "{\"functoin\":\"echo\"}"]
    {
        let (status, answer) = User::send(call(json_type, body.into())).await;
        assert_eq!((status.as_u16(), &answer["error"]["code"]), (400, &json!("MALFORMED_REQUEST")), "{body}: {answer}");
    }
    assert_eq!(User::send(call(json_type, vec![0xff, 0xfe])).await.0, 400);
    assert_eq!(User::send(call("text/plain", b"{\"function\":\"echo\"}".to_vec())).await.0, 415);
    let large = format!("{{\"function\":\"echo\",\"params\":{{\"text\":\"{}\"}}}}", "x".repeat(10_000_000));
    let (status, answer) = User::send(call(json_type, large.into_bytes())).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (413, &json!("MALFORMED_REQUEST")));
    assert_eq!(anna.turns().await.len(), 0);
}

#[tokio::test]
async fn only_valid_tokens_are_accepted() {
    let (_folder, node) = node().await;
    let mut expired = Claims::of("anna");
    expired.exp -= 7200;
    let mut nobody = Claims::of("");
    nobody.scopes.clear();
    let good = token(&Claims::of("anna"), JWT_SECRET);
    let unsigned = format!("{}.{}.", "eyJhbGciOiJub25lIn0", good.split('.').nth(1).unwrap());
    let other_kind =
        good.replacen("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiIsImtpZCI6ImxvY2FsIn0", 1);
    let cases = [
        (token(&expired, JWT_SECRET), "expired"),
        (token(&Claims::of("anna"), "another-secret-of-32-bytes-or-more!!"), "signature"),
        (token(&nobody, JWT_SECRET), "`sub`"),
        (unsigned, "token"),
        (other_kind, "token"),
        ("not.a.token".to_owned(), "token"),
        (String::new(), "Bearer"),
    ];
    for (bad, says) in cases {
        let (status, body) = User::with_token(&node, &bad).get("/v1/tasks/active").await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!("UNAUTHENTICATED")), "{bad}");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{message} should contain {says}");
        assert!(bad.is_empty() || !message.contains(&bad));
    }
    let answer = reqwest::Client::new().get(format!("{}/v1/tasks/active", node.url)).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    assert_eq!(User::with_token(&node, &good).get("/v1/tasks/active").await.0, 200);
}

#[tokio::test]
async fn openapi_document_is_complete() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let (_, document) = anna.get("/openapi.json").await;
    for path in ["/v1/extensions/{app_id}/call", "/v1/chat/turns", "/v1/events/stream", "/v1/internal/chat/inject"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    // Every reference has a target.
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let answer = &document["paths"]["/v1/tasks/{task_id}/answer"]["post"];
    assert_eq!(answer["security"], json!([{"user": []}, {"page": []}, {"service": []}]));
    let closed = answer["responses"]["409"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
    assert!(closed.ends_with("/ClosedQuestion"), "{closed}");
    assert_eq!(anna.get("/healthz").await.0, 200);
    assert_eq!(anna.get("/readyz").await.0, 200);
    assert!(anna.get("/metrics").await.1.as_str().unwrap().contains("imperal_tasks_running 0"));
    let (_, manifest) = anna.get("/v1/extensions/probe/manifest").await;
    assert_eq!(manifest["app_id"], "probe");
    assert_eq!(manifest["manifest_schema_version"], 3);
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(|r| r.as_str()).map(str::to_owned));
            map.values().for_each(|v| references(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| references(v, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_log_line_of_a_refusal_is_short() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = crate::options(&folder);
    let log = options.log_into(folder.path());
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let body = json!({"ext_id": "probe", "user_id": "b".repeat(200_000), "text": "hello"});
    assert_eq!(anna.post("/v1/internal/chat/inject", &body).await.0, 403);
    let written = std::fs::read_to_string(log).unwrap();
    let line = written.lines().find(|line| line.contains("chat.inject")).unwrap();
    assert!(line.contains(&"b".repeat(500)) && line.len() < 1000, "{} bytes", line.len());
}
