//! `audit`: the audit trail as a table, and the check of its chain.

use serde::Deserialize;

use super::args::{ConnectArgs, ListArgs};
use super::client::Client;
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, Paint};
use super::table::Table;
use super::when;
use crate::app::App;
use crate::function::Registry;
use crate::ledger::{AuditCheck, AuditRow};

#[derive(Deserialize)]
struct Rows {
    rows: Vec<AuditRow>,
    next: Option<u64>,
}

pub(super) async fn audit(app: App, registry: Registry, args: ListArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &args.connect).await?;
    let latest = latest_rows(&client, args.limit as usize).await;
    client.close().await;
    let latest = latest?;
    if args.connect.json {
        latest.iter().for_each(out::print_json);
        return Ok(Exit::Success);
    }
    if latest.is_empty() {
        out::print_line("Nothing was audited yet.");
        return Ok(Exit::Success);
    }
    let style = OutputStyle::of_stdout();
    let mut table =
        Table::new(&[if style.terminal { "AT" } else { "AT (UTC)" }, "WHO", "DID", "OUTCOME", "USER", "WHAT"]);
    for row in &latest {
        let body = &row.body;
        let outcome = serde_json::to_value(body.outcome).ok().and_then(|v| v.as_str().map(str::to_owned));
        table.rows.push(vec![
            when::format_time(row.at, style),
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
    table.lines(style, paint).iter().for_each(|line| out::print_line(line));
    Ok(Exit::Success)
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
pub(super) async fn verify_audit(app: App, registry: Registry, connect: ConnectArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &connect).await?;
    let check = client.get("/v1/audit/check").await;
    client.close().await;
    let check: AuditCheck = check?;
    if connect.json {
        out::print_json(&check);
    } else {
        match &check.broken {
            None => {
                let (rows, users, pruned) = (check.rows, check.users, check.pruned);
                let older = format!(" They follow {pruned} older ones that retention took away.");
                let older = if pruned > 0 { &older } else { "" };
                out::print_line(&format!("{rows} rows of {users} users, all as they were written.{older}"));
            }
            Some(broken) => {
                out::print_line(
                    &OutputStyle::of_stdout().sanitize_line(&format!("The audit trail is broken: {broken}.")),
                );
            }
        }
    }
    Ok(if check.broken.is_some() { Exit::Failure } else { Exit::Success })
}
