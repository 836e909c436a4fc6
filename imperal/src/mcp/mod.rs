//! The chat functions as tools for MCP clients, over Streamable HTTP.
//!
//! Owns what a client sees: tools, results, tickets and tasks. A tool call is a call of its user like any other, so the
//! ledger has all state: there are no sessions, and any node answers any request. It knows no routes and no tokens:
//! the gateway hands it a request of a user that it has checked.

mod answer;
mod auth_issuer;
mod client_name;
mod face;
mod images;
mod questions;
mod tools;
mod work;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rmcp::model::{Icon, Implementation, ServerCapabilities, ServerConfig};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::platform::{Access, Platform};
pub(crate) use auth_issuer::METADATA;
pub use auth_issuer::{AuthIssuer, NotAServer};
pub(crate) use client_name::of_user_agent;
use face::Face;
use tools::Tools;

/// Largest icon that is sent with the description of the server, in bytes.
const ICON_LIMIT: usize = 16 << 10;

/// Longest time that a client waits for work.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// How MCP clients are served at `/mcp`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct McpSettings {
    /// How long a client waits for work before it gets a ticket: up to an hour. 45 s, because many clients give up after
    /// 60 s.
    pub wait: Duration,
    /// Whether clients may run functions with the action type `destructive`.
    pub destructive: Destructive,
    /// Where clients get tokens by themselves. Without it they need a token in their configuration.
    pub auth_issuer: Option<AuthIssuer>,
}

/// Whether MCP clients may run destructive functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Destructive {
    /// A call answers with the address of the chat page, where the user runs the function.
    Confirm,
    /// A call runs. The client alone decides whether it asks its user.
    Allow,
}

impl Default for McpSettings {
    fn default() -> Self {
        Self { wait: Duration::from_secs(45), destructive: Destructive::Confirm, auth_issuer: None }
    }
}

/// A request to `/mcp`, whose user is known.
pub(crate) struct McpRequest {
    /// The user.
    pub(crate) access: Access,
    /// The request with its whole body.
    pub(crate) http: http::Request<Bytes>,
    /// The address of the chat page.
    pub(crate) page: String,
    /// An estimate of the memory that the parsed body takes.
    pub(crate) memory: u64,
    /// The name of the client by its headers.
    pub(crate) client: Option<String>,
    /// Whether closing the connection cancels the request in every version of the protocol.
    pub(crate) cancels: bool,
}

/// The face of a platform for MCP clients.
pub(crate) struct Mcp {
    settings: McpSettings,
    tools: Tools,
    config: ServerConfig,
}

impl Mcp {
    /// The face of this platform.
    pub(crate) fn new(platform: &Platform, mut settings: McpSettings) -> Self {
        // A wait without an end would overflow the clock.
        settings.wait = settings.wait.min(LONGEST_WAIT);
        Self { tools: Tools::of(platform, &settings), settings, config: server_config(platform) }
    }

    /// Where clients get tokens.
    pub(crate) fn auth_issuer(&self) -> Option<&AuthIssuer> {
        self.settings.auth_issuer.as_ref()
    }

    /// Answers a request.
    pub(crate) async fn respond(self: &Arc<Self>, request: McpRequest) -> http::Response<Body> {
        let McpRequest { access, http, page, memory, client, cancels } = request;
        let face = Face { mcp: self.clone(), access, page, memory, client, cancels };
        // The gateway checks host, origin and size before this.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .with_legacy_session_mode(false)
            .with_json_response(true);
        let service =
            StreamableHttpService::new(move || Ok(face.clone()), Arc::<NeverSessionManager>::default(), config);
        service.handle(http.map(http_body_util::Full::new)).await
    }
}

/// The body of a response.
pub(crate) type Body = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;

impl fmt::Debug for Mcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mcp").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The server's name and description: those of the extension, or of all of them together.
fn server_config(platform: &Platform) -> ServerConfig {
    let extensions: Vec<_> = platform.registry().extensions().map(crate::function::Extension::def).collect();
    let capabilities = ServerCapabilities::builder().enable_tools().enable_tasks().build();
    let info = match extensions.as_slice() {
        [one] => {
            let info =
                Implementation::new(one.app_id, one.version).with_title(one.name).with_description(one.description);
            match icon(one.icon_svg) {
                Some(icon) => info.with_icons(vec![icon]),
                None => info,
            }
        }
        _ => Implementation::new("imperal", env!("CARGO_PKG_VERSION")),
    };
    let texts: Vec<String> = extensions.iter().map(|def| format!("{}: {}", def.name, def.description)).collect();
    ServerConfig::new(capabilities).with_server_info(info).with_instructions(texts.join("\n"))
}

fn icon(svg: &str) -> Option<Icon> {
    use base64::Engine;
    if svg.is_empty() || svg.len() > ICON_LIMIT {
        return None;
    }
    let data = base64::engine::general_purpose::STANDARD.encode(svg);
    let icon = Icon::new(format!("data:image/svg+xml;base64,{data}"));
    Some(icon.with_mime_type("image/svg+xml").with_sizes(vec!["any".to_owned()]))
}
