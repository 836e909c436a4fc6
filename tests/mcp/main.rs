//! The functions as tools for MCP clients: the official Rust, TypeScript and Python clients, `FastMCP` and raw
//! requests, against a server in this process; processes that are killed in between; the official conformance suite.

#![allow(deprecated, reason = "the results of test functions need no data_model")]
#![allow(clippy::large_futures, reason = "the futures of the clients are large")]

mod clients;
mod conformance;
mod crash;
mod postgres;
mod python;
mod questions;
mod refine;
mod requests;
mod slow;
mod stdio;
mod tasks;
mod tools;
mod typescript;

use std::time::Duration;

use imperal::gateway::{ConnectionLimits, SecretString, Verifier};
use imperal::mcp::McpSettings;
use imperal::prelude::*;
use imperal::server::ListeningServer;
use imperal::{App, User as Identity};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ElicitationCapability, Implementation,
    ProtocolVersion, UrlElicitationCapability,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceExt};
use serde_json::{Value, json};

const SECRET: &str = "a secret of this suite, long enough to be one";

imperal::extension! {
    app_id: "desk",
    name: "Desk",
    description: "Adds numbers, keeps notes and builds things, for the suite of the MCP face.",
    icon: "icon.svg",
    capabilities: ["desk:write"],
}

#[derive(Deserialize, JsonSchema)]
struct Add {
    /// The first number.
    a: i64,
    /// The second number.
    b: i64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Sum {
    sum: i64,
}

/// Add two whole numbers.
#[chat_function(action_type = "read", data_model = Sum)]
async fn add(_ctx: Context, params: Add) -> Result<ActionResult<Sum>> {
    let sum = params.a.saturating_add(params.b);
    Ok(ActionResult::success(Sum { sum }, format!("The sum is {sum}.")))
}

#[derive(Deserialize, JsonSchema)]
struct Amount {
    /// How many characters.
    characters: usize,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Text {
    text: String,
}

/// Write a text of any length.
#[chat_function(action_type = "read", data_model = Text)]
async fn write_long(_ctx: Context, params: Amount) -> Result<ActionResult<Text>> {
    Ok(ActionResult::success(Text { text: "x".repeat(params.characters) }, "Written."))
}

/// Remove all notes for good.
#[chat_function(action_type = "destructive", event = "wiped", effects = ["delete:note"])]
async fn wipe(_ctx: Context, _params: Nothing) -> Result<ActionResult> {
    Ok(ActionResult::done("All notes are gone."))
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Unlock {
    /// The secret number.
    #[schemars(extend("writeOnly" = true))]
    pin: u32,
}

/// Unlock the desk with its number.
#[chat_function(action_type = "write", event = "unlocked", effects = ["update:desk"])]
async fn unlock(_ctx: Context, params: Unlock) -> Result<ActionResult> {
    Ok(ActionResult::done(if params.pin == 0 { "Wrong." } else { "Unlocked." }))
}

#[derive(Deserialize, JsonSchema)]
struct Wait {
    /// How long it takes.
    millis: u64,
    /// A note on it.
    #[serde(default)]
    note: String,
}

/// Think in the foreground until it is done or cancelled.
#[chat_function(action_type = "write", event = "thought", effects = ["update:desk"])]
async fn think(ctx: Context, params: Wait) -> Result<ActionResult> {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(params.millis)) => {
            Ok(ActionResult::done(if params.note.is_empty() { "Thought." } else { "Thought of it." }))
        }
        () = ctx.cancelled() => Err(Error::cancelled()),
    }
}

/// Build something in the background.
#[chat_function(action_type = "write", event = "built", effects = ["create:thing"], background)]
async fn build(ctx: Context, params: Wait) -> Result<ActionResult> {
    ctx.background_task(async move |ctx: Context| {
        ctx.progress(50, "Half done").await?;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(params.millis)) => Ok(ActionResult::done("Built.")),
            () = ctx.cancelled() => Err(Error::cancelled()),
        }
    })
    .name("build")
    .await?;
    Ok(ActionResult::done("Building."))
}

