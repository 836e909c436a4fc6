//! Turns at the terminal: the chat as a list, and a single turn with its data.

use serde::Deserialize;

use super::args::ListArgs;
use super::client::Client;
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, Paint};
use super::{data, when};
use crate::app::App;
use crate::context::MsgType;
use crate::function::Registry;
use crate::ledger::{Role, Turn};
use crate::result::WireResult;

#[derive(Deserialize)]
pub(super) struct TurnPage {
    pub(super) turns: Vec<Turn>,
    /// There is more: how to go on.
    pub(super) next: Option<u64>,
}

/// The latest turns, as many as asked for and there: a page may end earlier.
async fn latest(client: &Client, limit: u32) -> Result<Vec<Turn>, CliError> {
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
    let client = Client::connect(app, registry, &args.connect).await?;
    let turns = latest(&client, args.limit).await;
    client.close().await;
    let turns = turns?;
    for turn in &turns {
        if args.connect.json {
            out::print_json(turn);
        } else {
            out::print_line(&line(turn, OutputStyle::of_stdout()));
        }
    }
    if turns.is_empty() && !args.connect.json {
        out::print_line(&format!("The chat is empty. Run a function: `{} call FUNCTION key=value`.", super::bin()));
    }
    Ok(Exit::Success)
}

fn line(turn: &Turn, style: OutputStyle) -> String {
    let at = style.paint(Paint::Dim, &when::format_time(turn.at, style));
    // A line of the text is not taken for a turn.
    let text = style.sanitize(&turn.body.text).replace('\n', "\n    ");
    match turn.body.role {
        Role::User => {
            let params = turn
                .body
                .params
                .as_ref()
                .map_or_else(String::new, |params| out::fit_line(&params.to_string(), 80, style));
            format!("{at}  {}  {text} {}", style.paint(Paint::Cyan, "you"), style.paint(Paint::Dim, &params))
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

/// How a call with this answer ends.
pub(super) fn exit_of(result: &WireResult) -> Exit {
    match &result.error_code {
        _ if result.is_success() => Exit::Success,
        Some(code) => Exit::from_error_code(code),
        None => Exit::Failure,
    }
}

/// A turn with the data of its answer.
pub(super) fn show(turn: &Turn, as_json: bool) {
    if as_json {
        return out::print_json(turn);
    }
    let style = OutputStyle::of_stdout();
    let text = style.sanitize(&turn.body.text);
    if let Some(result) = &turn.body.result {
        return show_answer(result, &text, style);
    }
    let text = if turn.body.msg_type == MsgType::Response { text } else { style.paint(Paint::Dim, &text) };
    let mark = if style.terminal { format!("{} ", style.paint(Paint::Dim, "·")) } else { String::new() };
    out::print_line(&format!("{mark}{text}"));
}

/// An answer that has no turn at hand.
pub(super) fn show_result(result: &WireResult) {
    let text = if result.is_success() { result.summary.clone() } else { result.error.clone().unwrap_or_default() };
    show_answer(result, &OutputStyle::of_stdout().sanitize(&text), OutputStyle::of_stdout());
}

fn show_answer(result: &WireResult, text: &str, style: OutputStyle) {
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
