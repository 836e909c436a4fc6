//! `call`: runs a function, and with `--follow` watches its tasks until their outcome.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{Client, Needs};
use super::event_stream::{self, ReceivedEvents};
use super::exit::{CliError, Exit, suggestion};
use super::follower::Follower;
use super::live_texts::LiveTexts;
use super::sse::SseMessage;
use super::task_id::{self, TaskList};
use super::user_args::CallArgs;
use super::{out, params, program_name, turns};
use crate::app::App;
use crate::function::Registry;
use crate::ids::CallId;
use crate::ledger::{DraftPiece, Role, Turn};
use crate::platform::CallReply;

/// How long the live stream may take to open before the function is called without it.
const STREAM_TIMEOUT: Duration = Duration::from_secs(5);

/// The part of `/v1/session` that a call needs.
#[derive(Deserialize)]
struct SessionInfo {
    extensions: Vec<CallableExtension>,
}

#[derive(Deserialize)]
struct CallableExtension {
    app_id: String,
    functions: Vec<CallableFunction>,
}

#[derive(Deserialize)]
struct CallableFunction {
    name: String,
    params_schema: Value,
}

/// `call FUNCTION key=value ..`.
pub(super) async fn call(app: App, registry: Registry, args: CallArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &args.connect, Needs::Nothing).await?;
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
        Some(text) => params::from_json(text, &function.params_schema)?,
        None => Value::Object(params::from_pairs(&args.pairs, &function.params_schema)?),
    };
    let body = json!({ "function": function.name, "params": params });
    let call = client.api().call_function(app_id, &body, args.key.as_ref());
    // No other process would run the work of a platform in this process, so the command waits for it.
    let (reply, events) = if args.follow || client.is_embedded() {
        // The first progress report may come before the reply, and reports are not repeated.
        let mut texts = CallTexts::new(function.name.clone(), args.connect.json);
        let (reply, events) = call_while_listening(call, open_stream(client).await, &mut texts).await?;
        texts.end();
        (reply, Some(events))
    } else {
        (call.await?, None)
    };
    if reply.repeated && !args.connect.json {
        out::print_note("this key was used before: this is the answer of that call");
    }
    let exit = turns::exit_of(&reply.result);
    turns::print_turn(&reply.turn, "", args.connect.json);
    let TaskList { tasks } = client.get(&format!("/v1/tasks?limit=500&call_id={}", reply.call_id)).await?;
    if let Some(events) = events {
        if tasks.is_empty() {
            return Ok(exit);
        }
        let mut follower = Follower::new(args.connect.json, client.is_embedded())?;
        if !args.follow {
            out::print_note("waiting for the background work of this call: no other process would run it");
            follower = follower.without_progress_lines();
        }
        follower.watch_call(reply.call_id, &tasks, reply.turn.seq);
        return Ok(exit.combine(follower.until_done(client, events).await?));
    }
    let running = tasks.iter().find(|task| task.state.is_open());
    if let Some(task) = running
        && !args.connect.json
        && out::OutputStyle::of_stdout().terminal
    {
        let (bin, id) = (program_name::command_line(), task_id::short_id(task.task_id));
        out::print_note(&format!("  {bin} follow {id}    watches it"));
    }
    Ok(exit)
}

/// The live stream from here on, once the platform sends to it.
async fn open_stream(client: &Client) -> ReceivedEvents {
    let mut events = ReceivedEvents::new(event_stream::subscribe(client.api().clone(), None));
    // A stream that does not open, because the user has too many for example, is reported after the reply.
    let _ = tokio::time::timeout(STREAM_TIMEOUT, events.receive()).await;
    events
}

/// Waits for the reply, keeps the events that come before it, and prints the text that the handler writes.
async fn call_while_listening(
    call: impl Future<Output = Result<CallReply, CliError>>,
    mut events: ReceivedEvents,
    texts: &mut CallTexts,
) -> Result<(CallReply, ReceivedEvents), CliError> {
    tokio::pin!(call);
    loop {
        let message = tokio::select! {
            reply = &mut call => return Ok((reply?, events)),
            message = events.receive() => message,
        };
        if let Some(message) = message {
            texts.take(message);
        }
    }
}

/// The texts of a handler, before its reply says which call it is: those of the calls of its function that begin now.
struct CallTexts {
    function: String,
    as_json: bool,
    calls: Vec<CallId>,
    texts: LiveTexts,
}

impl CallTexts {
    fn new(function: String, as_json: bool) -> Self {
        Self { function, as_json, calls: Vec::new(), texts: LiveTexts::default() }
    }

    /// Prints what is new. An event that cannot be read is named later, by the follower.
    fn take(&mut self, message: &SseMessage) {
        let data = message.data.as_bytes();
        match message.event.as_str() {
            "turn" => {
                let Ok(turn) = crate::json::read::<Turn>(data) else { return };
                if turn.body.role == Role::User && turn.body.function.as_deref() == Some(&self.function) {
                    self.calls.extend(turn.body.call_id);
                }
            }
            "draft" => {
                let Ok(piece) = crate::json::read::<DraftPiece>(data) else { return };
                if !piece.call_id.is_some_and(|call_id| self.calls.contains(&call_id)) {
                    return;
                }
                match self.texts.take(piece, out::OutputStyle::of_stderr()) {
                    Some((news, _)) if self.as_json => out::print_json(&news),
                    Some((_, lines)) => lines.iter().for_each(|line| eprintln!("{line}")),
                    None => {}
                }
            }
            _ => {}
        }
    }

    fn end(&mut self) {
        let rest = self.texts.end(|_| true, out::OutputStyle::of_stderr());
        if !self.as_json {
            for line in rest {
                eprintln!("{line}");
            }
        }
    }
}

fn find_function<'a>(session: &'a SessionInfo, args: &CallArgs) -> Result<(&'a str, &'a CallableFunction), CliError> {
    let all = || session.extensions.iter().flat_map(|e| e.functions.iter().map(move |f| (e.app_id.as_str(), f)));
    let found: Vec<_> = all()
        .filter(|(app_id, f)| f.name == args.function && args.app.as_deref().is_none_or(|app| app == *app_id))
        .collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let known: Vec<_> = all().map(|(_, f)| f.name.as_str()).collect();
            Err(CliError::refused(format!("there is no function `{}`; there is {}", args.function, known.join(", ")))
                .hint(suggestion(&args.function, known)))
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
