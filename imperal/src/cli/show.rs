//! `show`: one task, or one turn of the chat, with everything that was given and answered.
//!
//! A task is named as for `follow`, a turn by the number that `chat` prints, or by its id.

use console::measure_text_width;
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
use super::{answer_text, data, durable_words, questions, task_id, task_view, when};
use crate::app::App;
use crate::codes;
use crate::function::Registry;
use crate::ids::{CallId, TaskId, TurnId};
use crate::ledger::{Question, QuestionState, Role, Task, Turn, WaitsFor};

/// Turns per request while a turn is looked for by its id.
const PAGE: u32 = 500;

/// Widest column of the names of steps.
const STEP_NAME_WIDTH: usize = 40;

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
    let Shown { found, params, steps, asked } = read?;
    let style = OutputStyle::of_stdout();
    match &found {
        Found::Task(task) if connect.json => {
            print_json(&*task_view::as_shown(task), params, steps.as_deref(), asked.as_deref())?;
        }
        Found::Turn(turn) if connect.json => print_json(turn, params, None, None)?,
        Found::Task(task) => print_task(task, params.as_ref(), steps.as_deref(), asked.as_deref(), style),
        Found::Turn(turn) => print_turn(turn, params.as_ref(), style),
    }
    Ok(Exit::Success)
}

/// The task or turn, the parameters of its call, and the stored steps and the questions of a durable task.
struct Shown {
    found: Found,
    params: Option<Value>,
    steps: Option<Vec<StoredStep>>,
    asked: Option<Vec<Question>>,
}

async fn read(client: &Client, named: &str) -> Result<Shown, CliError> {
    let found = find(client, named).await?;
    let (call_id, until) = match &found {
        Found::Task(task) => (Some(task.call_id), task.created_at),
        Found::Turn(turn) if turn.body.role == Role::User => {
            return Ok(Shown { found, params: None, steps: None, asked: None });
        }
        Found::Turn(turn) => (turn.body.call_id, turn.at),
    };
    let params = params_of(client, call_id, until).await?;
    let durable = match &found {
        Found::Task(task) if task.durable => Some(task.task_id),
        _ => None,
    };
    let (steps, asked) = match durable {
        Some(task_id) => {
            let steps = stored_steps::read_all(client, task_id).await?;
            (Some(steps), Some(questions::read(client, task_id).await?).filter(|asked| !asked.is_empty()))
        }
        None => (None, None),
    };
    Ok(Shown { found, params, steps, asked })
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

/// The object of the API with the parameters of its call and the stored steps.
fn print_json(
    object: &impl Serialize,
    params: Option<Value>,
    steps: Option<&[StoredStep]>,
    asked: Option<&[Question]>,
) -> Result<(), CliError> {
    let mut object = serde_json::to_value(object)?;
    if let Some(asked) = asked {
        object["questions"] = serde_json::to_value(asked)?;
    }
    if let Some(steps) = steps {
        object["stored_steps"] = serde_json::to_value(steps)?;
    }
    if let Some(params) = params {
        object["params"] = params;
    }
    out::print_json(&object);
    Ok(())
}

fn print_task(
    task: &Task,
    params: Option<&Value>,
    steps: Option<&[StoredStep]>,
    asked: Option<&[Question]>,
    style: OutputStyle,
) {
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
    rows.push(("function", style.sanitize_line(&task.function)));
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
    if let Some(took) = task_view::time_taken(task) {
        rows.push(("took", when::format_duration(took)));
    }
    print_rows(&rows, style);
    print_params(params, style);
    if let Some(steps) = steps {
        print_steps(task, steps, now, style);
    }
    if let Some(asked) = asked {
        print_questions(asked, style);
    }
    if let Some(result) = &task.result {
        print_heading("outcome", style);
        turns::print_result(result);
    }
}

/// Stored steps with the times they took, and those that run. A kept step was stored by an earlier attempt.
fn print_steps(task: &Task, stored: &[StoredStep], now: Timestamp, style: OutputStyle) {
    print_heading("steps", style);
    let steps = || stored.iter().filter(|step| step.is_step());
    let widest = steps().map(|step| measure_text_width(&style.sanitize_line(&step.name))).max().unwrap_or(0);
    let widest = widest.min(STEP_NAME_WIDTH);
    for step in steps() {
        let name = style.sanitize_line(&step.name);
        let pad = " ".repeat(widest.saturating_sub(measure_text_width(&name)));
        let attempt = match task.attempt {
            ..=1 => String::new(),
            latest if step.attempt < latest => format!("  attempt {}, kept", step.attempt),
            latest => format!("  attempt {latest}"),
        };
        let mark = if style.terminal { style.paint(Paint::Green, "✓") } else { "done".to_owned() };
        let took = format!("{:>7}", when::format_duration(step.took()));
        out::print_line(&format!("  {mark} {name}{pad}  {took}{}", style.paint(Paint::Dim, &attempt)));
    }
    let running = task.steps.iter().filter(|_| task.state.is_held()).flat_map(|steps| &steps.current);
    let mut is_empty = steps().next().is_none();
    for step in running {
        let mark = if style.terminal { style.paint(Paint::Cyan, "◌") } else { "runs".to_owned() };
        out::print_line(&format!("  {mark} {}", style.sanitize_line(&durable_words::step_now(step, now))));
        is_empty = false;
    }
    if is_empty {
        out::print_line("  none");
    }
}

/// Each question with what became of it; one that is open with what it takes, and until when.
fn print_questions(asked: &[Question], style: OutputStyle) {
    print_heading("questions", style);
    for question in asked {
        let is_open = question.state == QuestionState::Open;
        let (paint, sign, word) = if is_open { (Paint::Yellow, "?", "open") } else { (Paint::Green, "✓", "done") };
        let mark = if style.terminal { style.paint(paint, sign) } else { word.to_owned() };
        let name = style.sanitize_line(&question.name);
        let text = style.sanitize_line(question.text.trim());
        out::print_line(&format!("  {mark} {name}  {text}"));
        let what = if is_open {
            let takes = style.sanitize_line(&answer_text::takes(&question.schema));
            format!("{takes}; {}", questions::deadline(question, Timestamp::now(), style))
        } else {
            questions::end(question, style)
        };
        out::print_line(&format!("      {what}"));
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
