//! `chat`, `tasks`, `cancel`, `audit`, `link`: the ledger from the terminal.

use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Value, json};

use super::CliError;
use super::args::{ListArgs, Reach};
use super::client::Client;
use super::out;
use crate::app::App;
use crate::function::Registry;
use crate::ids::TaskId;
use crate::ledger::{AuditCheck, AuditRow, Role, Task, Turn};

#[derive(Deserialize)]
struct Turns {
    turns: Vec<Turn>,
}

#[derive(Deserialize)]
struct Tasks {
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Rows {
    rows: Vec<AuditRow>,
}

pub(super) async fn chat(app: App, registry: Registry, args: ListArgs) -> Result<ExitCode, CliError> {
    let client = Client::reach(app, registry, &args.reach).await?;
    let Turns { turns } = client.get(&format!("/v1/chat/turns?latest={}", args.limit)).await?;
    for turn in &turns {
        if args.reach.json {
            out::json(turn);
        } else {
            out::say(&render_turn(turn));
        }
    }
    if turns.is_empty() && !args.reach.json {
        out::say("The chat is empty. Run a function: `call FUNCTION key=value`.");
    }
    Ok(client.close(ExitCode::SUCCESS).await)
}

fn render_turn(turn: &Turn) -> String {
    let at = turn.at.strftime("%Y-%m-%d %H:%M:%S");
    match turn.body.role {
        Role::User => {
            let params =
                turn.body.params.as_ref().map_or_else(String::new, |params| out::one_line(&params.to_string(), 80));
            format!("{at}  you  {} {params}", turn.body.text)
        }
        Role::Bot => {
            let code = turn.body.result.as_ref().and_then(|result| result.error_code.as_ref());
            let code = code.map_or_else(String::new, |code| format!(" [{code}]"));
            format!("{at}  bot  {}{code}", turn.body.text)
        }
    }
}

pub(super) async fn tasks(app: App, registry: Registry, args: ListArgs) -> Result<ExitCode, CliError> {
    let client = Client::reach(app, registry, &args.reach).await?;
    let Tasks { tasks } = client.get(&format!("/v1/tasks?limit={}", args.limit)).await?;
    if args.reach.json {
        tasks.iter().for_each(out::json);
    } else if tasks.is_empty() {
        out::say("There are no tasks.");
    } else {
        let rows: Vec<_> = tasks
            .iter()
            .map(|task| {
                let percent = task.percent.map_or_else(String::new, |percent| format!("{percent:.0}%"));
                let note = task.message.clone().unwrap_or_default();
                let started = task.created_at.strftime("%Y-%m-%d %H:%M:%S").to_string();
                vec![task.task_id.to_string(), task.state.as_str().into(), percent, started, task.name.clone(), note]
            })
            .collect();
        out::table(&["TASK", "STATE", "DONE", "STARTED (UTC)", "NAME", "STAGE"], &rows);
    }
    Ok(client.close(ExitCode::SUCCESS).await)
}

pub(super) async fn cancel(app: App, registry: Registry, task_id: &str, reach: Reach) -> Result<ExitCode, CliError> {
    let task_id: TaskId =
        task_id.parse().map_err(|_| CliError::new(format!("`{task_id}` is no task id; `tasks` shows them")))?;
    let client = Client::reach(app, registry, &reach).await?;
    let task: Task = client.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await?;
    if reach.json {
        out::json(&task);
    } else if task.finished_at.is_some() {
        out::say(&format!("{} had ended already: {}.", task.name, task.state.as_str()));
    } else {
        out::say(&format!("{} was asked to stop.", task.name));
    }
    Ok(client.close(ExitCode::SUCCESS).await)
}

pub(super) async fn audit(app: App, registry: Registry, args: ListArgs) -> Result<ExitCode, CliError> {
    let client = Client::reach(app, registry, &args.reach).await?;
    let mut after = 0;
    let mut latest: Vec<AuditRow> = Vec::new();
    // The trail is read from its start, as it was written; only the end is kept.
    loop {
        let Rows { rows } = client.get(&format!("/v1/audit?after={after}&limit=500")).await?;
        let Some(last) = rows.last() else { break };
        after = last.audit_id;
        latest.extend(rows);
        latest.drain(..latest.len().saturating_sub(args.limit as usize));
    }
    if args.reach.json {
        latest.iter().for_each(out::json);
    } else if latest.is_empty() {
        out::say("Nothing was audited yet.");
    } else {
        let rows: Vec<_> = latest
            .iter()
            .map(|row| {
                let body = &row.body;
                let outcome = serde_json::to_value(body.outcome).ok().and_then(|v| v.as_str().map(str::to_owned));
                let what = body.target.clone().unwrap_or_default();
                let at = row.at.strftime("%Y-%m-%d %H:%M:%S").to_string();
                vec![
                    at,
                    body.actor.clone(),
                    body.action.clone(),
                    outcome.unwrap_or_default(),
                    body.user_id.clone(),
                    what,
                ]
            })
            .collect();
        out::table(&["AT (UTC)", "WHO", "DID", "OUTCOME", "USER", "WHAT"], &rows);
    }
    Ok(client.close(ExitCode::SUCCESS).await)
}

/// Whether the trail is as it was written; 1 when it is not.
pub(super) async fn verify_audit(app: App, registry: Registry, reach: Reach) -> Result<ExitCode, CliError> {
    let client = Client::reach(app, registry, &reach).await?;
    let check: AuditCheck = client.get("/v1/audit/check").await?;
    if reach.json {
        out::json(&check);
    } else {
        match &check.broken {
            None => out::say(&format!("{} rows of {} users, all as they were written.", check.rows, check.users)),
            Some(broken) => out::say(&format!("The audit trail is broken: {broken}.")),
        }
    }
    let code = if check.broken.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    Ok(client.close(code).await)
}

pub(super) async fn link(app: App, registry: Registry, reach: Reach) -> Result<ExitCode, CliError> {
    let client = Client::reach(app, registry, &reach).await?;
    if client.is_ours() {
        client.abandon().await;
        return Err(CliError::new("no platform runs on this data folder: `dev` starts one and prints a link"));
    }
    let link: Value = client.post("/v1/internal/link", &json!({})).await?;
    out::say(&format!("{}{}", client.url(), link["path"].as_str().unwrap_or_default()));
    Ok(client.close(ExitCode::SUCCESS).await)
}
