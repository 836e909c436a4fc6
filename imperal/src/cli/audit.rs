//! `audit`: the audit trail as a table of sentences, and the check of its chain.

use serde::Deserialize;

use super::audit_words::{Names, Reader};
use super::client::{Client, Needs};
use super::connect_args::ConnectArgs;
use super::exit::{CliError, Exit};
use super::out::{self, OutputStyle, Paint, count};
use super::table::{Cell, Table};
use super::user_args::ListArgs;
use super::when;
use crate::app::App;
use crate::function::Registry;
use crate::ledger::{AuditCheck, AuditOutcome, AuditRow};

/// A page of the trail.
#[derive(Deserialize)]
struct AuditPage {
    rows: Vec<AuditRow>,
    next: Option<u64>,
}

/// `audit`.
pub(super) async fn audit(app: App, registry: Registry, args: ListArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &args.connect, Needs::Ledger).await?;
    let read = read(&client, &args).await;
    client.close().await;
    let (latest, reader) = read?;
    if args.connect.json {
        latest.iter().for_each(out::print_json);
    } else if latest.is_empty() {
        out::print_line("The audit trail is empty.");
    } else {
        let style = OutputStyle::of_stdout();
        table(&latest, &reader.names(), style).lines(style).iter().for_each(|line| out::print_line(line));
    }
    Ok(Exit::Success)
}

async fn read(client: &Client, args: &ListArgs) -> Result<(Vec<AuditRow>, Reader), CliError> {
    Ok((latest_rows(client, args.limit as usize).await?, client.get("/v1/session").await?))
}

fn table(rows: &[AuditRow], names: &Names<'_>, style: OutputStyle) -> Table {
    let at = if style.terminal { "AT" } else { "AT (UTC)" };
    let mut table = Table::new(&[at, "WHAT HAPPENED", "OUTCOME", "USER", "TARGET"]).spare(&["USER", "TARGET"]);
    for row in rows {
        let body = &row.body;
        let outcome = match paint_of(body.outcome) {
            Some(paint) => Cell::painted(body.outcome.as_str(), paint),
            None => Cell::plain(body.outcome.as_str()),
        };
        table.add_row([
            Cell::painted(when::format_time(row.at, style), Paint::Dim),
            Cell::plain(names.sentence(body)),
            outcome,
            Cell::plain(&body.user_id),
            Cell::plain(body.target.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

fn paint_of(outcome: AuditOutcome) -> Option<Paint> {
    match outcome {
        AuditOutcome::Done => None,
        AuditOutcome::Refused => Some(Paint::Yellow),
        AuditOutcome::Critical => Some(Paint::Red),
    }
}

/// The last rows of the trail. The API serves it from the start only, so every page is read.
async fn latest_rows(client: &Client, limit: usize) -> Result<Vec<AuditRow>, CliError> {
    let mut after = 0;
    let mut latest: Vec<AuditRow> = Vec::new();
    loop {
        let AuditPage { rows, next } = client.get(&format!("/v1/audit?after={after}&limit=500")).await?;
        latest.extend(rows);
        latest.drain(..latest.len().saturating_sub(limit));
        let Some(next) = next else { return Ok(latest) };
        after = next;
    }
}

/// `audit --verify`: fails if a row was altered or removed.
pub(super) async fn verify_audit(app: App, registry: Registry, connect: ConnectArgs) -> Result<Exit, CliError> {
    let client = Client::connect(app, registry, &connect, Needs::Ledger).await?;
    let check = client.get("/v1/audit/check").await;
    client.close().await;
    let check: AuditCheck = check?;
    if connect.json {
        out::print_json(&check);
    } else if let Some(broken) = &check.broken {
        out::print_line(&OutputStyle::of_stdout().sanitize_line(&format!("The audit trail is broken: {broken}.")));
    } else {
        let (rows, users, pruned) = (check.rows, check.users, check.pruned);
        let older =
            if pruned > 0 { format!(" Retention removed {}.", count(pruned, "older row")) } else { String::new() };
        let (rows, users) = (count(rows, "row"), count(users, "user"));
        out::print_line(&format!("{rows} of {users}, all as they were written.{older}"));
    }
    Ok(if check.broken.is_some() { Exit::Failure } else { Exit::Success })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn critical_rows_are_red() {
        let row: AuditRow = serde_json::from_value(json!({
            "audit_id": 1, "at": "2026-01-01T00:00:00Z", "tenant_id": "default", "user_id": "anna",
            "actor": "platform", "action": "task.end", "outcome": "critical", "hash": "0".repeat(64),
        }))
        .unwrap();
        let style = OutputStyle { terminal: true, colour: true, width: None };
        let reader: Reader = serde_json::from_value(json!({ "user": { "id": "anna" } })).unwrap();
        let line = table(&[row], &reader.names(), style).lines(style).remove(1);
        assert!(line.contains("\u{1b}[31mcritical\u{1b}[0m"), "{line:?}");
    }
}
