//! `follow [TASK]`: watches running tasks until their outcome.

use jiff::Timestamp;

use super::client::{Client, Needs};
use super::connect_args::ConnectArgs;
use super::event_stream::{self, ReceivedEvents};
use super::exit::{CliError, Exit};
use super::follower::Follower;
use super::out::{self, OutputStyle};
use super::task_id::{self, TaskList};
use super::turns::{self, TurnPage};
use super::{durable_words, program_name, task_view};
use crate::app::App;
use crate::function::Registry;
use crate::ledger::{Task, WaitsFor};

/// `follow [TASK]`.
pub(super) async fn follow(
    app: App,
    registry: Registry,
    named: Option<&str>,
    connect: &ConnectArgs,
) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, connect, Needs::Ledger).await?;
    if client.is_embedded() {
        let found = read_without_process(&client, named).await;
        client.close().await;
        return Ok(print_without_process(&found?, connect.json));
    }
    // Read before the tasks: an outcome that comes after the task list is then in the stream.
    let TurnPage { turns, .. } = client.get("/v1/chat/turns?latest=1").await?;
    let seen = turns.last().map_or(0, |turn| turn.seq);
    let tasks = match named {
        Some(named) => {
            let task_id = task_id::resolve_task(&client, named).await?;
            vec![client.get::<Task>(&format!("/v1/tasks/{task_id}")).await?]
        }
        None => client.get::<TaskList>("/v1/tasks/active").await?.tasks,
    };
    if tasks.is_empty() {
        return Ok(print_nothing_runs(connect.json));
    }
    if let [ended] = tasks.as_slice()
        && !ended.state.is_open()
    {
        return Ok(turns::print_ended_task(ended, connect.json));
    }
    let mut follower = Follower::new(connect.json, false)?;
    follower.watch_tasks(&tasks);
    let events = ReceivedEvents::new(event_stream::subscribe(client.api().clone(), Some(seen)));
    follower.until_done(&client, events).await
}

/// The named task, or all open ones. Starting the platform ended the background tasks of the process before it, so
/// an open task is a durable one.
async fn read_without_process(client: &Client, named: Option<&str>) -> Result<Vec<Task>, CliError> {
    let Some(named) = named else { return Ok(client.get::<TaskList>("/v1/tasks/active").await?.tasks) };
    let task_id = task_id::resolve_task(client, named).await?;
    Ok(vec![client.get(&format!("/v1/tasks/{task_id}")).await?])
}

/// Prints tasks that cannot be watched, because no process runs them.
fn print_without_process(tasks: &[Task], as_json: bool) -> Exit {
    if tasks.is_empty() {
        return print_nothing_runs(as_json);
    }
    let mut exit = Exit::Success;
    for task in tasks {
        if !task.state.is_open() {
            exit = exit.combine(turns::print_ended_task(task, as_json));
            continue;
        }
        let asks = task.waits_for == Some(WaitsFor::Answer);
        exit = exit.combine(if asks { Exit::Asks } else { turns::exit_of_state(task.state) });
        if as_json {
            task_view::print_json(task);
        } else if let Some(why) = durable_words::why_it_waits(task, Timestamp::now()) {
            let name = OutputStyle::of_stdout().sanitize_line(&task.name);
            out::print_line(&format!("{name} {why}."));
            if asks {
                let (bin, id) = (program_name::command_line(), task_id::short_id(task.task_id));
                out::print_note(&format!("  {bin} answer {id}    answers it"));
            }
        }
    }
    if matches!(exit, Exit::Unavailable | Exit::Asks) && !as_json {
        out::print_note(&format!(
            "`{} dev` starts a process that goes on with durable tasks",
            program_name::command_line()
        ));
    }
    exit
}

fn print_nothing_runs(as_json: bool) -> Exit {
    if !as_json {
        out::print_line("No task is running. `tasks` shows those that have ended.");
    }
    Exit::Success
}
