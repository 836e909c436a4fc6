//! The latest audit: shown again, or exported as comma-separated values.

use std::fmt::Write;

use imperal::prelude::*;

use crate::check::Status;
use crate::store::{AUDITS, LATEST};
use crate::summary::Audit;

#[derive(Deserialize, JsonSchema)]
struct NoParams {}

/// Show the latest audit again.
#[chat_function(action_type = "read")]
async fn get_last_audit(ctx: Context, _params: NoParams) -> Result<ActionResult<Audit>> {
    Ok(match ctx.documents(&AUDITS).get(LATEST).await? {
        Some(audit) => {
            let summary = audit.headline();
            ActionResult::success(audit.value, summary)
        }
        None => none_yet(),
    })
}

fn none_yet<T>() -> ActionResult<T> {
    ActionResult::error("NO_AUDIT", "There is no audit yet. Run `audit_domains` first.")
}

/// The latest audit as a table file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Export {
    /// Rows without the head.
    rows: usize,
    /// Comma-separated, one finding that is not `ok` a row.
    csv: String,
}

/// Export the findings of the latest audit as comma-separated values.
#[chat_function(action_type = "read")]
async fn export_audit(ctx: Context, _params: NoParams) -> Result<ActionResult<Export>> {
    let Some(audit) = ctx.documents(&AUDITS).get(LATEST).await? else {
        return Ok(none_yet());
    };
    let csv = csv(&audit);
    let rows = csv.lines().count() - 1;
    Ok(ActionResult::success(Export { rows, csv }, format!("The findings as comma-separated values, rows: {rows}.")))
}

fn csv(audit: &Audit) -> String {
    let mut csv = String::from("domain,check,status,what\n");
    let issues = audit.issues.iter().map(|issue| (&issue.domain, issue.check, issue.status, &issue.what));
    let unknown = audit
        .unknown
        .iter()
        .flat_map(|row| row.checks.iter().map(|check| (&row.domain, *check, Status::Unknown, &row.why)));
    for (domain, check, status, what) in issues.chain(unknown) {
        // Writing into a String cannot fail.
        let _ = writeln!(csv, "{},{},{},{}", quoted(domain), check.as_str(), status.as_str(), quoted(what));
    }
    csv
}

/// A CSV field, quoted when needed. A formula becomes plain text, so that no spreadsheet computes it.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@']);
    let field = if formula { format!("'{field}") } else { field.to_owned() };
    if field.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}
