//! `mcp`: MCP over standard input and output, for clients that start a program.
//!
//! Owns no protocol: it hands each message to `/mcp` of the process that has the data folder, or of a platform in this
//! process where there is none. So every window of a client, the page and the terminal are clients of one platform.

mod config;
mod lines;
mod message;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api::ApiClient;
use super::client::Client;
use super::connect_args::{ConnectArgs, FolderArg};
use super::exit::{CliError, Exit};
#[cfg(feature = "mcp")]
use super::server_args::McpServerArgs;
use super::signals::StopSignals;
use super::sse::SseParser;
use crate::app::App;
use crate::function::Registry;
use crate::ids::RequestKey;
use crate::sync::{Mutex, MutexGuard};
pub(super) use config::ConfigFor;
use message::{Message, Said};

/// How long a message is sent again to a platform that does not answer.
const RETRY_FOR: Duration = Duration::from_secs(15);
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// How long requests may go on after the client has closed its end. Then their calls are cancelled.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Options of `mcp`.
#[derive(Debug, clap::Args)]
pub(super) struct McpArgs {
    /// Print the configuration of this client for this program, and end
    #[arg(long, value_name = "CLIENT")]
    pub(super) print_config: Option<ConfigFor>,
    #[command(flatten)]
    pub(super) folder: FolderArg,
    /// URL of a remote platform; your token for it is `IMPERAL_TOKEN`. Default: the platform of the data folder
    #[arg(long, env = "IMPERAL_URL", value_name = "URL")]
    pub(super) url: Option<String>,
    #[cfg(feature = "mcp")]
    #[command(flatten)]
    pub(super) settings: McpServerArgs,
}

pub(super) async fn mcp(
    #[cfg_attr(not(feature = "mcp"), expect(unused_mut, reason = "without MCP there is nothing to set"))] mut app: App,
    registry: Registry,
    args: McpArgs,
) -> Result<Exit, CliError> {
    if let Some(client) = args.print_config {
        return config::print(client, &registry, &args);
    }
    if args.url.is_none() && !cfg!(feature = "mcp") {
        return Err(CliError::new("this program was built without MCP")
            .hint("add the feature `mcp` to `imperal` in Cargo.toml: features = [\"mcp\"]".to_owned()));
    }
    #[cfg(feature = "mcp")]
    args.settings.apply(&mut app.mcp);
    let mut signals = StopSignals::listen()?;
    let grace = app.settings.shutdown_grace;
    let connect = ConnectArgs { folder: args.folder, url: args.url, json: false };
    let mut start = Some((app, registry));
    let mut platform = Client::connect_to_stay(&mut start, &connect).await?;
    let bridge = Bridge::new(platform.api().clone());
    tokio::select! {
        () = bridge.run(&mut platform, &mut start, &connect) => {}
        () = signals.next() => {}
    }
    platform.stop(grace).await;
    Ok(Exit::Success)
}

/// The way from a client to a platform.
#[derive(Clone)]
struct Bridge(Arc<Inner>);

struct Inner {
    /// The requests to the platform that answers now.
    api: Mutex<ApiClient>,
    /// Notified when it does not answer.
    lost: Notify,
    /// The name and version that a client gave in its handshake.
    said: Mutex<Said>,
    /// The requests of the client that have no answer yet, by id.
    open: Mutex<HashMap<String, CancellationToken>>,
    tracker: TaskTracker,
}

