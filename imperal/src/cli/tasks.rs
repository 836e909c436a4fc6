//! `tasks` and `cancel`.
//!
//! The API lists tasks without their results, so `tasks` reads each ended task for the first line of its outcome.

use std::collections::HashMap;

use futures_util::StreamExt;
use serde_json::json;

use super::args::ListArgs;
use super::client::{Client, Needs};
use super::connect_args::ConnectArgs;
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, Paint, count};
use super::table::{Cell, Table};
use super::task_id::{self, TaskList};
use super::task_view::{self, paint_of, time_taken};
use super::when;
use crate::app::App;
use crate::function::Registry;
use crate::ids::TaskId;
use crate::ledger::Task;

/// Requests for outcomes at the same time.
const CONCURRENT_READS: usize = 8;

/// `tasks`.
pub(super) async fn tasks(app: App, registry: Registry, args: ListArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &args.connect, Needs::Ledger).await?;
    let listed = read_tasks(&client, &args).await;
    client.close().await;
    let (tasks, outcomes) = listed?;
    if args.connect.json {
        tasks.iter().for_each(task_view::print_json);
    } else if tasks.is_empty() {
        out::print_line("There are no tasks.");
    } else {
        let style = OutputStyle::of_stdout();
        table(&tasks, &outcomes, style).lines(style).iter().for_each(|line| out::print_line(line));
    }
    Ok(Exit::Success)
}

/// The tasks, and for a table the texts of their outcomes.
async fn read_tasks(client: &Client, args: &ListArgs) -> Result<(Vec<Task>, HashMap<TaskId, String>), CliError> {
    let TaskList { tasks } = client.get(&format!("/v1/tasks?limit={}", args.limit)).await?;
    if args.connect.json {
        return Ok((tasks, HashMap::new()));
    }
    let ended: Vec<_> = tasks.iter().filter(|task| !task.state.is_open()).map(|task| task.task_id).collect();
    let read = |task_id: TaskId| async move {
        let task: Result<Task, CliError> = client.get(&format!("/v1/tasks/{task_id}")).await;
        task.map(|task| (task_id, task.result.as_ref().map_or_else(String::new, |result| result.text().to_owned())))
    };
    let read: Vec<_> = futures_util::stream::iter(ended).map(read).buffer_unordered(CONCURRENT_READS).collect().await;
    let mut outcomes = HashMap::new();
    let mut failed = Vec::new();
    for outcome in read {
        match outcome {
            Ok((task_id, text)) => drop(outcomes.insert(task_id, text)),
            Err(error) => failed.push(error),
        }
    }
    if let Some(first) = failed.first() {
        let text = format!("{} could not be read: {}", count(failed.len(), "outcome"), first.text);
        out::print_note(&OutputStyle::of_stderr().sanitize_line(&text));
    }
    Ok((tasks, outcomes))
}

fn table(tasks: &[Task], outcomes: &HashMap<TaskId, String>, style: OutputStyle) -> Table {
    let started = if style.terminal { "STARTED" } else { "STARTED (UTC)" };
    let mut table = Table::new(&["TASK", "STATE", "DONE", "TOOK", started, "NAME", "STAGE OR OUTCOME"])
        .spare(&["STARTED", "TOOK", "DONE"]);
    for task in tasks {
        let id = if style.terminal { task_id::short_id(task.task_id) } else { task.task_id.to_string() };
        let is_running = task.state.is_open();
        let said = if is_running { task.message.as_ref() } else { outcomes.get(&task.task_id) };
        table.add_row([
            Cell::painted(id, Paint::Dim),
            Cell::painted(task.state.in_words(), paint_of(task.state)),
            Cell::plain(task.percent.filter(|_| is_running).map_or_else(String::new, |done| format!("{done:.0}%"))),
            Cell::plain(time_taken(task).map_or_else(String::new, when::format_duration)),
            Cell::painted(when::format_time(task.created_at, style), Paint::Dim),
            Cell::plain(&task.name),
            Cell::plain(said.map(String::as_str).unwrap_or_default()),
        ]);
    }
    table
}

/// `cancel TASK`.
pub(super) async fn cancel(app: App, registry: Registry, named: &str, connect: ConnectArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &connect, Needs::Ledger).await?;
    let requested = request_cancel(&client, named).await;
    client.close().await;
    let task = requested?;
    if connect.json {
        task_view::print_json(&task);
        return Ok(Exit::Success);
    }
    let name = OutputStyle::of_stdout().sanitize_line(&task.name);
    if task.finished_at.is_some() {
        out::print_line(&format!("{name} had ended already: {}.", task.state.in_words()));
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
            "deadline_at": "2026-01-01T00:03:00Z", "finished_at": "2026-01-01T00:00:42Z",
        }))
        .unwrap()
    }

    #[test]
    fn ended_tasks_show_duration_and_outcome_instead_of_progress() {
        let line = |state: &str| {
            let task = task(state);
            let outcomes = HashMap::from([(task.task_id, "All done.\nMore of it.".to_owned())]);
            table(&[task], &outcomes, OutputStyle::default()).lines(OutputStyle::default()).remove(1)
        };
        assert!(line("running").contains("running  67%") && line("running").ends_with("Third step"));
        for state in ["succeeded", "failed", "timed_out"] {
            let line = line(state);
            assert!(line.contains(&format!("{}        42 s", state.replace('_', " "))), "{line}");
            assert!(line.ends_with("f     All done.…") && !line.contains('%'), "{line}");
        }
        let interrupted = line("reclaimed");
        assert!(interrupted.contains("interrupted") && !interrupted.contains("42 s"), "{interrupted}");
    }
}
