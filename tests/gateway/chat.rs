//! Messages that enter a chat, and their length.

use imperal_tests::{SERVICE_TOKEN, User};
use reqwest::Method;
use serde_json::json;

use crate::node;

const LIMIT: usize = 65_536;
const MARKER: &str = "...(truncated)";

#[tokio::test]
async fn long_message_is_cut_at_a_character_with_a_receipt() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    for (unit, times, cut) in [("x", 70_000, true), ("🦀é", 12_000, true), ("x", LIMIT, false)] {
        let reply = anna.call("deliver", json!({"unit": unit, "times": times})).await;
        assert_eq!(reply["result"]["data"]["truncated"], cut);
        let turns = anna.turns().await;
        let turn = turns.iter().find(|turn| turn["turn_id"] == reply["result"]["data"]["turn_id"]).unwrap();
        let text = turn["text"].as_str().unwrap();
        assert_eq!(turn["truncated"].as_bool().unwrap_or(false), cut);
        assert_eq!(turn["type"], "system");
        assert_eq!(turn["refresh_panels"], json!(["probe"]));
        if cut {
            let body = text.strip_suffix(MARKER).unwrap();
            assert!(body.len() <= LIMIT && body.len() > LIMIT - 4, "{}", body.len());
            assert!(unit.repeat(times).starts_with(body), "a prefix, no character split");
        } else {
            assert_eq!(text.len(), LIMIT);
        }
    }
    assert_eq!(anna.audit().await.len(), 3, "every delivery has its row");
}

#[tokio::test]
async fn service_injects_into_the_chat_of_its_user() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let inject = |acting: &str, body: serde_json::Value| {
        anna.request(Method::POST, "/v1/internal/chat/inject")
            .header("x-service-token", SERVICE_TOKEN)
            .header("x-acting-user", acting)
            .json(&body)
    };
    let message =
        json!({"ext_id": "probe", "user_id": "anna", "text": "Hello.", "msg_type": "system", "refresh_panels": []});
    let (status, body) = User::send(inject("anna", message.clone())).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["turn"]["refresh_panels"], json!([]), "none is not all");
    let (status, _) = User::send(inject("ben", message.clone())).await;
    assert_eq!(status, 403);
    assert_eq!(anna.turns().await.len(), 1);
    let refused = User::of(&node, "ben").audit().await;
    assert_eq!(refused.len(), 1, "filed under the user it acted for");
    assert_eq!(refused[0]["outcome"], "refused");

    let mut long = message.clone();
    long["text"] = json!(format!("{}{MARKER}", "x".repeat(LIMIT)));
    assert_eq!(User::send(inject("anna", long)).await.0, 200, "what the reference client sends at most");
    let mut over = message.clone();
    over["text"] = json!("x".repeat(LIMIT + MARKER.len() + 1));
    assert_eq!(User::send(inject("anna", over)).await.0, 413);
    let mut unknown = message.clone();
    unknown["ext_id"] = json!("nobody");
    assert_eq!(User::send(inject("anna", unknown)).await.0, 404);
    let mut odd = message;
    odd["msg_type"] = json!("reponse");
    assert_eq!(User::send(inject("anna", odd)).await.0, 400, "a typo is no bot turn");
    assert_eq!(anna.turns().await.len(), 2);
}

/// A service repeats a message whose answer it lost: one turn, one audit row, one answer.
#[tokio::test]
async fn message_with_a_key_is_injected_once() {
    let (_folder, node) = node().await;
    let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
    let send = async |user: &str, key: &str, text: &str| {
        let request = anna.request(Method::POST, "/v1/internal/chat/inject").header("x-service-token", SERVICE_TOKEN);
        let request = request.header("x-acting-user", user).header("idempotency-key", key);
        let request = request.json(&json!({"ext_id": "probe", "user_id": user, "text": text}));
        let answer = request.send().await.unwrap();
        let again = answer.headers().contains_key("idempotency-replayed");
        (answer.status().as_u16(), again, answer.json::<serde_json::Value>().await.unwrap())
    };
    let racing = futures_util::future::join_all((0..8).map(|_| send("anna", "k", "Hello."))).await;
    assert_eq!(racing.iter().filter(|(_, again, _)| !again).count(), 1);
    let later = send("anna", "k", "Hello.").await;
    assert!(racing.iter().chain([&later]).all(|(status, _, body)| *status == 200 && *body == racing[0].2));
    assert!(later.1);
    let (status, _, body) = send("anna", "k", "Something else.").await;
    assert_eq!((status, &body["error"]["code"]), (422, &json!("KEY_REUSED")));
    assert_eq!(send("anna", "a b", "Hello.").await.0, 400);
    let written = anna.audit().await.into_iter().filter(|row| row["outcome"] == "done").count();
    assert_eq!((anna.turns().await.len(), written), (1, 1));
    // The same key of another user, and another key.
    assert!(!send("ben", "k", "Hello.").await.1);
    assert!(!send("anna", "l", "Hello.").await.1);
    assert_eq!((anna.turns().await.len(), ben.turns().await.len()), (2, 1));
}
