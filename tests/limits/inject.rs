//! Injected messages: permitted senders, contents, and the audit rows of refusals.

use imperal_tests::{Claims, JWT_SECRET, Node, SERVICE_TOKEN, User, token};
use reqwest::Method;
use serde_json::{Value, json};

use crate::node_with;

const INJECT: &str = "/v1/internal/chat/inject";

/// A request with the service token and these headers.
async fn by_service(node: &Node, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
    let somebody = User::with_token(node, "none");
    let mut request = somebody.request(Method::POST, INJECT).json(body).header("x-service-token", SERVICE_TOKEN);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (status, body) = User::send(request).await;
    (status.as_u16(), body)
}

async fn all_rows(node: &Node) -> Vec<Value> {
    let mut auditor = Claims::of("auditor");
    auditor.scopes = vec!["audit:read:all".to_owned()];
    User::with_token(node, &token(&auditor, JWT_SECRET)).audit().await
}

#[tokio::test]
async fn injection_attempts_are_limited_and_leave_small_audit_rows() {
    let (folder, node) = node_with(&["--requests-per-second=1", "--request-burst=120"]).await;
    let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
    let message = json!({"ext_id": "probe", "user_id": "x".repeat(100_000), "text": "hi"});
    let begun = std::time::Instant::now();
    let answers = futures_util::future::join_all((0..240).map(|_| anna.post(INJECT, &message))).await;
    let count = |wanted: u16| answers.iter().filter(|(status, _)| *status == wanted).count();
    let may = 121 + usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!((120..=may).contains(&count(403)) && count(403) + count(429) == 240, "{} of {may}", count(403));
    while anna.get("/v1/tasks").await.0 == 200 {}
    ben.call("echo", json!({"text": "hi"})).await;
    let rows = all_rows(&node).await;
    let hers = rows.iter().filter(|row| row["user_id"] == "anna");
    let may = 101 + usize::try_from(begun.elapsed().as_secs() / 6).unwrap();
    assert!((100..=may).contains(&hers.clone().count()), "{} of {may}", rows.len());
    assert!(hers.clone().all(|row| row["target"].as_str().unwrap().len() < 600));
    let bytes: u64 = std::fs::read_dir(folder.path().join("data"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(bytes < 8 << 20, "{bytes}");
}

#[tokio::test]
async fn invalid_ids_are_refused_by_name_and_audited() {
    let (_folder, node) = node_with(&[]).await;
    let good = json!({"ext_id": "probe", "user_id": "anna", "text": "hi"});
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let cases = [
        (with("user_id", json!("x".repeat(300))), 422, "user_id"),
        (with("user_id", json!("")), 422, "user_id"),
        (with("user_id", json!("anna\nWARN forged")), 422, "user_id"),
        (with("ext_id", json!("")), 422, "ext_id"),
        (with("ext_id", json!("x".repeat(100_000))), 422, "ext_id"),
        (with("refresh_panels", json!(["x".repeat(129)])), 422, "refresh_panels"),
        (with("ext_id", json!("nobody")), 404, ""),
        (with("text", json!(5)), 400, ""),
        (with("text", json!("x".repeat(65_551))), 413, ""),
    ];
    let mut expected = Vec::new();
    for (body, wanted, field) in cases {
        let (status, answer) = by_service(&node, &[], &body).await;
        assert_eq!((status, answer["error"]["field"].as_str().unwrap_or_default()), (wanted, field), "{answer}");
        expected.push(wanted);
    }
    let rows = all_rows(&node).await;
    let seen: Vec<u16> = rows.iter().map(|row| row["detail"].as_str().unwrap()[..3].parse().unwrap()).collect();
    assert_eq!(seen, expected);
    assert!(rows.iter().all(|row| row["actor"] == "service" && row["outcome"] == "refused"), "{rows:?}");
    assert!(rows.iter().all(|row| row.to_string().len() < 1500), "{rows:?}");
    assert_eq!(by_service(&node, &[], &with("user_id", json!("x".repeat(128)))).await.0, 200);
}

#[tokio::test]
async fn unauthenticated_injection_writes_no_audit_row() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = crate::options(&folder, &[]);
    let log = folder.path().join("log");
    options.log = Some(log.clone());
    let node = options.start().await;
    let message = json!({"ext_id": "probe", "user_id": "anna", "text": "hi"});
    let stranger = User::with_token(&node, "no.such.token");
    for _ in 0..50 {
        let request = stranger.request(Method::POST, INJECT).header("x-service-token", "wrong").json(&message);
        assert_eq!(User::send(request).await.0, 401);
        assert_eq!(stranger.post(INJECT, &message).await.0, 401);
    }
    assert_eq!(all_rows(&node).await.len(), 0);
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("wrong service token").count(), 1, "{log}");
    assert!(crate::metric(&node, "imperal_refusals_total{code=\"UNAUTHENTICATED\"}").await >= 100.0);
}

#[tokio::test]
async fn message_without_a_tenant_goes_to_the_tenant_of_services() {
    let (_folder, node) = node_with(&["--service-tenant=acme"]).await;
    let mut claims = Claims::of("anna");
    claims.tenant_id = Some("acme".to_owned());
    let (of_acme, of_default) = (User::with_token(&node, &token(&claims, JWT_SECRET)), User::of(&node, "anna"));
    let message = json!({"ext_id": "probe", "user_id": "anna", "text": "hi"});
    assert_eq!(by_service(&node, &[], &message).await.0, 200);
    assert_eq!((of_acme.turns().await.len(), of_default.turns().await.len()), (1, 0));
    assert_eq!(by_service(&node, &[("x-tenant-id", "default")], &message).await.0, 200);
    assert_eq!((of_acme.turns().await.len(), of_default.turns().await.len()), (1, 1));
}

#[tokio::test]
async fn text_cut_by_the_sdk_is_kept_unchanged() {
    let (_folder, node) = node_with(&[]).await;
    // The SDK cuts before the character that crosses the limit, so a second cut would fall into the marker.
    let cut = format!("a{}...(truncated)", "🦀".repeat(65_536 / 4 - 1));
    assert_eq!(cut.len(), 65_547);
    let message = json!({"ext_id": "probe", "user_id": "anna", "text": cut});
    let (status, answer) = by_service(&node, &[], &message).await;
    assert_eq!((status, answer["turn"]["text"].as_str()), (200, Some(cut.as_str())));
    assert_eq!(answer["turn"]["truncated"], true);
}
