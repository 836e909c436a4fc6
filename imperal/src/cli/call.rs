//! `call`: runs a function, and with `--follow` watches its tasks until their outcome.

use serde::Deserialize;
use serde_json::{Value, json};

use super::args::CallArgs;
use super::client::Client;
use super::exit::{CliError, Exit, guess};
use super::follow::Follower;
use super::task_id::{self, TaskList};
use super::{out, params, turns};
use crate::app::App;
use crate::function::Registry;
use crate::ledger::TaskState;

#[derive(Deserialize)]
struct SessionInfo {
    extensions: Vec<ExtensionInfo>,
}

#[derive(Deserialize)]
struct ExtensionInfo {
    app_id: String,
    functions: Vec<FunctionInfo>,
}

#[derive(Deserialize)]
struct FunctionInfo {
    name: String,
    params_schema: Value,
}

pub(super) async fn call(app: App, registry: Registry, args: CallArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &args.connect).await?;
    let ended = run(&client, &args).await;
    if matches!(ended, Ok(Exit::Interrupted)) {
        client.abandon().await;
    } else {
        client.close().await;
    }
    ended
}

async fn run(client: &Client, args: &CallArgs) -> Result<Exit, CliError> {
    let session: SessionInfo = client.get("/v1/session").await?;
    let (app_id, function) = find_function(&session, args)?;
    let params = match &args.params {
        Some(text) => crate::json::read(text.as_bytes())
            .map_err(|error| CliError::usage(format!("--params is not JSON: {error}")))?,
        None => Value::Object(params::from_pairs(&args.pairs, &function.params_schema)?),
    };
    let body = json!({ "function": function.name, "params": params });
    let reply = client.api().call(app_id, &body, args.key.as_ref()).await?;
    if reply.repeated && !args.connect.json {
        out::print_note("run before under this key: this is what it answered then");
    }
    let exit = turns::exit_of(&reply.result);
    turns::show(&reply.turn, args.connect.json);
    let TaskList { tasks: mine } = client.get(&format!("/v1/tasks?limit=500&call_id={}", reply.call_id)).await?;
    if args.follow && !mine.is_empty() {
        let follower = Follower::new(Some(reply.call_id), &mine, args.connect.json, client.is_embedded())?;
        return Ok(exit.combine(follower.until_done(client, reply.turn.seq).await?));
    }
    let running: Vec<_> = mine.iter().filter(|task| task.state == TaskState::Running).collect();
    if client.is_embedded() && !running.is_empty() {
        out::print_note(
            "waiting for the background work of this call: no other process would run it (--follow shows it)",
        );
    } else if let Some(first) = running.first().filter(|_| !args.connect.json && out::OutputStyle::of_stdout().terminal)
    {
        out::print_note(&format!("  {} follow {}    watches it", super::bin(), task_id::short_id(first.task_id)));
    }
    Ok(exit)
}

fn find_function<'a>(session: &'a SessionInfo, args: &CallArgs) -> Result<(&'a str, &'a FunctionInfo), CliError> {
    let all = || session.extensions.iter().flat_map(|e| e.functions.iter().map(move |f| (e.app_id.as_str(), f)));
    let found: Vec<_> = all()
        .filter(|(app_id, f)| f.name == args.function && args.app.as_deref().is_none_or(|app| app == *app_id))
        .collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let known: Vec<_> = all().map(|(_, f)| f.name.as_str()).collect();
            Err(CliError::refused(format!("there is no function `{}`; there is {}", args.function, known.join(", ")))
                .hint(guess(&args.function, known)))
        }
        several => {
            let apps: Vec<_> = several.iter().map(|(app_id, _)| *app_id).collect();
            Err(CliError::refused(format!(
                "several extensions have `{}`: choose with --app: {}",
                args.function,
                apps.join(", ")
            )))
        }
    }
}
