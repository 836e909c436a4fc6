//! `tasks` and `cancel`.
//!
//! The API lists tasks without their results, so `tasks` reads each ended task for the first line of its outcome.

use std::collections::HashMap;

use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::json;

use super::client::{Client, Needs};
use super::connect_args::ConnectArgs;
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, Paint, count};
use super::table::{Cell, Table};
use super::task_id::{self, TaskList};
use super::task_view::{self, paint_of, time_taken};
use super::user_args::ListArgs;
use super::{durable_words, when};
use crate::app::App;
use crate::function::Registry;
use crate::ids::TaskId;
use crate::ledger::{Task, TaskState};

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
        table(&tasks, &outcomes, Timestamp::now(), style).lines(style).iter().for_each(|line| out::print_line(line));
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

/// The column of steps is there if one of the tasks has steps.
fn table(tasks: &[Task], outcomes: &HashMap<TaskId, String>, now: Timestamp, style: OutputStyle) -> Table {
    let started = if style.terminal { "STARTED" } else { "STARTED (UTC)" };
    let has_steps = tasks.iter().any(|task| task.durable);
    let mut heads = vec!["TASK", "STATE", "DONE", "TOOK", started, "NAME"];
    heads.extend(has_steps.then_some("STEP"));
    heads.push("STAGE OR OUTCOME");
    let mut table = Table::new(&heads).spare(&["STARTED", "TOOK", "DONE", "STEP"]);
    for task in tasks {
        let id = if style.terminal { task_id::short_id(task.task_id) } else { task.task_id.to_string() };
        let is_open = task.state.is_open();
        let said = if is_open { task.message.as_ref() } else { outcomes.get(&task.task_id) };
        let mut cells = vec![
            Cell::painted(id, Paint::Dim),
            Cell::painted(durable_words::state(task, now, style), paint_of(task.state)),
            Cell::plain(task.percent.filter(|_| is_open).map_or_else(String::new, |done| format!("{done:.0}%"))),
            Cell::plain(time_taken(task).unwrap_or_default()),
            Cell::painted(when::format_time(task.created_at, style), Paint::Dim),
            Cell::plain(&task.name),
        ];
        if has_steps {
            cells.push(Cell::plain(task.steps.as_ref().map_or_else(String::new, durable_words::step_in_column)));
        }
        cells.push(Cell::plain(said.map(String::as_str).unwrap_or_default()));
        table.add_row(cells);
    }
    table
}

/// `cancel TASK`.
pub(super) async fn cancel(app: App, registry: Registry, named: &str, connect: ConnectArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &connect, Needs::Ledger).await?;
    let requested = request_cancel(&client, named).await;
    client.close().await;
    let (before, task) = requested?;
    if connect.json {
        task_view::print_json(&task);
    } else {
        let name = OutputStyle::of_stdout().sanitize_line(&task.name);
        out::print_line(&format!("{name} {}", what_cancel_did(before.as_ref(), &task)));
    }
    Ok(Exit::Success)
}

/// The task before the request, if it was open, and after it.
async fn request_cancel(client: &Client, named: &str) -> Result<(Option<Task>, Task), CliError> {
    let task_id = task_id::resolve_task(client, named).await?;
    // From the list: to read another user's task would be refused and audited before the request is.
    let TaskList { tasks } = client.get("/v1/tasks/active").await?;
    let before = tasks.into_iter().find(|task| task.task_id == task_id);
    let after = client.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await?;
    Ok((before, after))
}

/// A clause after the task's name.
fn what_cancel_did(before: Option<&Task>, after: &Task) -> String {
    match after.state {
        TaskState::Running => "was asked to stop.".to_owned(),
        // Its call has no reply yet, and no outcome comes before that.
        state if state.is_open() => "was asked to stop: it ends when a process takes it up.".to_owned(),
        // A process that held it would have been asked.
        TaskState::Cancelled if before.is_some_and(|task| !task.state.is_held()) => {
            "was cancelled: no process ran it.".to_owned()
        }
        state => format!("had ended already: {}.", state.in_words()),
    }
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
            table(&[task], &outcomes, Timestamp::UNIX_EPOCH, OutputStyle::default())
                .lines(OutputStyle::default())
                .remove(1)
        };
        assert!(line("running").contains("running  67%") && line("running").ends_with("Third step"));
        for state in ["succeeded", "failed", "timed_out"] {
            let line = line(state);
            assert!(line.contains(&format!("{}        42 s", state.replace('_', " "))), "{line}");
            assert!(line.ends_with("f     All done.…") && !line.contains('%'), "{line}");
        }
        let interrupted = line("reclaimed");
        assert!(interrupted.contains("interrupted  ") && interrupted.contains("  within 42 s"), "{interrupted}");
    }
    #[test]
    fn durable_tasks_have_a_column_of_steps() {
        let mut durable = task("running");
        durable.durable = true;
        durable.steps = serde_json::from_value(json!({
            "done": 3, "current": [{ "name": "charge", "since": "2026-01-01T00:00:10Z", "attempt": 3, "of_attempts": 5 }],
        }))
        .unwrap();
        let lines = |tasks: &[Task]| {
            let now = "2026-01-01T00:00:30Z".parse().unwrap();
            table(tasks, &HashMap::new(), now, OutputStyle::default()).lines(OutputStyle::default())
        };
        let shown = lines(&[durable.clone(), task("succeeded")]);
        assert!(shown[0].contains("STEP") && shown[1].contains("4 charge (attempt 3/5)  Third step"), "{shown:?}");
        assert!(!lines(&[task("running")])[0].contains("STEP"));
        durable.state = TaskState::Queued;
        durable.waits_for = Some(crate::ledger::WaitsFor::Retry);
        durable.ready_at = Some("2026-01-01T00:00:50Z".parse().unwrap());
        assert!(lines(&[durable])[1].contains("  retry in 20 s  "));
    }

    #[test]
    fn cancel_says_what_it_did_in_each_state() {
        let did = |before, after| {
            what_cancel_did(Some(task(before)).filter(|task| task.state.is_open()).as_ref(), &task(after))
        };
        assert_eq!(did("running", "running"), "was asked to stop.");
        assert_eq!(did("queued", "cancelled"), "was cancelled: no process ran it.");
        assert_eq!(did("waiting", "cancelled"), "was cancelled: no process ran it.");
        assert_eq!(did("stuck", "cancelled"), "was cancelled: no process ran it.");
        assert_eq!(did("queued", "queued"), "was asked to stop: it ends when a process takes it up.");
        assert_eq!(did("queued", "running"), "was asked to stop.");
        assert_eq!(did("cancelled", "cancelled"), "had ended already: cancelled.");
        assert_eq!(did("running", "succeeded"), "had ended already: succeeded.");
    }
}
