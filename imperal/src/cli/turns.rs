//! Turns at the terminal: the chat as a list, a turn with its data, and how turns and tasks end a command.

use serde::Deserialize;

use super::client::{Client, Needs};
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, Paint};
use super::user_args::ListArgs;
use super::{data, program_name, task_view, when};
use crate::app::App;
use crate::function::Registry;
use crate::ledger::{Role, Task, TaskState, Turn};
use crate::result::WireResult;
use crate::rows::MsgType;

/// Fewest columns that a call's parameters get in the chat.
const MIN_PARAMS: usize = 20;

/// A page of the chat.
#[derive(Deserialize)]
pub(super) struct TurnPage {
    pub(super) turns: Vec<Turn>,
    /// Where the next page starts, if there is one.
    pub(super) next: Option<u64>,
}

/// The latest turns, up to the limit. A page may have fewer than were asked for.
async fn latest_turns(client: &Client, limit: u32) -> Result<Vec<Turn>, CliError> {
    let mut page: TurnPage = client.get(&format!("/v1/chat/turns?latest={limit}")).await?;
    let mut latest = page.turns;
    while let (Some(before), Some(missing @ 1..)) = (page.next, (limit as usize).checked_sub(latest.len())) {
        page = client.get(&format!("/v1/chat/turns?before={before}&limit={missing}")).await?;
        latest.splice(..0, page.turns);
    }
    Ok(latest)
}

/// `chat`.
pub(super) async fn chat(app: App, registry: Registry, args: ListArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &args.connect, Needs::Ledger).await?;
    let turns = latest_turns(&client, args.limit).await;
    client.close().await;
    let turns = turns?;
    let widest = turns.last().map_or(0, |turn| turn.seq.to_string().len());
    for turn in &turns {
        if args.connect.json {
            out::print_json(turn);
        } else {
            out::print_line(&chat_line(turn, widest, OutputStyle::of_stdout()));
        }
    }
    if turns.is_empty() && !args.connect.json {
        out::print_line(&format!(
            "The chat is empty. Run a function: `{} call FUNCTION key=value`.",
            program_name::command_line()
        ));
    }
    Ok(Exit::Success)
}

/// A turn as a line: its number, which `show` takes, its time, and its text.
fn chat_line(turn: &Turn, widest: usize, style: OutputStyle) -> String {
    let time = when::format_time(turn.at, style);
    // A table says UTC in its head; a line of the chat has no head.
    let time = if style.terminal { time } else { format!("{time} UTC") };
    let at = style.paint(Paint::Dim, &format!("{:>widest$}  {time}", turn.seq));
    // Indented, so that no line of the text looks like a turn.
    let text = style.sanitize(&turn.body.text).replace('\n', "\n    ");
    match turn.body.role {
        Role::User => {
            let line = format!("{at}  {}  {text} ", style.paint(Paint::Cyan, "you"));
            let params = turn.body.params.as_ref().map_or_else(String::new, |params| {
                let used = console::measure_text_width(line.lines().last().unwrap_or_default());
                // A pipe has no width: nothing is cut.
                let room = style.width.map_or(usize::MAX, |width| width.saturating_sub(used).max(MIN_PARAMS));
                out::fit_line(&params.to_string(), room, style)
            });
            format!("{line}{}", style.paint(Paint::Dim, &params))
        }
        Role::Bot => {
            let code = turn.body.result.as_ref().and_then(|result| result.error_code.as_ref());
            let code = code.map_or_else(String::new, |code| {
                style.paint(Paint::Red, &format!(" [{}]", style.sanitize_line(code.as_str())))
            });
            format!("{at}  {}  {text}{code}", style.paint(Paint::Green, "bot"))
        }
    }
}

/// How a result ends a command.
pub(super) fn exit_of(result: &WireResult) -> Exit {
    match &result.error_code {
        _ if result.is_success() => Exit::Success,
        Some(code) => Exit::from_error_code(code),
        None => Exit::Failure,
    }
}

/// Prints a turn with the data of its result. `label` says whose it is; it is empty for the only one.
pub(super) fn print_turn(turn: &Turn, label: &str, as_json: bool) {
    if as_json {
        return out::print_json(turn);
    }
    let style = OutputStyle::of_stdout();
    if let Some(partial) = &turn.body.partial {
        out::print_line(&style.sanitize(partial));
    }
    let text = format!("{label}{}", style.sanitize(&turn.body.text));
    if let Some(result) = &turn.body.result {
        return print_result_as(result, &text, style);
    }
    let text = if turn.body.msg_type == MsgType::Response { text } else { style.paint(Paint::Dim, &text) };
    let mark = if style.terminal { format!("{} ", style.paint(Paint::Dim, "·")) } else { String::new() };
    out::print_line(&format!("{mark}{text}"));
}

/// How a task's state ends a command that watches it. An open task is no success: its outcome is not known.
pub(super) fn exit_of_state(state: TaskState) -> Exit {
    match state {
        TaskState::Succeeded => Exit::Success,
        TaskState::Running | TaskState::Queued | TaskState::Waiting | TaskState::Stuck => Exit::Unavailable,
        TaskState::Cancelled => Exit::Cancelled,
        TaskState::Failed | TaskState::TimedOut | TaskState::Reclaimed => Exit::Failure,
    }
}

/// Prints a task that has ended, with its result.
pub(super) fn print_ended_task(task: &Task, as_json: bool) -> Exit {
    if as_json {
        task_view::print_json(task);
    } else {
        let name = OutputStyle::of_stdout().sanitize_line(&task.name);
        out::print_line(&format!("{name} has ended already: {}.", task.state.in_words()));
        if let Some(result) = &task.result {
            print_result(result);
        }
    }
    exit_of_state(task.state)
}

/// Prints a result without its turn.
pub(super) fn print_result(result: &WireResult) {
    print_result_as(result, &OutputStyle::of_stdout().sanitize(result.text()), OutputStyle::of_stdout());
}

fn print_result_as(result: &WireResult, text: &str, style: OutputStyle) {
    let code = match &result.error_code {
        Some(code) if !result.is_success() => {
            style.paint(Paint::Dim, &format!(" ({})", style.sanitize_line(code.as_str())))
        }
        _ => String::new(),
    };
    let mark = match exit_of(result) {
        _ if !style.terminal => String::new(),
        Exit::Success => format!("{} ", style.paint(Paint::Green, "✓")),
        Exit::Cancelled => format!("{} ", style.paint(Paint::Yellow, "■")),
        _ => format!("{} ", style.paint(Paint::Red, "✗")),
    };
    out::print_line(&format!("{mark}{text}{code}"));
    for line in data::lines(&result.data, style) {
        out::print_line(&if style.terminal { format!("  {line}") } else { line });
    }
}
