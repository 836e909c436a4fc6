//! An unreadable header is refused and named; it never counts as absent (P4).

use imperal_tests::{Claims, JWT_SECRET, SERVICE_TOKEN, User, token};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::json;

use super::message;
use crate::node;

fn bytes(value: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(value).unwrap()
}

#[tokio::test]
async fn tenant_and_user_headers_are_utf8() {
    let (_folder, node) = node().await;
    let of = |tenant: &str, sub: &str| {
        let claims = Claims { tenant_id: Some(tenant.to_owned()), ..Claims::of(sub) };
        User::with_token(&node, &token(&claims, JWT_SECRET))
    };
    let (munich, anna) = (of("münchen", "zoë"), User::of(&node, "zoë"));
    let inject = |tenant: &str, acting: &str, user: &str| {
        munich
            .request(Method::POST, "/v1/internal/chat/inject")
            .header("x-service-token", SERVICE_TOKEN)
            .header("x-tenant-id", bytes(tenant.as_bytes()))
            .header("x-acting-user", bytes(acting.as_bytes()))
            .json(&json!({"ext_id": "probe", "user_id": user, "text": "Grüß Gott."}))
    };
    let (status, body) = User::send(inject("münchen", "zoë", "zoë")).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((munich.turns().await.len(), anna.turns().await.len()), (1, 0));
    // P4: users are compared and attempts audited for names in any script.
    let (status, body) = User::send(inject("münchen", "zoë", "anna")).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (403, &json!("PERMISSION_DENIED")));
    let refused = munich.audit().await;
    assert!(refused.iter().any(|row| row["outcome"] == "refused" && row["target"] == "anna"), "{refused:?}");
}

#[tokio::test]
async fn unreadable_repeated_and_empty_headers_are_refused_by_name() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let bearer = format!("Bearer {}", token(&Claims::of("anna"), JWT_SECRET));
    let inject = || {
        anna.request(Method::POST, "/v1/internal/chat/inject")
            .json(&json!({"ext_id": "probe", "user_id": "anna", "text": "Hello."}))
    };
    let as_service = || inject().header("x-service-token", SERVICE_TOKEN);
    let call = || {
        anna.request(Method::POST, "/v1/extensions/probe/call")
            .json(&json!({"function": "echo", "params": {"text": "x"}}))
    };
    let stream = || anna.request(Method::GET, "/v1/events/stream");
    let long = "x".repeat(65);
    let cases = [
        (as_service().header("x-tenant-id", bytes(b"m\xfcnchen")), "X-Tenant-Id"),
        (as_service().header("x-tenant-id", "a").header("x-tenant-id", "b"), "X-Tenant-Id"),
        (as_service().header("x-tenant-id", ""), "X-Tenant-Id"),
        (as_service().header("x-tenant-id", long), "X-Tenant-Id"),
        (as_service().header("x-acting-user", bytes(b"zo\xeb")), "X-Acting-User"),
        (as_service().header("x-acting-user", "anna").header("x-acting-user", "anna"), "X-Acting-User"),
        (as_service().header("x-acting-user", ""), "X-Acting-User"),
        (as_service().header("x-service-token", SERVICE_TOKEN), "X-Service-Token"),
        (inject().header("x-service-token", bytes(b"\xff")), "X-Service-Token"),
        (as_service().header("idempotency-key", ""), "Idempotency-Key"),
        (call().header("idempotency-key", "a").header("idempotency-key", "b"), "Idempotency-Key"),
        (call().header("idempotency-key", bytes(b"\xff")), "Idempotency-Key"),
        (call().header("authorization", &bearer), "Authorization"),
        (stream().header("last-event-id", "1").header("last-event-id", "2"), "Last-Event-Id"),
        (stream().header("last-event-id", bytes(b"\xff")), "Last-Event-Id"),
    ];
    for (request, name) in cases {
        let (status, body) = User::send(request).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!("MALFORMED_REQUEST")), "{name}: {body}");
        assert!(message(&body).contains(name), "{name}: {body}");
    }
    assert_eq!(anna.turns().await.len(), 0, "nothing was written");
}
