//! `say` and `chat --talk`: messages to the assistant from the terminal.
//!
//! The answer is followed as other tasks are: its steps are shown, and what the assistant wants to do is asked here.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use serde_json::json;

use super::client::{Client, Needs};
use super::event_stream::{self, ReceivedEvents};
use super::exit::{CliError, Exit};
use super::follower::Follower;
use super::task_id::TaskList;
use super::turns::TurnPage;
use super::user_args::SayArgs;
use super::{out, params, program_name};
use crate::app::App;
use crate::assistant::find_functions;
use crate::codes;
use crate::context::{OfferedFunction, ToolKind};
use crate::function::{Registry, params_schema};
use crate::ids::RequestKey;
use crate::platform::SaidMessage;

/// Functions that are named when there is no model.
const FITTING: usize = 3;

/// `say TEXT`.
pub(super) async fn say(mut app: App, registry: Registry, args: SayArgs) -> Result<Exit, CliError> {
    args.model.apply(&mut app.settings)?;
    let text = match args.text.join(" ") {
        text if text == "-" => io::read_to_string(io::stdin())?,
        text => text,
    };
    let client = Client::connect(app, registry.clone(), &args.connect, Needs::Nothing).await?;
    let ended = answer(&client, &text, args.key.as_ref(), args.connect.json).await;
    end(client, with_functions(ended, &registry, &text)).await
}

/// `chat --talk`: one message a line, until the input ends.
pub(super) async fn talk(
    mut app: App,
    registry: Registry,
    model: &super::model_args::ModelArgs,
    connect: &super::connect_args::ConnectArgs,
) -> Result<Exit, CliError> {
    model.apply(&mut app.settings)?;
    let client = Client::connect(app, registry.clone(), connect, Needs::Nothing).await?;
    let mut exit = Exit::Success;
    loop {
        let text = match read_message().await {
            Ok(Some(text)) => text,
            Ok(None) => return end(client, Ok(exit)).await,
            Err(error) => return end(client, Err(error.into())).await,
        };
        if text.trim().is_empty() {
            continue;
        }
        let answered = answer(&client, text.trim_end(), None, connect.json).await;
        match with_functions(answered, &registry, &text) {
            Ok(Exit::Interrupted) => return end(client, Ok(Exit::Interrupted)).await,
            Ok(ended) => exit = exit.combine(ended),
            // The next message may do better, but not without a model or a platform.
            Err(error) if error.exit == Exit::Unavailable || error.has_code(&codes::NO_MODEL) => {
                return end(client, Err(error)).await;
            }
            Err(error) => out::print_error(&error, connect.json),
        }
    }
}

async fn end(client: Client, ended: Result<Exit, CliError>) -> Result<Exit, CliError> {
    if matches!(ended, Ok(Exit::Interrupted)) {
        client.abandon().await;
    } else {
        client.close().await;
    }
    ended
}

/// The next line; `None` at the end of the input.
async fn read_message() -> io::Result<Option<String>> {
    let read = tokio::task::spawn_blocking(|| {
        if io::stdin().is_terminal() {
            let mut err = io::stderr();
            let _ = write!(err, "you> ");
            let _ = err.flush();
        }
        let mut line = String::new();
        // Longer ones are refused by the platform.
        let read = io::stdin().lock().take(1 << 20).read_line(&mut line)?;
        Ok((read > 0).then_some(line))
    });
    read.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Sends a message and watches its answer.
async fn answer(client: &Client, text: &str, key: Option<&RequestKey>, as_json: bool) -> Result<Exit, CliError> {
    // Read before the message: what comes after it is then in the stream.
    let TurnPage { turns, .. } = client.get("/v1/chat/turns?latest=1").await?;
    let seen = turns.last().map_or(0, |turn| turn.seq);
    let (said, repeated): (SaidMessage, bool) = client.post_once("/v1/chat/say", &json!({"text": text}), key).await?;
    if repeated && !as_json {
        out::print_note("this key was used before: this is the answer to that message");
    }
    let TaskList { tasks } = client.get(&format!("/v1/tasks?limit=500&call_id={}", said.call_id)).await?;
    if let (true, [task]) = (repeated, tasks.as_slice())
        && !task.state.is_open()
    {
        let task = client.get(&format!("/v1/tasks/{}", task.task_id)).await?;
        return Ok(super::turns::print_ended_task(&task, as_json));
    }
    let mut follower = Follower::new(as_json, client.is_embedded())?.without_progress_lines();
    follower.watch_call(said.call_id, &tasks, said.turn.seq);
    let events = ReceivedEvents::new(event_stream::subscribe(client.api().clone(), Some(seen)));
    follower.until_done(client, events).await
}

/// The functions of this program, as they are searched.
fn offered(registry: &Registry) -> Vec<OfferedFunction> {
    let functions =
        registry.extensions().flat_map(|extension| extension.functions().iter().map(move |one| (extension, *one)));
    let offered = functions.map(|(extension, function)| OfferedFunction {
        tool: function.name.to_owned(),
        app_id: extension.app_id(),
        function: function.name,
        description: function.description,
        kind: ToolKind::Read,
        schema: params_schema(function),
        needs_form: false,
    });
    offered.collect()
}

/// Adds the functions that fit the message to the error that there is no model.
fn with_functions(ended: Result<Exit, CliError>, registry: &Registry, text: &str) -> Result<Exit, CliError> {
    let error = match ended {
        Err(error) if error.has_code(&codes::NO_MODEL) => error,
        ended => return ended,
    };
    let functions = offered(registry);
    let fitting: Vec<_> = find_functions(&functions, text).into_iter().take(FITTING).collect();
    let bin = program_name::command_line();
    let commands = fitting.iter().filter_map(|(function, _)| {
        let def = registry.extension(function.app_id)?.function(function.function)?;
        let command = format!("{bin} call {} {}", def.name, params::example(&params_schema(def)));
        Some(format!("`{}`", command.trim_end()))
    });
    let commands: Vec<_> = commands.collect();
    let hint = if commands.is_empty() {
        format!("`{bin} help` lists the functions")
    } else {
        format!("what you wrote fits {}", commands.join(", "))
    };
    Err(error.hint(hint))
}
