//! `tasks` and `cancel`.

use serde_json::json;

use super::args::{ConnectArgs, ListArgs};
use super::client::Client;
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, Paint};
use super::table::Table;
use super::task_id::{self, TaskList};
use super::when;
use crate::app::App;
use crate::function::Registry;
use crate::ledger::Task;

pub(super) async fn tasks(app: App, registry: Registry, args: ListArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &args.connect).await?;
    let tasks = client.get(&format!("/v1/tasks?limit={}", args.limit)).await;
    client.close().await;
    let TaskList { tasks } = tasks?;
    if args.connect.json {
        tasks.iter().for_each(out::print_json);
        return Ok(Exit::Success);
    }
    if tasks.is_empty() {
        out::print_line("There are no tasks.");
        return Ok(Exit::Success);
    }
    let style = OutputStyle::of_stdout();
    let started = if style.terminal { "STARTED" } else { "STARTED (UTC)" };
    let mut table = Table::new(&["TASK", "STATE", "DONE", started, "NAME", "STAGE"]);
    for task in &tasks {
        let id = if style.terminal { task_id::short_id(task.task_id) } else { task.task_id.to_string() };
        let percent = task.percent.map_or_else(String::new, |percent| format!("{percent:.0}%"));
        let stands = task.state.as_str().replace('_', " ");
        let stage = task.message.clone().unwrap_or_default();
        table.rows.push(vec![id, stands, percent, when::format_time(task.created_at, style), task.name.clone(), stage]);
    }
    let paint = |column, cell: &str| match (column, cell) {
        (0 | 3, _) => Some(Paint::Dim),
        (1, "running") => Some(Paint::Cyan),
        (1, "succeeded") => Some(Paint::Green),
        (1, "cancelled") => Some(Paint::Yellow),
        (1, _) => Some(Paint::Red),
        _ => None,
    };
    table.lines(style, paint).iter().for_each(|line| out::print_line(line));
    Ok(Exit::Success)
}

pub(super) async fn cancel(app: App, registry: Registry, named: &str, connect: ConnectArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &connect).await?;
    let asked = ask_to_stop(&client, named).await;
    client.close().await;
    let task = asked?;
    if connect.json {
        out::print_json(&task);
    } else if task.finished_at.is_some() {
        out::print_line(&format!(
            "{} had ended already: {}.",
            OutputStyle::of_stdout().sanitize_line(&task.name),
            task.state.as_str()
        ));
    } else {
        out::print_line(&format!("{} was asked to stop.", OutputStyle::of_stdout().sanitize_line(&task.name)));
    }
    Ok(Exit::Success)
}

async fn ask_to_stop(client: &Client, named: &str) -> Result<Task, CliError> {
    let task_id = task_id::resolve_task(client, named).await?;
    client.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await
}
