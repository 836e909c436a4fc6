//! The history of checks: list, show, compare, export.

use std::fmt::Write;

use imperal::prelude::*;

use crate::report::{self, Change, Strategy};
use crate::store::{self, Check, Snapshot, Status};

/// A snapshot in one line.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Line {
    /// When it was measured, UTC.
    checked_at: String,
    /// The page.
    url: String,
    /// The device.
    strategy: Strategy,
    /// How it ended.
    status: Status,
    /// Performance from 0 to 1, where it was scored.
    performance: Option<f64>,
    /// For `get_speed_snapshot`.
    snapshot_id: String,
}

/// Snapshots, newest first.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Snapshots {
    /// One a line.
    snapshots: Vec<Line>,
}

#[derive(Deserialize, JsonSchema)]
struct ListParams {
    /// Only pages whose address has this in it.
    #[serde(default)]
    url: String,
    /// Only this device.
    #[serde(default)]
    strategy: Option<Strategy>,
    /// How many at most.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 100))]
    limit: usize,
}

fn twenty() -> usize {
    20
}

/// List earlier speed checks, the newest first.
#[chat_function(action_type = "read")]
async fn list_speed_snapshots(ctx: Context, params: ListParams) -> Result<ActionResult<Snapshots>> {
    let ListParams { url, strategy, limit } = params;
    let wanted = |row: &Check| row.url.contains(&url) && strategy.is_none_or(|one| one == row.strategy);
    let rows = store::newest(&ctx, limit, wanted).await?;
    if rows.is_empty() {
        return Ok(ActionResult::error("NO_CHECKS", "There are no checks yet. Run `check_site_speed` first."));
    }
    let snapshots: Vec<Line> = rows.into_iter().map(line).collect();
    let summary = match snapshots.len() {
        1 => "One check.".to_owned(),
        n => format!("{n} checks, the newest first."),
    };
    Ok(ActionResult::success(Snapshots { snapshots }, summary))
}

fn line(Snapshot { snapshot_id, check: row }: Snapshot) -> Line {
    Line {
        performance: row.report.scores.get("performance").copied(),
        checked_at: row.checked_at,
        url: row.url,
        strategy: row.strategy,
        status: row.status,
        snapshot_id,
    }
}

#[derive(Deserialize, JsonSchema)]
struct GetParams {
    /// Its id, as `list_speed_snapshots` has it.
    snapshot_id: String,
}

/// Show one earlier speed check with everything that was measured.
#[chat_function(action_type = "read", id_projection = "snapshot_id")]
async fn get_speed_snapshot(ctx: Context, params: GetParams) -> Result<ActionResult<Snapshot>> {
    let found = store::snapshot(&ctx, &params.snapshot_id).await?;
    Ok(match found {
        Some(row) => {
            let summary =
                format!("{} on {}: {}.", row.check.url, row.check.strategy.as_str(), row.check.report.headline());
            ActionResult::success(row, summary)
        }
        None => ActionResult::error(codes::NOT_FOUND, "There is no such check."),
    })
}

#[derive(Deserialize, JsonSchema)]
struct CompareParams {
    /// The page, as the history has it; `https://` is added to a bare domain.
    #[schemars(length(min = 1, max = 200))]
    url: String,
    /// The device.
    #[serde(default)]
    strategy: Strategy,
}

/// The two newest checks of a page, side by side.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Comparison {
    /// The page.
    url: String,
    /// The device.
    strategy: Strategy,
    /// Whether a score fell by more than 0.05.
    regressed: bool,
    /// When the earlier one was measured, UTC.
    before: String,
    /// When the newer one was measured, UTC.
    now: String,
    /// Scores that both have.
    scores: Vec<Change>,
    /// Laboratory metrics that both have.
    metrics: Vec<Change>,
}

/// Compare the two newest checks of a page: which score and which metric changed by how much.
#[chat_function(action_type = "read")]
async fn compare_speed_snapshots(ctx: Context, params: CompareParams) -> Result<ActionResult<Comparison>> {
    let url = crate::address::whole(&params.url, "url")?;
    let CompareParams { strategy, .. } = params;
    let rows = store::completed(&ctx, &url, strategy, 2).await?;
    let [now, before] = rows.as_slice() else {
        let text =
            format!("Two finished checks of {url} on {} are needed, there is {}.", strategy.as_str(), rows.len());
        return Ok(ActionResult::error("TOO_FEW_CHECKS", text));
    };
    let (now, before) = (&now.check, &before.check);
    let scores = report::score_changes(&before.report, &now.report);
    let regressed = report::regressed(&scores);
    let comparison = Comparison {
        regressed,
        before: before.checked_at.clone(),
        now: now.checked_at.clone(),
        metrics: report::metric_changes(&before.report, &now.report),
        scores,
        url,
        strategy,
    };
    let verdict = if regressed { "It got worse" } else { "It did not get worse" };
    let summary = format!("{verdict}: {}, and {} before.", now.report.headline(), before.report.headline());
    Ok(ActionResult::success(comparison, summary))
}

#[derive(Deserialize, JsonSchema)]
struct NoParams {}

/// The history as a table file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Export {
    /// How many checks it has.
    checks: usize,
    /// Comma-separated, the newest first.
    csv: String,
}

/// Export the whole history of speed checks as comma-separated values.
#[chat_function(action_type = "read")]
async fn export_speed_history(ctx: Context, _params: NoParams) -> Result<ActionResult<Export>> {
    let rows = store::newest(&ctx, usize::MAX, |_| true).await?;
    let checks = rows.len();
    // Ten thousand rows take milliseconds: too long for a thread of the runtime.
    let csv = ctx.blocking(move |_| Ok(csv(&rows))).await?;
    Ok(ActionResult::success(Export { checks, csv }, format!("The history as comma-separated values, rows: {checks}.")))
}

fn csv(rows: &[Snapshot]) -> String {
    let mut csv = String::from("checked_at,url,strategy,status,performance,lcp_ms,cls,tbt_ms,error\n");
    for Snapshot { check: row, .. } in rows {
        let metric = |name: &str| row.report.lab.iter().find(|m| m.metric == name).map(|m| m.value.to_string());
        let status = if row.status == Status::Completed { "completed" } else { "failed" };
        let fields = [
            row.checked_at.clone(),
            row.url.clone(),
            row.strategy.as_str().to_owned(),
            status.to_owned(),
            row.report.scores.get("performance").map_or_else(String::new, f64::to_string),
            metric("LCP").unwrap_or_default(),
            metric("CLS").unwrap_or_default(),
            metric("TBT").unwrap_or_default(),
            row.error.clone().unwrap_or_default(),
        ];
        let line = fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",");
        // Writing into a String cannot fail.
        let _ = writeln!(csv, "{line}");
    }
    csv
}

/// A CSV field, quoted when needed. A formula becomes plain text, so that no spreadsheet computes it.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@']);
    let field = if formula { format!("'{field}") } else { field.to_owned() };
    if field.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_stays_one_field() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"no\""), "\"say \"\"no\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
