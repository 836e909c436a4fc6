//! `show`: one task with what happened to it, or one turn of the chat, with everything that was given and answered.
//!
//! A task is named as for `follow`, a turn by the number that `chat` prints, or by its id.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::call_search::find_call_turn;
use super::client::{Client, Needs};
use super::connect_args::ConnectArgs;
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, Paint};
use super::stored_steps::{self, StoredStep};
use super::turns::{self, TurnPage};
use super::{data, durable_words, follow_up, questions, task_id, task_view, timeline, when};
use crate::app::App;
use crate::codes;
use crate::function::Registry;
use crate::ids::{CallId, TaskId, TurnId};
use crate::ledger::{Question, Role, Task, Turn, WaitsFor};
use crate::platform::TimelineEntry;

/// Turns per request while a turn is looked for by its id.
const PAGE: u32 = 500;

/// A task or a turn with the given id.
enum Found {
    Task(Box<Task>),
    Turn(Box<Turn>),
}

/// `show TASK|TURN`.
pub(super) async fn show(app: App, registry: Registry, named: &str, connect: ConnectArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &connect, Needs::Ledger).await?;
    let read = read(&client, named).await;
    client.close().await;
    let Shown { found, params, history } = read?;
    let style = OutputStyle::of_stdout();
    match &found {
        Found::Task(task) if connect.json => {
            print_json(&*task_view::as_shown(task), params, history.as_ref())?;
        }
        Found::Turn(turn) if connect.json => print_json(turn, params, None)?,
        Found::Task(task) => print_task(task, params.as_ref(), history.as_ref(), style),
        Found::Turn(turn) => print_turn(turn, params.as_ref(), style),
    }
    Ok(Exit::Success)
}

/// The task or turn, the parameters of its call, and the history of a durable task.
struct Shown {
    found: Found,
    params: Option<Value>,
    history: Option<History>,
}

/// What is stored of a durable task, and what happened to it.
struct History {
    steps: Vec<StoredStep>,
    asked: Vec<Question>,
    timeline: Vec<TimelineEntry>,
    trace_url: Option<String>,
}

async fn read(client: &Client, named: &str) -> Result<Shown, CliError> {
    let found = find(client, named).await?;
    let (call_id, until) = match &found {
        Found::Task(task) => (Some(task.call_id), task.created_at),
        Found::Turn(turn) if turn.body.role == Role::User => {
            return Ok(Shown { found, params: None, history: None });
        }
        Found::Turn(turn) => (turn.body.call_id, turn.at),
    };
    let params = params_of(client, call_id, until).await?;
    let durable = match &found {
        Found::Task(task) if task.durable => Some(task.task_id),
        _ => None,
    };
    let history = match durable {
        Some(task_id) => {
            let steps = stored_steps::read_all(client, task_id).await?;
            let asked = questions::read(client, task_id).await?;
            let (timeline, trace_url) = timeline::read(client, task_id).await?;
            Some(History { steps, asked, timeline, trace_url })
        }
        None => None,
    };
    Ok(Shown { found, params, history })
}

async fn params_of(client: &Client, call_id: Option<CallId>, until: Timestamp) -> Result<Option<Value>, CliError> {
    let Some(call_id) = call_id else { return Ok(None) };
    Ok(find_call_turn(client, call_id, until).await?.and_then(|turn| turn.body.params))
}

async fn find(client: &Client, named: &str) -> Result<Found, CliError> {
    let number = named.trim_start_matches('#').parse::<u64>().ok();
    if let Some(number) = number
        && let Some(turn) = turn_by_number(client, number).await?
    {
        return Ok(Found::Turn(Box::new(turn)));
    }
    if let Ok(turn_id) = named.parse::<TurnId>() {
        if let Some(task) = task_by_id(client, named).await? {
            return Ok(Found::Task(Box::new(task)));
        }
        return match turn_by_id(client, turn_id).await? {
            Some(turn) => Ok(Found::Turn(Box::new(turn))),
            None => Err(CliError::refused(format!("no task and no turn has the id {named}"))),
        };
    }
    let unknown = |error: CliError| match number {
        Some(number) => CliError::refused(format!("the chat has no turn {number}; `chat` shows the numbers")),
        None => error,
    };
    let task_id = task_id::resolve_task(client, named).await.map_err(unknown)?;
    Ok(Found::Task(Box::new(client.get(&format!("/v1/tasks/{task_id}")).await?)))
}

async fn turn_by_number(client: &Client, number: u64) -> Result<Option<Turn>, CliError> {
    let Some(before) = number.checked_sub(1) else { return Ok(None) };
    let page: TurnPage = client.get(&format!("/v1/chat/turns?after={before}&limit=1")).await?;
    Ok(page.turns.into_iter().find(|turn| turn.seq == number))
}

