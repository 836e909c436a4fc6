//! Turns at the terminal: the chat as a list, and a single turn with its data.

use serde::Deserialize;

use super::args::ListArgs;
use super::client::Client;
use super::exit::{CliError, Exit};
use super::out::{self, Look, Paint};
use super::{data, when};
use crate::app::App;
use crate::context::MsgType;
use crate::function::Registry;
use crate::ledger::{Role, Turn};
use crate::result::WireResult;

#[derive(Deserialize)]
pub(super) struct Turns {
    pub(super) turns: Vec<Turn>,
    /// There is more: how to go on.
    pub(super) next: Option<u64>,
}

/// The latest turns, as many as asked for and there: a page may end earlier.
async fn latest(client: &Client, limit: u32) -> Result<Vec<Turn>, CliError> {
    let mut page: Turns = client.get(&format!("/v1/chat/turns?latest={limit}")).await?;
    let mut latest = page.turns;
    while let (Some(before), Some(missing @ 1..)) = (page.next, (limit as usize).checked_sub(latest.len())) {
        page = client.get(&format!("/v1/chat/turns?before={before}&limit={missing}")).await?;
        latest.splice(..0, page.turns);
    }
    Ok(latest)
}

/// `chat`.
pub(super) async fn chat(app: App, registry: Registry, args: ListArgs) -> Result<Exit, CliError> {
    let client = Client::reach(app, registry, &args.reach).await?;
    let turns = latest(&client, args.limit).await;
    client.close().await;
    let turns = turns?;
    for turn in &turns {
        if args.reach.json {
            out::json(turn);
        } else {
            out::say(&line(turn, Look::of_stdout()));
        }
    }
    if turns.is_empty() && !args.reach.json {
        out::say(&format!("The chat is empty. Run a function: `{} call FUNCTION key=value`.", super::bin()));
    }
    Ok(Exit::Done)
}

fn line(turn: &Turn, look: Look) -> String {
    let at = look.paint(Paint::Dim, &when::shown(turn.at, look));
    // A line of the text is not taken for a turn.
    let text = look.foreign(&turn.body.text).replace('\n', "\n    ");
    match turn.body.role {
        Role::User => {
            let params = turn
                .body
                .params
                .as_ref()
                .map_or_else(String::new, |params| out::one_line(&params.to_string(), 80, look));
            format!("{at}  {}  {text} {}", look.paint(Paint::Cyan, "you"), look.paint(Paint::Dim, &params))
        }
        Role::Bot => {
            let code = turn.body.result.as_ref().and_then(|result| result.error_code.as_ref());
            let code = code
                .map_or_else(String::new, |code| look.paint(Paint::Red, &format!(" [{}]", look.line(code.as_str()))));
            format!("{at}  {}  {text}{code}", look.paint(Paint::Green, "bot"))
        }
    }
}

/// How a call with this answer ends.
pub(super) fn exit_of(result: &WireResult) -> Exit {
    match &result.error_code {
        _ if result.is_success() => Exit::Done,
        Some(code) => Exit::of_code(code),
        None => Exit::Failed,
    }
}

/// A turn with the data of its answer.
pub(super) fn show(turn: &Turn, as_json: bool) {
    if as_json {
        return out::json(turn);
    }
    let look = Look::of_stdout();
    let text = look.foreign(&turn.body.text);
    if let Some(result) = &turn.body.result {
        return show_answer(result, &text, look);
    }
    let text = if turn.body.msg_type == MsgType::Response { text } else { look.paint(Paint::Dim, &text) };
    let mark = if look.terminal { format!("{} ", look.paint(Paint::Dim, "·")) } else { String::new() };
    out::say(&format!("{mark}{text}"));
}

/// An answer that has no turn at hand.
pub(super) fn show_result(result: &WireResult) {
    let text = if result.is_success() { result.summary.clone() } else { result.error.clone().unwrap_or_default() };
    show_answer(result, &Look::of_stdout().foreign(&text), Look::of_stdout());
}

fn show_answer(result: &WireResult, text: &str, look: Look) {
    let code = match &result.error_code {
        Some(code) if !result.is_success() => look.paint(Paint::Dim, &format!(" ({})", look.line(code.as_str()))),
        _ => String::new(),
    };
    let mark = match exit_of(result) {
        _ if !look.terminal => String::new(),
        Exit::Done => format!("{} ", look.paint(Paint::Green, "✓")),
        Exit::Cancelled => format!("{} ", look.paint(Paint::Yellow, "■")),
        _ => format!("{} ", look.paint(Paint::Red, "✗")),
    };
    out::say(&format!("{mark}{text}{code}"));
    for line in data::lines(&result.data, look) {
        out::say(&if look.terminal { format!("  {line}") } else { line });
    }
}
