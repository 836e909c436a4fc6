//! `link`: a one-time link to the chat page.

use serde_json::{Value, json};

use super::client::{Client, Needs};
use super::connect_args::ConnectArgs;
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle};
use crate::app::App;
use crate::function::Registry;

/// `link`. Only a running platform can open its page, so none is started for it.
pub(super) async fn link(app: App, registry: Registry, connect: ConnectArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &connect, Needs::Process).await?;
    let link: Value = client.post("/v1/internal/link", &json!({})).await?;
    let link = format!("{}{}", client.url(), link["path"].as_str().unwrap_or_default());
    if connect.json {
        out::print_json(&json!({ "link": link }));
    } else {
        out::print_line(&OutputStyle::of_stdout().sanitize_line(&link));
    }
    Ok(Exit::Success)
}