async fn task_by_id(client: &Client, named: &str) -> Result<Option<Task>, CliError> {
    let Ok(task_id) = named.parse::<TaskId>() else { return Ok(None) };
    match client.get(&format!("/v1/tasks/{task_id}")).await {
        Ok(task) => Ok(Some(task)),
        Err(error) if error.has_code(&codes::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn turn_by_id(client: &Client, turn_id: TurnId) -> Result<Option<Turn>, CliError> {
    let mut page: TurnPage = client.get(&format!("/v1/chat/turns?latest={PAGE}")).await?;
    loop {
        if let Some(found) = page.turns.into_iter().find(|turn| turn.body.turn_id == turn_id) {
            return Ok(Some(found));
        }
        let Some(before) = page.next else { return Ok(None) };
        page = client.get(&format!("/v1/chat/turns?before={before}&limit={PAGE}")).await?;
    }
}

/// The object of the API with the parameters of its call and the history of a durable task.
fn print_json(object: &impl Serialize, params: Option<Value>, history: Option<&History>) -> Result<(), CliError> {
    let mut object = serde_json::to_value(object)?;
    if let Some(History { steps, asked, timeline, trace_url }) = history {
        if !asked.is_empty() {
            object["questions"] = serde_json::to_value(asked)?;
        }
        object["stored_steps"] = serde_json::to_value(steps)?;
        object["timeline"] = serde_json::to_value(timeline)?;
        if let Some(url) = trace_url {
            object["trace_url"] = serde_json::to_value(url)?;
        }
    }
    if let Some(params) = params {
        object["params"] = params;
    }
    out::print_json(&object);
    Ok(())
}

fn print_task(task: &Task, params: Option<&Value>, history: Option<&History>, style: OutputStyle) {
    print_title("task", &task.task_id.to_string(), &task.name, style);
    let now = Timestamp::now();
    let mut rows = vec![("state", style.paint(task_view::paint_of(task.state), task.state.in_words()))];
    if let Some(why) = durable_words::why_it_waits(task, now) {
        rows.push(("why", format!("it {why}")));
    }
    if let Some(at) = task.ready_at.filter(|_| task.waits_for == Some(WaitsFor::Time)) {
        rows.push(("until", when::format_time_to_come(at, now, style)));
    }
    if task.attempt > 1 {
        rows.push(("attempt", format!("{}, after an end of its process or a wait", task.attempt)));
    }
    rows.extend(follow_up::link(task));
    if let Some(new) = task.followed_by {
        rows.push(("followed by", format!("task {new}")));
    }
    rows.push(("function", style.sanitize_line(&task.function)));
    if let Some(queue) = &task.queue {
        rows.push(("queue", style.sanitize_line(queue)));
    }
    if let Some(key) = &task.key {
        rows.push(("key", style.sanitize_line(key)));
    }
    rows.push(("started", time(task.created_at, style)));
    if let Some(percent) = task.percent.filter(|_| task.state.is_open()) {
        let stage = style.sanitize_line(task.message.as_deref().unwrap_or_default());
        rows.push(("done", format!("{percent:.0}%  {stage}").trim_end().to_owned()));
    }
    if let Some(at) = task.cancel_requested_at {
        rows.push(("cancel asked", time(at, style)));
    }
    if let Some(at) = task.finished_at {
        rows.push(("ended", time(at, style)));
    }
    if let Some(step) = durable_words::failed_step(task) {
        rows.push(("failed at", style.sanitize_line(&step)));
    }
    let took = task_view::time_taken(task);
    let idle = task_view::time_without_process(task, now).map(when::format_duration);
    match (took, idle) {
        (Some(took), Some(idle)) => rows.push(("ran", format!("{took}, then no process for {idle}"))),
        (Some(took), None) => rows.push(("took", took)),
        (None, _) => {}
    }
    if let Some(url) = history.and_then(|history| history.trace_url.as_deref()) {
        rows.push(("traces", style.sanitize_line(url)));
    }
    print_rows(&rows, style);
    print_params(params, style);
    if let Some(History { asked, timeline, .. }) = history {
        print_timeline(timeline, asked, now, style);
    }
    if let Some(result) = &task.result {
        print_heading("outcome", style);
        turns::print_result(result);
    }
}

fn print_timeline(timeline: &[TimelineEntry], asked: &[Question], now: Timestamp, style: OutputStyle) {
    print_heading("timeline", style);
    for line in timeline::lines(timeline, asked, now, style) {
        out::print_line(&line);
    }
}

fn print_turn(turn: &Turn, params: Option<&Value>, style: OutputStyle) {
    let body = &turn.body;
    let said_by = if body.role == Role::User { "you" } else { "bot" };
    print_title("turn", &turn.seq.to_string(), said_by, style);
    let mut rows = vec![("at", time(turn.at, style))];
    if let Some(function) = &body.function {
        rows.push(("function", style.sanitize_line(function)));
    }
    if let Some(task_id) = body.task_id {
        rows.push(("task", task_id.to_string()));
    }
    print_rows(&rows, style);
    print_params(body.params.as_ref().or(params), style);
    print_heading(if body.result.is_some() { "outcome" } else { "text" }, style);
    turns::print_turn(turn, "", false);
}

fn time(at: Timestamp, style: OutputStyle) -> String {
    let shown = when::format_time(at, style);
    if style.terminal { shown } else { format!("{shown} UTC") }
}

fn print_title(kind: &str, id: &str, name: &str, style: OutputStyle) {
    let name = style.paint(Paint::Bold, &style.sanitize_line(name));
    out::print_line(&format!("{} {name}", style.paint(Paint::Dim, &format!("{kind} {id}"))));
}

fn print_rows(rows: &[(&str, String)], style: OutputStyle) {
    let widest = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in rows {
        let pad = " ".repeat(widest - name.len() + 2);
        out::print_line(&format!("  {}{pad}{value}", style.paint(Paint::Cyan, name)));
    }
}

fn print_params(params: Option<&Value>, style: OutputStyle) {
    let Some(params) = params else { return };
    print_heading("parameters", style);
    let lines = data::lines(params, style);
    if lines.is_empty() {
        out::print_line("  none");
    }
    for line in lines {
        out::print_line(&format!("  {line}"));
    }
}

fn print_heading(text: &str, style: OutputStyle) {
    out::print_line(&format!("\n{}", style.paint(Paint::Bold, text)));
}
