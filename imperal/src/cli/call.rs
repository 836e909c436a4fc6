//! `call`: runs a function, and with `--follow` watches its tasks until their outcome.

use std::collections::HashMap;
use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::CliError;
use super::args::CallArgs;
use super::client::Client;
use super::out;
use super::sse::{Message, Parser};
use crate::app::App;
use crate::function::Registry;
use crate::ids::{CallId, TaskId};
use crate::ledger::{Progress, Task, TaskState, Turn};
use crate::platform::CallReply;

#[derive(Deserialize)]
struct Session {
    extensions: Vec<Extension>,
}

#[derive(Deserialize)]
struct Extension {
    app_id: String,
    functions: Vec<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    params_schema: Value,
}

pub(super) async fn call(app: App, registry: Registry, args: CallArgs) -> Result<ExitCode, CliError> {
    let client = Client::reach(app, registry, &args.reach).await?;
    match run(&client, &args).await {
        Ok(Some(code)) => Ok(client.close(code).await),
        Ok(None) => {
            client.abandon().await;
            Ok(ExitCode::from(130))
        }
        Err(error) => {
            client.close(ExitCode::FAILURE).await;
            Err(error)
        }
    }
}

/// `None` when the person at the terminal would not wait.
async fn run(client: &Client, args: &CallArgs) -> Result<Option<ExitCode>, CliError> {
    let session: Session = client.get("/v1/session").await?;
    let (app_id, function) = choose(&session, args)?;
    let params = match &args.params {
        Some(text) => {
            serde_json::from_str(text).map_err(|error| CliError::new(format!("--params is not JSON: {error}")))?
        }
        None => Value::Object(pairs(&args.pairs, &function.params_schema)?),
    };
    let body = json!({ "function": function.name, "params": params });
    let reply: CallReply = client.post(&format!("/v1/extensions/{app_id}/call"), &body).await?;
    let mut success = reply.result.is_success();
    show_turn(&reply.turn, args.reach.json);
    let tasks: Tasks = client.get("/v1/tasks?limit=500").await?;
    let mine: Vec<Task> = tasks.tasks.into_iter().filter(|task| task.call_id == reply.call_id).collect();
    if args.follow && !mine.is_empty() {
        let follow = Follow::new(reply.call_id, &mine, args.reach.json);
        tokio::select! {
            followed = follow.until_done(client, reply.turn.seq) => success &= followed?,
            _ = tokio::signal::ctrl_c() => {
                if client.is_ours() {
                    eprintln!("interrupted: the work ran in this process");
                    return Ok(None);
                }
                eprintln!("not watching any more; the work goes on. `tasks` shows it, `cancel TASK` stops it");
            }
        }
    } else if client.is_ours() && mine.iter().any(|task| task.state == TaskState::Running) {
        eprintln!("waiting for the background work of this call: no other process would run it (--follow shows it)");
    }
    Ok(Some(if success { ExitCode::SUCCESS } else { ExitCode::FAILURE }))
}

#[derive(Deserialize)]
struct Tasks {
    tasks: Vec<Task>,
}

fn choose<'a>(session: &'a Session, args: &CallArgs) -> Result<(&'a str, &'a Function), CliError> {
    let all = || session.extensions.iter().flat_map(|e| e.functions.iter().map(move |f| (e.app_id.as_str(), f)));
    let found: Vec<_> = all()
        .filter(|(app_id, f)| f.name == args.function && args.app.as_deref().is_none_or(|app| app == *app_id))
        .collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let known: Vec<_> = all().map(|(_, f)| f.name.as_str()).collect();
            Err(CliError::new(format!("there is no function `{}`; there is {}", args.function, known.join(", "))))
        }
        several => {
            let apps: Vec<_> = several.iter().map(|(app_id, _)| *app_id).collect();
            Err(CliError::new(format!(
                "several extensions have `{}`: choose with --app: {}",
                args.function,
                apps.join(", ")
            )))
        }
    }
}

/// `key=value` by the schema: what it wants as text stays text, the rest is read as JSON.
fn pairs(pairs: &[String], schema: &Value) -> Result<Map<String, Value>, CliError> {
    let mut params = Map::new();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(CliError::new(format!("`{pair}` is not key=value")));
        };
        let known = schema["properties"].as_object();
        if known.is_some_and(|known| !known.contains_key(key)) && !schema["additionalProperties"].is_object() {
            let known: Vec<_> = known.into_iter().flat_map(|known| known.keys().map(String::as_str)).collect();
            return Err(CliError::new(format!("the function has no parameter `{key}`; it has {}", known.join(", "))));
        }
        let value = match value.strip_prefix('@') {
            Some("-") => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                text
            }
            Some(path) => std::fs::read_to_string(path).map_err(|error| CliError::new(format!("{path}: {error}")))?,
            None => value.to_owned(),
        };
        let value = if wants_text(&schema["properties"][key]) {
            Value::String(value)
        } else {
            serde_json::from_str(&value).unwrap_or(Value::String(value))
        };
        if params.insert(key.to_owned(), value).is_some() {
            return Err(CliError::new(format!("`{key}` is given twice")));
        }
    }
    Ok(params)
}

