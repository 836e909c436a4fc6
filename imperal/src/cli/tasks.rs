//! `tasks` and `cancel`.

use serde_json::json;

use super::args::ListArgs;
use super::client::Client;
use super::connect_args::ConnectArgs;
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, Paint};
use super::table::{Cell, Table};
use super::task_id::{self, TaskList};
use super::when;
use crate::app::App;
use crate::function::Registry;
use crate::ledger::{Task, TaskState};

/// `tasks`.
pub(super) async fn tasks(app: App, registry: Registry, args: ListArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &args.connect).await?;
    let tasks = client.get(&format!("/v1/tasks?limit={}", args.limit)).await;
    client.close().await;
    let TaskList { tasks } = tasks?;
    if args.connect.json {
        tasks.iter().for_each(out::print_json);
    } else if tasks.is_empty() {
        out::print_line("There are no tasks.");
    } else {
        let style = OutputStyle::of_stdout();
        table(&tasks, style).lines(style).iter().for_each(|line| out::print_line(line));
    }
    Ok(Exit::Success)
}

fn table(tasks: &[Task], style: OutputStyle) -> Table {
    let started = if style.terminal { "STARTED" } else { "STARTED (UTC)" };
    let mut table = Table::new(&["TASK", "STATE", "DONE", started, "NAME", "STAGE"]);
    for task in tasks {
        let id = if style.terminal { task_id::short_id(task.task_id) } else { task.task_id.to_string() };
        table.add_row([
            Cell::painted(id, Paint::Dim),
            Cell::painted(task.state.as_str().replace('_', " "), paint_of(task.state)),
            Cell::plain(percent(task)),
            Cell::painted(when::format_time(task.created_at, style), Paint::Dim),
            Cell::plain(&task.name),
            Cell::plain(task.message.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

fn paint_of(state: TaskState) -> Paint {
    match state {
        TaskState::Stuck => Paint::Yellow,
        TaskState::Running | TaskState::Queued | TaskState::Waiting => Paint::Cyan,
        TaskState::Succeeded => Paint::Green,
        TaskState::Cancelled => Paint::Yellow,
        TaskState::Failed | TaskState::TimedOut | TaskState::Reclaimed => Paint::Red,
    }
}

/// How far a task is, or was when it ended. Empty for a success: its last report says less than its state.
fn percent(task: &Task) -> String {
    match task.percent {
        Some(percent) if task.state != TaskState::Succeeded => format!("{percent:.0}%"),
        _ => String::new(),
    }
}

/// `cancel TASK`.
pub(super) async fn cancel(app: App, registry: Registry, named: &str, connect: ConnectArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &connect).await?;
    let requested = request_cancel(&client, named).await;
    client.close().await;
    let task = requested?;
    if connect.json {
        out::print_json(&task);
        return Ok(Exit::Success);
    }
    let name = OutputStyle::of_stdout().sanitize_line(&task.name);
    if task.finished_at.is_some() {
        out::print_line(&format!("{name} had ended already: {}.", task.state.as_str()));
    } else {
        out::print_line(&format!("{name} was asked to stop."));
    }
    Ok(Exit::Success)
}

async fn request_cancel(client: &Client, named: &str) -> Result<Task, CliError> {
    let task_id = task_id::resolve_task(client, named).await?;
    client.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task(state: &str) -> Task {
        let id = "01a20482-1178-74f9-8951-cc3b678a7413";
        serde_json::from_value(json!({
            "task_id": id, "call_id": id, "app_id": "a", "function": "f", "name": "f", "state": state,
            "long_running": false, "percent": 66.6, "message": "Third step", "created_at": "2026-01-01T00:00:00Z",
            "deadline_at": "2026-01-01T00:03:00Z", "turn_seq": null,
        }))
        .unwrap()
    }

    #[test]
    fn success_shows_no_percentage() {
        let line = |state: &str| table(&[task(state)], OutputStyle::default()).lines(OutputStyle::default()).remove(1);
        assert!(line("running").contains("running  67%"), "{}", line("running"));
        assert!(line("failed").contains("failed  67%"), "{}", line("failed"));
        assert!(!line("succeeded").contains('%'), "{}", line("succeeded"));
    }
}
