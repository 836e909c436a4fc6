//! No user reaches another user's tasks or chat (P3, P4), and each attempt is audited.

use imperal_tests::{Claims, JWT_SECRET, User, token};
use serde_json::json;

use crate::node;

#[tokio::test]
async fn access_to_another_users_task_and_chat_is_refused_and_audited() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let reply = anna.call("steps", json!({"steps": 1000, "step_ms": 50})).await;
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap().to_owned();

    let mut elsewhere = Claims::of("anna");
    elsewhere.tenant_id = Some("elsewhere".to_owned());
    let namesake = User::with_token(&node, &token(&elsewhere, JWT_SECRET));
    let ben = User::of(&node, "ben");
    for stranger in [&ben, &namesake] {
        let (status, body) = stranger.get(&format!("/v1/tasks/{task_id}")).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (403, &json!("PERMISSION_DENIED")));
        assert_eq!(stranger.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await.0, 403);
        let message = json!({"ext_id": "probe", "user_id": "anna", "text": "Gotcha."});
        assert_eq!(stranger.post("/v1/internal/chat/inject", &message).await.0, 403);
        let rows = stranger.audit().await;
        let tried: Vec<_> =
            rows.iter().map(|row| (row["action"].as_str().unwrap(), row["outcome"].as_str().unwrap())).collect();
        assert_eq!(tried, [("task.read", "refused"), ("task.cancel", "refused"), ("chat.inject", "refused")]);
        assert_eq!(stranger.turns().await.len(), 0);
        assert_eq!(stranger.get("/v1/tasks").await.1["tasks"], json!([]));
    }
    assert_eq!(anna.get(&format!("/v1/tasks/{task_id}")).await.1["state"], "running");
    assert_eq!(anna.turns().await.len(), 2, "the user's call and its ack, nothing else");
    assert_eq!(anna.audit().await.len(), 0, "the refusals are filed under who tried");
    let mut auditor = Claims::of("auditor");
    auditor.scopes = vec!["audit:read:all".to_owned()];
    let auditor = User::with_token(&node, &token(&auditor, JWT_SECRET));
    assert_eq!(auditor.audit().await.len(), 6);
}

#[tokio::test]
async fn bearer_token_creates_no_link() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    assert_eq!(anna.post("/v1/internal/link", &json!({})).await.0, 403);
}
