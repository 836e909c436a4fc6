//! `continue TASK` and `run-again TASK`: start a new task that goes on from an ended one, or runs it again.

use serde_json::json;

use super::client::{Client, Needs};
use super::connect_args::ConnectArgs;
use super::event_stream::{self, ReceivedEvents};
use super::exit::{CliError, Exit, suggestion};
use super::follower::Follower;
use super::out::{self, OutputStyle, count};
use super::turns::TurnPage;
use super::user_args::{ContinueArgs, RunAgainArgs};
use super::{program_name, stored_steps, task_id, task_view};
use crate::app::App;
use crate::function::Registry;
use crate::ids::TaskId;
use crate::ledger::{Follows, Task};

/// `continue TASK`.
pub(super) async fn continue_task(app: App, registry: Registry, args: ContinueArgs) -> Result<Exit, CliError> {
    let ContinueArgs { task, from_step, follow, connect } = args;
    let client = Client::connect(app, registry, &connect, Needs::Ledger).await?;
    let send = async {
        let ended = task_id::resolve_task(&client, &task).await?;
        let body = match &from_step {
            Some(named) => json!({ "from_step": step_number(&client, ended, named).await? }),
            None => json!({}),
        };
        client.post_once(&format!("/v1/tasks/{ended}/continue"), &body, None).await
    };
    let started = start(&client, send, (follow, &connect)).await;
    client.close().await;
    started
}

/// `run-again TASK`.
pub(super) async fn run_again(app: App, registry: Registry, args: RunAgainArgs) -> Result<Exit, CliError> {
    let RunAgainArgs { task, key, follow, connect } = args;
    let client = Client::connect(app, registry, &connect, Needs::Ledger).await?;
    let send = async {
        let ended = task_id::resolve_task(&client, &task).await?;
        client.post_once(&format!("/v1/tasks/{ended}/run-again"), &json!({}), key.as_ref()).await
    };
    let started = start(&client, send, (follow, &connect)).await;
    client.close().await;
    started
}

/// Sends the request, says what it did, and watches the new task if that is wanted.
async fn start(
    client: &Client,
    send: impl Future<Output = Result<(Task, bool), CliError>>,
    (follow, connect): (bool, &ConnectArgs),
) -> Result<Exit, CliError> {
    // Read before the start: what comes after it is then in the stream.
    let TurnPage { turns, .. } = client.get("/v1/chat/turns?latest=1").await?;
    let seen = turns.last().map_or(0, |turn| turn.seq);
    let (task, repeated) = send.await?;
    let watches = follow && !client.is_embedded() && task.state.is_open();
    let (bin, id) = (program_name::command_line(), task_id::short_id(task.task_id));
    match (connect.json, watches) {
        (true, true) => {}
        (true, false) => task_view::print_json(&task),
        (false, _) => out::print_line(&sentence(&task, repeated, OutputStyle::of_stdout())),
    }
    if !watches {
        if connect.json || !task.state.is_open() {
            return Ok(Exit::Success);
        }
        out::print_note(&if client.is_embedded() {
            format!("`{bin} dev` goes on with the task: no process runs now")
        } else {
            format!("  {bin} follow {id}    watches it")
        });
        return Ok(Exit::Success);
    }
    let mut follower = Follower::new(connect.json, false)?;
    follower.watch_tasks(std::slice::from_ref(&task));
    let events = ReceivedEvents::new(event_stream::subscribe(client.api().clone(), Some(seen)));
    follower.until_done(client, events).await
}

/// The outcome of the request.
fn sentence(task: &Task, repeated: bool, style: OutputStyle) -> String {
    let (name, id) = (style.sanitize_line(&task.name), task_id::short_id(task.task_id));
    let already = if repeated { " already" } else { "" };
    match task.follows {
        Some(Follows { through: Some(_), kept, .. }) => {
            let kept = match kept {
                0 => "no step was stored".to_owned(),
                1 => "1 step is kept and not done again".to_owned(),
                more => format!("{more} steps are kept and not done again"),
            };
            format!("{name} goes on{already} as task {id}: {kept}.")
        }
        _ => format!("{name} runs again{already} from the start, as task {id}."),
    }
}

/// The number of a step: it is given by its number, or by its name as `show` prints it.
async fn step_number(client: &Client, task_id: TaskId, named: &str) -> Result<u32, CliError> {
    if let Ok(number) = named.parse() {
        return Ok(number);
    }
    let steps = stored_steps::read_all(client, task_id).await?;
    let steps: Vec<_> = steps.into_iter().filter(stored_steps::StoredStep::is_step).collect();
    if let Some(at) = steps.iter().position(|step| step.name == named) {
        return Ok(u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1));
    }
    let text = format!("the task has no stored step `{named}`; it has {}", count(steps.len(), "stored step"));
    Err(CliError::refused(text).hint(suggestion(named, steps.iter().map(|step| step.name.as_str()))))
}

/// A link between two tasks, as `show` prints it.
pub(super) fn link(task: &Task) -> Option<(&'static str, String)> {
    let Follows { task_id: ended, through, kept } = task.follows?;
    Some(match through {
        Some(_) => ("goes on from", format!("task {ended}, {} kept", count(kept, "step"))),
        None => ("runs again", format!("task {ended}, from the start")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_start_has_a_sentence() {
        let id = "01a20482-1178-74f9-8951-cc3b678a7413";
        let task = |follows| -> Task {
            serde_json::from_value(json!({
                "task_id": id, "call_id": id, "app_id": "a", "function": "f", "name": "Order 7", "state": "queued",
                "long_running": false, "durable": true, "created_at": "2026-01-01T00:00:00Z", "follows": follows,
            }))
            .unwrap()
        };
        let said = |follows, repeated| sentence(&task(follows), repeated, OutputStyle::default());
        let on = |kept: u32| json!({ "task_id": id, "through": 4, "kept": kept });
        assert_eq!(said(on(2), false), "Order 7 goes on as task 678a7413: 2 steps are kept and not done again.");
        assert_eq!(said(on(1), true), "Order 7 goes on already as task 678a7413: 1 step is kept and not done again.");
        assert_eq!(said(on(0), false), "Order 7 goes on as task 678a7413: no step was stored.");
        assert_eq!(said(json!({ "task_id": id }), false), "Order 7 runs again from the start, as task 678a7413.");
        assert_eq!(link(&task(on(2))), Some(("goes on from", format!("task {id}, 2 steps kept"))));
        assert_eq!(link(&task(json!(null))), None);
    }
}