/// Fail with an error that has a code.
#[chat_function(action_type = "write", event = "broken", effects = ["update:desk"])]
async fn break_down(_ctx: Context, _params: Nothing) -> Result<ActionResult> {
    Err(Error::user(codes::NOT_FOUND, "There is no such drawer."))
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Drawing {
    picture: FileRef,
}

/// The smallest picture: one red dot.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x90, 0x77, 0x53, 0xde, 0x00, 0x00, 0x00, 0x0c, 0x49,
    0x44, 0x41, 0x54, 0x08, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0x00, 0x00, 0x03, 0x01, 0x01, 0x00, 0x18, 0xdd, 0x8d, 0xb0,
    0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// Draw a picture of this many bytes.
#[chat_function(action_type = "write", event = "drawn", effects = ["create:picture"], background)]
async fn draw(ctx: Context, params: Amount) -> Result<ActionResult> {
    ctx.background_task(async move |ctx: Context| {
        let mut bytes = PNG.to_vec();
        bytes.resize(bytes.len().max(params.characters), 0);
        let picture = ctx.files().put("dot.png", bytes).await?;
        Ok(ActionResult::success(Drawing { picture }, "Drawn."))
    })
    .await?;
    Ok(ActionResult::done("Drawing."))
}

#[derive(Deserialize, JsonSchema)]
struct Claim {
    /// The file, as someone says it is.
    file_id: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Claimed {
    file_id: String,
    content_type: String,
    size: u64,
    sha256: String,
}

/// Say of any file that it is a small picture.
#[chat_function(action_type = "read", data_model = Claimed)]
async fn claim(_ctx: Context, params: Claim) -> Result<ActionResult<Claimed>> {
    let Claim { file_id } = params;
    let claimed = Claimed { file_id, content_type: "image/png".to_owned(), size: 1, sha256: String::new() };
    Ok(ActionResult::success(claimed, "Look."))
}

/// Report progress that falls and rises, in the background.
#[chat_function(action_type = "write", event = "wandered", effects = ["create:thing"], background)]
async fn wander(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(async |ctx: Context| {
        for percent in [50, 20, 80] {
            ctx.progress(percent, "On the way").await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Ok(ActionResult::done("Arrived."))
    })
    .await?;
    Ok(ActionResult::done("Walking."))
}

/// A server with the extension of this suite.
struct Desk {
    _folder: tempfile::TempDir,
    listening: ListeningServer,
}

impl Desk {
    async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    async fn start_with(change: impl FnOnce(&mut McpSettings)) -> Self {
        Self::start_app(App::new().settings(|settings| settings.calls_per_user = 0).mcp(change)).await
    }

    async fn start_app(app: App) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let users = Verifier::by_secret(&SecretString::from(SECRET)).unwrap();
        let server = app.server(folder.path()).users(users).start().await.unwrap();
        let listening = server.listen("127.0.0.1:0".parse().unwrap(), ConnectionLimits::default()).await.unwrap();
        Self { _folder: folder, listening }
    }

    fn url(&self) -> String {
        format!("http://{}/mcp", self.listening.address())
    }

    fn access(&self, user: &str) -> imperal::platform::Access {
        self.listening.server().access(Identity::new(user, "acme"))
    }

    async fn client(&self, user: &str, kind: Kind) -> Client {
        client(&self.url(), &token_of(user), kind).await
    }

    /// A request as a client of the era without sessions sends it.
    fn request(&self, user: &str, method: &str, name: Option<&str>, params: Value) -> reqwest::RequestBuilder {
        let mut params = params;
        let meta = &mut params["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let request = self.plain_request(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        let request = request.bearer_auth(token_of(user)).header("mcp-protocol-version", "2026-07-28");
        let request = request.header("mcp-method", method);
        name.into_iter().fold(request, |request, name| request.header("mcp-name", name))
    }

    fn plain_request(&self, body: &Value) -> reqwest::RequestBuilder {
        http().post(self.url()).header("accept", "application/json, text/event-stream").json(body)
    }
}

/// The provider of the HTTP clients' cryptography, once per process.
fn install_tls() {
    // An error means that the process already has one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn http() -> reqwest::Client {
    install_tls();
    reqwest::Client::new()
}

fn token_of(user: &str) -> String {
    let user = Identity::new(user, "acme");
    Verifier::sign(&SecretString::from(SECRET), &user, Duration::from_secs(600)).unwrap()
}

/// What a client can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The handshake of 2025.
    Handshake,
    /// 2026-07-28.
    Modern,
    /// 2026-07-28 with the tasks extension.
    Tasks,
    /// As `Tasks`, and it can ask its user.
    Asking,
    /// As `Tasks`, and it can only send its user to an address.
    Opening,
}

type Client = RunningService<RoleClient, ClientConfig>;

async fn client(url: &str, token: &str, kind: Kind) -> Client {
    install_tls();
    let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(token);
    let transport = StreamableHttpClientTransport::from_config(config);
    let capabilities = match kind {
        Kind::Tasks => ClientCapabilities::builder().enable_tasks().build(),
        Kind::Asking => ClientCapabilities::builder().enable_tasks().enable_elicitation().build(),
        Kind::Opening => {
            let mut capabilities = ClientCapabilities::builder().enable_tasks().build();
            let by_url = ElicitationCapability::new().with_url(UrlElicitationCapability::new());
            capabilities.elicitation = Some(by_url);
            capabilities
        }
        Kind::Handshake | Kind::Modern => ClientCapabilities::default(),
    };
    let config = ClientConfig::new(capabilities, Implementation::new("suite", "1"));
    if kind == Kind::Handshake {
        return config.serve(transport).await.unwrap();
    }
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    config.serve_with_lifecycle(transport, ClientLifecycleMode::Discover { preferred_versions }).await.unwrap()
}

fn tool_call(name: &'static str, arguments: Value) -> CallToolRequestParams {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    CallToolRequestParams::new(name).with_arguments(arguments)
}

/// Calls a tool and returns its result.
async fn call(client: &Client, name: &'static str, arguments: Value) -> CallToolResult {
    client.call_tool(tool_call(name, arguments)).await.unwrap()
}

/// The text of a result.
fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| Some(block.as_text()?.text.clone())).collect()
}
