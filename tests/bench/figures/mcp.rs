//! A plain tool call of an MCP client: in this process, and by HTTP on this machine. In turn with the same tool on `rmcp`
//! alone, which keeps nothing, and by HTTP with `FastMCP`; and with the platform's own call, which writes it to disk.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use imperal::gateway::{ConnectionLimits, SecretString, Verifier};
use imperal::{App, User};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tower::ServiceExt;

use super::Size;
use super::sample::{Sample, Table, time};

const SECRET: &str = "a secret of this bench, which is long enough";

/// The same tool on `rmcp` alone.
#[derive(Clone)]
struct Alone;

impl ServerHandler for Alone {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let Value::Object(schema) = json!({"type": "object"}) else { unreachable!() };
        Ok(ListToolsResult::with_all_items(vec![Tool::new("echo", "Answer at once.", Arc::new(schema))]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let data = Value::Object(request.arguments.unwrap_or_default());
        let mut result = CallToolResult::success(vec![ContentBlock::text(format!("Echoed.\n\n{data}"))]);
        result.structured_content = Some(data);
        Ok(result.into())
    }
}

fn alone() -> Router {
    let config = StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true);
    let service = StreamableHttpService::new(|| Ok(Alone), Arc::<NeverSessionManager>::default(), config);
    Router::new().route_service("/mcp", service)
}

/// `FastMCP` in a process of its own.
struct Fast {
    _child: Child,
    url: String,
}

impl Fast {
    /// Its Python; `None` if `tests/mcp/setup` has not run.
    fn command() -> Option<Command> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("../target/mcp-venv/bin/python");
        let mut command = Command::new(&python);
        command.arg(root.join("bench/mcp_fastmcp.py")).stdout(Stdio::piped()).kill_on_drop(true);
        python.exists().then_some(command)
    }

    async fn start() -> Option<Self> {
        let mut child = Self::command()?.arg("serve").spawn().unwrap();
        let url = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
        Some(Self { _child: child, url })
    }

    /// Seconds of a call in its own process.
    async fn in_memory(calls: usize) -> Option<f64> {
        let output = Self::command()?.args(["memory", &calls.to_string()]).output().await.unwrap();
        Some(String::from_utf8(output.stdout).unwrap().trim().parse().unwrap())
    }
}

/// The request of a client of the protocol 2026-07-28.
fn request(url: &str, token: &str) -> Request<Body> {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "echo", "arguments": {"text": "hello", "times": 3}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    }});
    let request = Request::post(url).header("host", "127.0.0.1").header("content-type", "application/json");
    let request = request.header("accept", "application/json, text/event-stream");
    let request = request.header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/call");
    let request = request.header("mcp-name", "echo").header("authorization", format!("Bearer {token}"));
    request.body(Body::from(body.to_string())).unwrap()
}

/// A call without a network.
async fn call_in_memory(router: &Router, token: &str) -> Duration {
    let request = request("/mcp", token);
    let begun = Instant::now();
    let answer = router.clone().oneshot(request).await.unwrap();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let took = begun.elapsed();
    check(&body);
    took
}

async fn call_by_http(http: &reqwest::Client, url: &str, token: &str) -> Duration {
    let (parts, body) = request(url, token).into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let mut headers = parts.headers;
    headers.remove("host");
    let request = http.post(url).headers(headers).body(body);
    let begun = Instant::now();
    let body = request.send().await.unwrap().bytes().await.unwrap();
    let took = begun.elapsed();
    check(&body);
    took
}

fn check(body: &[u8]) {
    let answer: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(answer["result"]["structuredContent"]["text"], "hello", "{answer}");
}