/// Locks a value for one short access.
fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bridge {
    fn new(api: ApiClient) -> Self {
        Self(Arc::new(Inner {
            api: Mutex::new(api),
            lost: Notify::new(),
            said: Mutex::default(),
            open: Mutex::new(HashMap::new()),
            tracker: TaskTracker::new(),
        }))
    }

    /// Hands messages on until standard input ends, and waits a moment for the last answers. A platform that has ended is
    /// replaced.
    async fn run(&self, platform: &mut Client, start: &mut Option<(App, Registry)>, connect: &ConnectArgs) {
        let mut input = lines::input();
        let (output, written) = lines::output();
        loop {
            let line = tokio::select! {
                line = input.recv() => line,
                () = self.0.lost.notified() => {
                    self.find_again(platform, start, connect).await;
                    continue;
                }
            };
            let Some(line) = line else { break };
            match Message::parse(&line) {
                Ok(message) => self.take(message, &output),
                Err(answer) => drop(output.send(answer.to_string()).await),
            }
        }
        self.0.tracker.close();
        if tokio::time::timeout(LAST_ANSWERS, self.0.tracker.wait()).await.is_err() {
            locked(&self.0.open).values().for_each(CancellationToken::cancel);
            self.0.tracker.wait().await;
        }
        drop(output);
        let _ = tokio::task::spawn_blocking(move || written.join()).await;
    }

    fn take(&self, message: Message, output: &mpsc::Sender<String>) {
        if let Some(id) = message.cancels() {
            if let Some(open) = locked(&self.0.open).get(&id) {
                open.cancel();
            }
            return;
        }
        let cancelled = CancellationToken::new();
        let key = message.id.as_ref().map(Value::to_string);
        if let Some(key) = &key {
            locked(&self.0.open).insert(key.clone(), cancelled.clone());
        }
        let (bridge, output) = (self.clone(), output.clone());
        self.0.tracker.spawn(async move {
            // Dropping the request closes its connection, which cancels its call.
            cancelled.run_until_cancelled(bridge.forward(message, &output)).await;
            if let Some(key) = key {
                locked(&bridge.0.open).remove(&key);
            }
        });
    }

    /// Sends a message until it has an answer, and hands the answer to the client.
    async fn forward(&self, mut message: Message, output: &mpsc::Sender<String>) {
        // The platform may end while it answers. Under a key, the same message can be sent again.
        message.set_key(&RequestKey::generate());
        let until = Instant::now() + RETRY_FOR;
        loop {
            let failed = match self.send(&message, output).await {
                Ok(()) => return,
                Err(failed) => failed,
            };
            if Instant::now() >= until {
                if let Some(answer) = message.failure(&failed.text) {
                    let _ = output.send(answer.to_string()).await;
                }
                return;
            }
            self.0.lost.notify_one();
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn send(&self, message: &Message, output: &mpsc::Sender<String>) -> Result<(), CliError> {
        let api = locked(&self.0.api).clone();
        let said = locked(&self.0.said).clone();
        let mut answer = api.post_mcp(&message.headers(&said), &message.body).await?;
        let is_stream =
            answer.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        if is_stream {
            let mut parser = SseParser::default();
            while let Some(bytes) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
                for event in parser.feed(&bytes)? {
                    let _ = output.send(event.data).await;
                }
            }
            return Ok(());
        }
        let status = answer.status();
        let body = super::api::read_body(answer).await?;
        if message.id.is_none() {
            return Ok(());
        }
        match crate::json::read::<Value>(&body) {
            Ok(answer) if answer.get("jsonrpc").is_some() => {
                if message.is_handshake() {
                    let version = answer["result"]["protocolVersion"].as_str().map(str::to_owned);
                    let name = message.client_name().map(str::to_owned);
                    *locked(&self.0.said) = Said { version, name };
                }
                let _ = output.send(answer.to_string()).await;
            }
            Ok(error) => {
                let text = error["error"]["message"].as_str().unwrap_or_default();
                let why = if status == 404 { "the platform was built without the feature `mcp`" } else { text };
                self.answer_failure(message, why, output).await;
            }
            Err(_) => self.answer_failure(message, &format!("the platform answered {status}"), output).await,
        }
        Ok(())
    }

    async fn answer_failure(&self, message: &Message, why: &str, output: &mpsc::Sender<String>) {
        if let Some(answer) = message.failure(why) {
            let _ = output.send(answer.to_string()).await;
        }
    }

    /// Looks for the platform again after it has ended, and starts one if no other process has.
    async fn find_again(&self, platform: &mut Client, start: &mut Option<(App, Registry)>, connect: &ConnectArgs) {
        if platform.is_embedded() {
            return;
        }
        match Client::connect_to_stay(start, connect).await {
            Ok(found) => {
                *locked(&self.0.api) = found.api().clone();
                *platform = found;
            }
            Err(error) => tracing::warn!(error = error.text, "no platform was found"),
        }
    }
}
