//! The official conformance suite, against an extension with the functions that it calls.
//!
//! Each scenario of [`CLAIMED`] has to pass without a failure. The rest are run too, and printed: they are about prompts,
//! resources, sampling and other parts of the protocol that are not served.

use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use imperal_tests::{Claims, JWT_SECRET, NodeOptions, sibling, token};
use tokio::process::Command;

use crate::clients;

/// The scenarios that have to pass, by the revision of the specification.
const CLAIMED: [(&str, &[&str]); 2] = [
    (
        "2025-11-25",
        &[
            "server-initialize",
            "ping",
            "tools-list",
            "tools-call-simple-text",
            "tools-call-error",
            "tools-call-with-progress",
            "dns-rebinding-protection",
        ],
    ),
    (
        "2026-07-28",
        &[
            "tools-list",
            "tools-call-simple-text",
            "tools-call-error",
            "tools-call-with-progress",
            "server-sse-multiple-streams",
            "dns-rebinding-protection",
            "http-header-validation",
            "sep-2164-resource-not-found",
            "input-required-result-missing-input-response",
            "input-required-result-unsupported-methods",
            "input-required-result-ignore-extra-params",
            "input-required-result-validate-input",
            "tasks-capability-negotiation",
            "tasks-wire-fields",
            "tasks-request-state-removal",
            "tasks-mrtr-input",
            "tasks-request-headers",
            "tasks-dispatch-and-envelope",
        ],
    ),
];

/// Hands requests on with the token that the suite cannot send.
#[derive(Clone)]
struct Proxy {
    http: reqwest::Client,
    url: String,
    token: String,
}

async fn hand_on(State(proxy): State<Proxy>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let request = proxy.http.request(parts.method, format!("{}{}", proxy.url, parts.uri.path()));
    let mut answer = request.headers(parts.headers).bearer_auth(&proxy.token).body(body).send().await.unwrap();
    let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    (status, headers, Body::from_stream(answer.bytes_stream())).into_response()
}

/// The address of a proxy in front of `/mcp` at this address.
async fn proxy(url: &str) -> String {
    let token = token(&Claims::of("anna"), JWT_SECRET);
    let proxy = Proxy { http: crate::http(), url: url.to_owned(), token };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(hand_on).with_state(proxy)).await });
    format!("http://{address}/mcp")
}

/// The lines of the suite's summary: `✓ tools-list: 4 passed, 0 failed`.
async fn run(url: &str, revision: &str) -> Vec<String> {
    let suite = "node_modules/@modelcontextprotocol/conformance/dist/index.js";
    let mut command = Command::new(clients::node_program().await);
    command.arg(clients::folder().join(suite)).args(["server", "--url", url, "--requirements", revision]);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(300), command.output()).await.expect("the suite ends");
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with(['✓', '✗'])).map(str::to_owned).collect();
    assert!(lines.len() > 20, "the suite did not run: {text}");
    lines
}

#[tokio::test]
async fn claimed_scenarios_of_the_conformance_suite_pass() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(sibling("mcp-fixture"), folder.path().join("data"));
    options.args.extend(["--allowed-host", "127.0.0.1", "--allowed-host", "localhost"].map(str::to_owned));
    let node = options.start().await;
    let url = proxy(&node.url).await;
    for (revision, claimed) in CLAIMED {
        let lines = run(&url, revision).await;
        let name_of = |line: &str| line[line.find(' ').unwrap()..line.find(':').unwrap()].trim().to_owned();
        let (ours, rest): (Vec<_>, Vec<_>) =
            lines.into_iter().partition(|line| claimed.contains(&name_of(line).as_str()));
        println!("{revision}, claimed:\n{}\n{revision}, the rest:\n{}\n", ours.join("\n"), rest.join("\n"));
        assert_eq!(ours.len(), claimed.len(), "every claimed scenario was run");
        for line in &ours {
            assert!(line.starts_with('✓') && !line.contains(" 0 passed") && line.contains(" 0 failed"), "{line}");
        }
    }
}
