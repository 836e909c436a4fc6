//! `tasks`, `cancel`, `audit`, `link`: the ledger from the terminal.

use serde::Deserialize;
use serde_json::{Value, json};

use super::args::{ListArgs, Reach};
use super::client::Client;
use super::exit::{CliError, Exit};
use super::out::{self, Look, Paint};
use super::table::Table;
use super::task_id::{self, Tasks};
use super::when;
use crate::app::App;
use crate::function::Registry;
use crate::ledger::{AuditCheck, AuditRow, Task};

#[derive(Deserialize)]
struct Rows {
    rows: Vec<AuditRow>,
    next: Option<u64>,
}

pub(super) async fn tasks(app: App, registry: Registry, args: ListArgs) -> Result<Exit, CliError> {
    let client = Client::reach(app, registry, &args.reach).await?;
    let tasks = client.get(&format!("/v1/tasks?limit={}", args.limit)).await;
    client.close().await;
    let Tasks { tasks } = tasks?;
    if args.reach.json {
        tasks.iter().for_each(out::json);
        return Ok(Exit::Done);
    }
    if tasks.is_empty() {
        out::say("There are no tasks.");
        return Ok(Exit::Done);
    }
    let look = Look::of_stdout();
    let started = if look.terminal { "STARTED" } else { "STARTED (UTC)" };
    let mut table = Table::new(&["TASK", "STATE", "DONE", started, "NAME", "STAGE"]);
    for task in &tasks {
        let id = if look.terminal { task_id::short(task.task_id) } else { task.task_id.to_string() };
        let percent = task.percent.map_or_else(String::new, |percent| format!("{percent:.0}%"));
        let stands = task.state.as_str().replace('_', " ");
        let stage = task.message.clone().unwrap_or_default();
        table.rows.push(vec![id, stands, percent, when::shown(task.created_at, look), task.name.clone(), stage]);
    }
    let paint = |column, cell: &str| match (column, cell) {
        (0 | 3, _) => Some(Paint::Dim),
        (1, "running") => Some(Paint::Cyan),
        (1, "succeeded") => Some(Paint::Green),
        (1, "cancelled") => Some(Paint::Yellow),
        (1, _) => Some(Paint::Red),
        _ => None,
    };
    table.lines(look, paint).iter().for_each(|line| out::say(line));
    Ok(Exit::Done)
}

pub(super) async fn cancel(app: App, registry: Registry, named: &str, reach: Reach) -> Result<Exit, CliError> {
    let client = Client::reach(app, registry, &reach).await?;
    let asked = ask_to_stop(&client, named).await;
    client.close().await;
    let task = asked?;
    if reach.json {
        out::json(&task);
    } else if task.finished_at.is_some() {
        out::say(&format!("{} had ended already: {}.", Look::of_stdout().line(&task.name), task.state.as_str()));
    } else {
        out::say(&format!("{} was asked to stop.", Look::of_stdout().line(&task.name)));
    }
    Ok(Exit::Done)
}

async fn ask_to_stop(client: &Client, named: &str) -> Result<Task, CliError> {
    let task_id = task_id::resolve(client, named).await?;
    client.post(&format!("/v1/tasks/{task_id}/cancel"), &json!({})).await
}

pub(super) async fn audit(app: App, registry: Registry, args: ListArgs) -> Result<Exit, CliError> {
    let client = Client::reach(app, registry, &args.reach).await?;
    let latest = latest_rows(&client, args.limit as usize).await;
    client.close().await;
    let latest = latest?;
    if args.reach.json {
        latest.iter().for_each(out::json);
        return Ok(Exit::Done);
    }
    if latest.is_empty() {
        out::say("Nothing was audited yet.");
        return Ok(Exit::Done);
    }
    let look = Look::of_stdout();
    let mut table =
        Table::new(&[if look.terminal { "AT" } else { "AT (UTC)" }, "WHO", "DID", "OUTCOME", "USER", "WHAT"]);
    for row in &latest {
        let body = &row.body;
        let outcome = serde_json::to_value(body.outcome).ok().and_then(|v| v.as_str().map(str::to_owned));
        table.rows.push(vec![
            when::shown(row.at, look),
            body.actor.clone(),
            body.action.clone(),
            outcome.unwrap_or_default(),
            body.user_id.clone(),
            body.target.clone().unwrap_or_default(),
        ]);
    }
    let paint = |column, cell: &str| match (column, cell) {
        (0, _) => Some(Paint::Dim),
        (3, "refused") => Some(Paint::Yellow),
        (3, "failed") => Some(Paint::Red),
        _ => None,
    };
    table.lines(look, paint).iter().for_each(|line| out::say(line));
    Ok(Exit::Done)
}

/// The trail is read from its start, as it was written; only the end is kept.
async fn latest_rows(client: &Client, limit: usize) -> Result<Vec<AuditRow>, CliError> {
    let mut after = 0;
    let mut latest: Vec<AuditRow> = Vec::new();
    loop {
        let Rows { rows, next } = client.get(&format!("/v1/audit?after={after}&limit=500")).await?;
        latest.extend(rows);
        latest.drain(..latest.len().saturating_sub(limit));
        let Some(next) = next else { return Ok(latest) };
        after = next;
    }
}

/// Whether the trail is as it was written; failed when it is not.
pub(super) async fn verify_audit(app: App, registry: Registry, reach: Reach) -> Result<Exit, CliError> {
    let client = Client::reach(app, registry, &reach).await?;
    let check = client.get("/v1/audit/check").await;
    client.close().await;
    let check: AuditCheck = check?;
    if reach.json {
        out::json(&check);
    } else {
        match &check.broken {
            None => {
                let (rows, users, pruned) = (check.rows, check.users, check.pruned);
                let older = format!(" They follow {pruned} older ones that retention took away.");
                let older = if pruned > 0 { &older } else { "" };
                out::say(&format!("{rows} rows of {users} users, all as they were written.{older}"));
            }
            Some(broken) => {
                out::say(&Look::of_stdout().line(&format!("The audit trail is broken: {broken}.")));
            }
        }
    }
    Ok(if check.broken.is_some() { Exit::Failed } else { Exit::Done })
}

pub(super) async fn link(app: App, registry: Registry, reach: Reach) -> Result<Exit, CliError> {
    let client = Client::reach(app, registry, &reach).await?;
    if client.is_ours() {
        client.abandon().await;
        return Err(CliError::unreachable("no platform runs on this data folder: `dev` starts one and prints a link"));
    }
    let link: Value = client.post("/v1/internal/link", &json!({})).await?;
    let link = format!("{}{}", client.url(), link["path"].as_str().unwrap_or_default());
    if reach.json {
        out::json(&json!({ "link": link }));
    } else {
        out::say(&Look::of_stdout().line(&link));
    }
    Ok(Exit::Done)
}