pub(crate) async fn run(size: Size, folder: &Path, table: &mut Table) {
    // An error means that the process already has a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir_in(folder).unwrap();
    let user = User::new("anna", "bench");
    let secret = SecretString::from(SECRET);
    let token = Verifier::sign(&secret, &user, Duration::from_secs(3600)).unwrap();
    let users = Verifier::by_secret(&secret).unwrap();
    let server = App::new().server(folder.path().join("data")).users(users).start().await.unwrap();
    let (router, access) = (server.router(), server.access(user));
    let listening = server.listen("127.0.0.1:0".parse().unwrap(), ConnectionLimits::default()).await.unwrap();
    let ours_at = format!("http://{}/mcp", listening.address());
    let rmcp_alone = alone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rmcp_at = format!("http://{}/mcp", listener.local_addr().unwrap());
    let other = rmcp_alone.clone();
    tokio::spawn(async move { axum::serve(listener, other).await });
    let fast = if size == Size::Full { Fast::start().await } else { None };
    let http = reqwest::Client::new();

    let [mut ours, mut rmcp, mut ours_http, mut rmcp_http, mut fast_http, mut call]: [Sample; 6] = Default::default();
    for round in 0..size.of(2200, 2) {
        let params = json!({"text": "hello", "times": 3});
        // The other process has had the processors: the first call after it wakes this one up, and does not count.
        access.call("bench", "echo", params.clone()).await.unwrap();
        let begun = Instant::now();
        assert!(access.call("bench", "echo", params).await.unwrap().result.is_success());
        let times = [
            (&mut call, begun.elapsed()),
            (&mut rmcp, call_in_memory(&rmcp_alone, &token).await),
            (&mut ours, call_in_memory(&router, &token).await),
            (&mut rmcp_http, call_by_http(&http, &rmcp_at, &token).await),
            (&mut ours_http, call_by_http(&http, &ours_at, &token).await),
        ];
        // The first ones open connections and fill caches.
        let is_counted = size == Size::Smoke || round >= 200;
        times.into_iter().filter(|_| is_counted).for_each(|(sample, took)| sample.push(took));
        if let Some(fast) = &fast {
            let took = call_by_http(&http, &fast.url, &token).await;
            if is_counted {
                fast_http.push(took);
            }
        }
    }
    let both = |sample: &Sample| format!("{} ({})", time(sample.median()), time(sample.at(0.99)));
    let ratio = |ours: &Sample, rmcp: &Sample| format!("{:.2} x", ours.median() / (rmcp.median() + call.median()));
    table.row(
        "the call alone, by the platform in this process: accepted and replied, a read in one commit; p50 (p99)",
        both(&call),
        "",
    );
    table.row("in memory: `rmcp` alone, which keeps nothing; p50 (p99)", both(&rmcp), "");
    table.row("in memory: a tool call, in the chat and on disk; p50 (p99)", both(&ours), "");
    table.row("in memory: relative to `rmcp` alone plus the call alone", ratio(&ours, &rmcp), "1.3 x");
    table.row("by HTTP: `rmcp` alone; p50 (p99)", both(&rmcp_http), "");
    table.row("by HTTP: a tool call, in the chat and on disk; p50 (p99)", both(&ours_http), "");
    table.row("by HTTP: relative to `rmcp` alone plus the call alone", ratio(&ours_http, &rmcp_http), "1.3 x");
    if size == Size::Smoke {
        return;
    }
    let missing = "not measured: `tests/mcp/setup` has not run";
    let in_memory = Fast::in_memory(2000).await;
    table.row(
        "in memory: FastMCP 4.1, its own client in its own process; p50",
        in_memory.map_or(missing.to_owned(), time),
        "",
    );
    if fast.is_none() {
        return table.row("by HTTP: FastMCP 4.1", missing, "");
    }
    table.row("by HTTP: FastMCP 4.1, without sessions, plain JSON; p50 (p99)", both(&fast_http), "");
    let times = |ours: f64| format!("{:.1} x", fast_http.median() / ours);
    table.row("by HTTP: how much faster than FastMCP, with the commit", times(ours_http.median()), "5 x");
    let without = (ours_http.median() - call.median()).max(rmcp_http.median());
    table.row("by HTTP: the same without the call alone", times(without), "");
}
