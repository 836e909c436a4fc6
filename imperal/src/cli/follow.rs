//! `follow [TASK]`: watches running tasks until their outcome.

use super::client::{Client, Needs};
use super::connect_args::ConnectArgs;
use super::exit::{CliError, Exit};
use super::follower::{Follower, ReceivedEvents};
use super::task_id::{self, TaskList};
use super::turns::{self, TurnPage};
use super::{event_stream, out};
use crate::app::App;
use crate::function::Registry;
use crate::ledger::Task;

/// `follow [TASK]`.
pub(super) async fn follow(
    app: App,
    registry: Registry,
    named: Option<&str>,
    connect: &ConnectArgs,
) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, connect, Needs::Ledger).await?;
    if client.is_embedded() {
        // Starting the platform ended the tasks of the process before it, so none is running.
        let ended = show_named(&client, named, connect.json).await;
        client.close().await;
        return ended;
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

async fn show_named(client: &Client, named: Option<&str>, as_json: bool) -> Result<Exit, CliError> {
    let Some(named) = named else { return Ok(print_nothing_runs(as_json)) };
    let task_id = task_id::resolve_task(client, named).await?;
    Ok(turns::print_ended_task(&client.get::<Task>(&format!("/v1/tasks/{task_id}")).await?, as_json))
}

fn print_nothing_runs(as_json: bool) -> Exit {
    if !as_json {
        out::print_line("No task is running. `tasks` shows those that have ended.");
    }
    Exit::Success
}
