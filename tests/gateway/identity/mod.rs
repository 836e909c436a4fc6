//! The identity of a caller: headers, tokens, keys of an issuer, the page's session, one-time links.

mod headers;
mod host;
mod issuer;
mod session;
mod tokens;

use imperal::context::User as Identity;
use imperal::gateway::LocalKey;
use imperal_tests::{Node, NodeOptions, User};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

/// A caller on the machine that has the data folder.
fn terminal(node: &Node, options: &NodeOptions) -> User {
    let mut me = Identity::new("me", "default");
    me.scopes = vec!["audit:read:all".to_owned()];
    User::with_token(node, &LocalKey::of_folder(&options.folder).unwrap().sign(&me).unwrap())
}

/// The address of a new one-time link.
async fn link(node: &Node, options: &NodeOptions) -> String {
    let (status, body) = terminal(node, options).post("/v1/internal/link", &json!({})).await;
    assert_eq!(status, 200, "{body}");
    format!("{}{}", node.url, body["path"].as_str().unwrap())
}

/// The error of a node that refuses to start.
async fn refusal(options: &NodeOptions) -> String {
    let running = options.command().stderr(std::process::Stdio::piped()).output();
    let output =
        tokio::time::timeout(std::time::Duration::from_secs(30), running).await.expect("the node ends").unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// A client that follows no redirects and keeps no cookies.
fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

/// The cookie that an answer sets, as `name=value`.
fn cookie(answer: &reqwest::Response) -> Option<String> {
    let set = answer.headers().get("set-cookie")?.to_str().unwrap();
    Some(set.split(';').next().unwrap().to_owned())
}

fn message(body: &Value) -> &str {
    body["error"]["message"].as_str().unwrap_or_default()
}