fn wants_text(schema: &Value) -> bool {
    match &schema["type"] {
        Value::String(one) => one == "string",
        Value::Array(several) => several.contains(&Value::from("string")),
        _ => schema["anyOf"].as_array().is_some_and(|forms| forms.iter().any(wants_text)),
    }
}

fn show_turn(turn: &Turn, as_json: bool) {
    if as_json {
        return out::json(turn);
    }
    out::say(&turn.body.text);
    let data = turn.body.result.as_ref().map(|result| &result.data);
    if let Some(data) = data.filter(|data| data.as_object().is_none_or(|fields| !fields.is_empty())) {
        out::say(&serde_json::to_string_pretty(data).unwrap_or_default());
    }
}

/// Watches one call's tasks.
struct Follow {
    call_id: CallId,
    as_json: bool,
    bars: MultiProgress,
    open: HashMap<TaskId, ProgressBar>,
    success: bool,
    seen: u64,
}

impl Follow {
    fn new(call_id: CallId, tasks: &[Task], as_json: bool) -> Self {
        let mut follow =
            Self { call_id, as_json, bars: MultiProgress::new(), open: HashMap::new(), success: true, seen: 0 };
        // Also those that have ended by now: their outcome comes with the stream.
        for task in tasks {
            follow.open_task(task);
        }
        follow
    }

    fn open_task(&mut self, task: &Task) {
        if self.open.contains_key(&task.task_id) {
            return;
        }
        let bar = if self.as_json || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            self.bars.add(ProgressBar::new(100))
        };
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:30}] {pos:>3}% {elapsed} {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(task.name.clone());
        bar.enable_steady_tick(std::time::Duration::from_millis(250));
        self.open.insert(task.task_id, bar);
    }

    async fn until_done(mut self, client: &Client, after: u64) -> Result<bool, CliError> {
        self.seen = after;
        let mut failures = 0;
        while !self.open.is_empty() {
            match self.watch(client).await {
                Ok(()) => failures = 0,
                Err(error) if failures >= 20 => return Err(error),
                Err(_) => {
                    // The process may be starting again; the stream goes on where it was cut.
                    failures += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                }
            }
        }
        Ok(self.success)
    }

    async fn watch(&mut self, client: &Client) -> Result<(), CliError> {
        let mut stream = client.stream(self.seen).await?;
        let mut parser = Parser::default();
        while let Some(bytes) = stream.chunk().await? {
            for message in parser.feed(&bytes)? {
                self.hear(&message)?;
            }
            if self.open.is_empty() {
                return Ok(());
            }
        }
        Err(CliError::new("the stream ended"))
    }

    fn hear(&mut self, message: &Message) -> Result<(), CliError> {
        match message.event.as_str() {
            "progress" => {
                let progress: Progress = serde_json::from_str(&message.data)?;
                if let Some(bar) = self.open.get(&progress.task_id) {
                    if self.as_json {
                        out::json(&progress);
                    } else if bar.is_hidden() {
                        eprintln!("{:>3.0}%  {}", progress.percent, progress.message);
                    }
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
                    bar.set_position(progress.percent as u64);
                    bar.set_message(progress.message);
                }
            }
            "task" => {
                let task: Task = serde_json::from_str(&message.data)?;
                if task.call_id == self.call_id && task.state == TaskState::Running {
                    self.open_task(&task);
                }
            }
            "turn" => {
                let turn: Turn = serde_json::from_str(&message.data)?;
                self.seen = turn.seq;
                if turn.body.call_id == Some(self.call_id) {
                    self.take_turn(&turn);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take_turn(&mut self, turn: &Turn) {
        self.bars.suspend(|| show_turn(turn, self.as_json));
        // An outcome has a result; an announcement midway has none.
        if let (Some(task_id), Some(result)) = (turn.body.task_id, &turn.body.result) {
            self.success &= result.is_success();
            if let Some(bar) = self.open.remove(&task_id) {
                bar.finish_and_clear();
            }
        }
    }
}
