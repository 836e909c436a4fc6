//! What a request has to pass before it is read as MCP.

use imperal::mcp::AuthIssuer;
use imperal_tests::{NodeOptions, sibling};
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

#[tokio::test]
async fn clients_learn_of_the_issuer_and_tokens_name_this_server() {
    let resource = "https://chat.example/mcp";
    let issuer = AuthIssuer::new("https://id.example", resource).unwrap();
    let desk = Desk::start_with(|settings| settings.auth_issuer = Some(issuer)).await;
    let refused = desk.plain_request(&list()).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let metadata = "/.well-known/oauth-protected-resource/mcp";
    let challenge = format!("Bearer resource_metadata=\"https://chat.example{metadata}\"");
    assert_eq!(refused.headers()["www-authenticate"], challenge);
    // The rest of the API knows no such clients.
    let chat = http().get(desk.url().replace("/mcp", "/v1/chat/turns")).send().await.unwrap();
    assert_eq!(chat.headers()["www-authenticate"], "Bearer");

    let found = http().get(desk.url().replace("/mcp", metadata)).send().await.unwrap();
    let found: Value = found.json().await.unwrap();
    assert_eq!(
        (&found["resource"], &found["authorization_servers"]),
        (&json!(resource), &json!(["https://id.example"]))
    );
    let other = desk.url().replace("/mcp", "/.well-known/oauth-protected-resource/other");
    assert_eq!(http().get(other).send().await.unwrap().status(), 404);

    let token = |aud: &str, iss: &str| {
        let claims = json!({"sub": "anna", "tenant_id": "acme", "aud": aud, "iss": iss, "exp": 4_000_000_000_u64});
        let key = jsonwebtoken::EncodingKey::from_secret(crate::SECRET.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
    };
    let status = async |aud: &str, iss: &str| {
        desk.plain_request(&list()).bearer_auth(token(aud, iss)).send().await.unwrap().status()
    };
    assert_eq!(status(resource, "https://id.example").await, 200);
    assert_eq!(status("https://other.example/mcp", "https://id.example").await, 401, "for another server");
    assert_eq!(status(resource, "https://evil.example").await, 401, "of another issuer");
}

#[tokio::test]
async fn serve_needs_the_url_that_tokens_name() {
    for (args, why) in [
        (&["--auth-issuer", "https://id.example"][..], "--audience"),
        (&["--auth-issuer", "https://id.example", "--audience", "desk"][..], "is not a URL such as"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut options = NodeOptions::new(sibling("probe"), folder.path().join("data"));
        options.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        let output = options.command().stderr(std::process::Stdio::piped()).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(why), "{said}");
    }
}
