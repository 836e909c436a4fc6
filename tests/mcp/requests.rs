//! What a request has to pass before it is read as MCP.

use serde_json::{Value, json};

use crate::{Desk, http, token_of};

fn list() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
}

#[tokio::test]
async fn requests_without_a_valid_token_get_a_plain_bearer_challenge() {
    let desk = Desk::start().await;
    for request in [desk.plain_request(&list()), desk.plain_request(&list()).bearer_auth("a.b.c")] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        // `resource_metadata` would send clients to an authorization server that does not exist.
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], "UNAUTHENTICATED");
    }
    for path in ["oauth-protected-resource", "oauth-protected-resource/mcp", "oauth-authorization-server"] {
        let url = desk.url().replace("/mcp", &format!("/.well-known/{path}"));
        assert_eq!(http().get(url).send().await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_other_hosts_and_large_bodies_are_refused() {
    let desk = Desk::start().await;
    let request = || desk.plain_request(&list()).bearer_auth(token_of("anna"));
    assert_eq!(request().send().await.unwrap().status(), 200);
    let own = format!("http://{}", desk.listening.address());
    assert_eq!(request().header("origin", &own).send().await.unwrap().status(), 200);
    for origin in ["https://evil.example", "null"] {
        assert_eq!(request().header("origin", origin).send().await.unwrap().status(), 403, "{origin}");
    }
    let large = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"x": "y".repeat(2 << 20)}});
    let large = desk.plain_request(&large).bearer_auth(token_of("anna"));
    assert_eq!(large.send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn there_are_no_sessions_and_no_streams_to_open() {
    let desk = Desk::start().await;
    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let request = http().request(method.clone(), desk.url()).bearer_auth(token_of("anna"));
        assert_eq!(request.header("accept", "text/event-stream").send().await.unwrap().status(), 405, "{method}");
    }
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"},
    }});
    let answer = desk.plain_request(&hello).bearer_auth(token_of("anna")).send().await.unwrap();
    assert!(!answer.headers().contains_key("mcp-session-id"));
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(answer["result"]["serverInfo"]["name"], "desk");
    // The next request may reach another node.
    let answer: Value =
        desk.plain_request(&list()).bearer_auth(token_of("anna")).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["result"]["tools"][0]["name"], "add");
}

#[tokio::test]
async fn malformed_requests_are_errors_of_the_protocol() {
    let desk = Desk::start().await;
    for body in
        [json!({}), json!([]), json!({"jsonrpc": "2.0", "id": 1}), json!({"jsonrpc": "2.0", "id": 1, "method": "x/y"})]
    {
        let answer = desk.plain_request(&body).bearer_auth(token_of("anna")).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_client_error() || status == 200, "{body}: {status}");
        let text = answer.text().await.unwrap();
        assert!(status != 200 || text.contains("\"error\""), "{body}: {text}");
    }
}
