//! `check_site_speed`: one page, measured in the background.

use imperal::context::Retry;
use imperal::prelude::*;

use crate::address;
use crate::report::{Category, Report, Strategy};
use crate::settings::Settings;
use crate::speed_api::{SpeedApi, Target, patience};
use crate::store::{self, Check, KEY, Snapshot, Status};

#[derive(Deserialize, JsonSchema)]
struct CheckParams {
    /// Address of the page; `https://` is added to a bare domain.
    #[schemars(length(min = 1, max = 200))]
    url: String,
    /// The device to imitate.
    #[serde(default)]
    strategy: Strategy,
    /// What to score; the settings say it when this is empty.
    #[serde(default)]
    #[schemars(length(max = 5))]
    categories: Vec<Category>,
}

/// Measure how fast a page is: scores, rated metrics and what would make it faster. It takes up to
/// a minute; the result is posted in the chat and kept in the history.
#[chat_function(
    action_type = "write",
    event = "page-speed.checked",
    effects = ["create:snapshot"],
    data_model = Snapshot,
    background,
    long_running
)]
async fn check_site_speed(ctx: Context, params: CheckParams) -> Result<ActionResult> {
    let url = address::whole(&params.url, "url")?;
    let key = ctx.secret(&KEY).await?;
    let settings = store::settings(&ctx).await?;
    let categories = if params.categories.is_empty() { settings.categories.clone() } else { params.categories };
    let target = Target { url: url.clone(), strategy: params.strategy, categories };
    let what = format!("{url} ({})", target.strategy.as_str());
    ctx.background_task(move |ctx| async move {
        ctx.progress(10, format!("Measuring {}", target.url)).await?;
        let snapshot = measured(&ctx, key.expose(), &target, &settings, patience().shown_at(10)).await?;
        let summary = format!("{}: {}.", snapshot.check.url, snapshot.check.report.headline());
        Ok(ActionResult::success(snapshot, summary).refresh_panels(["page-speed"]))
    })
    .name(format!("Speed check of {what}"))
    .key(format!("check {what}"))
    // Three attempts of a minute, and the waits between them, exceed 180 s.
    .long_running(true)
    .await?;
    Ok(ActionResult::done(format!("Checking {what}. The result comes here and into the history.")))
}

/// Measures and stores the result, also a failure. An interrupted check leaves no row; its task says how it
/// ended.
pub(crate) async fn measured(
    ctx: &Context,
    key: &str,
    target: &Target,
    settings: &Settings,
    patience: Retry,
) -> Result<Snapshot> {
    let started_at = store::now(ctx)?;
    let outcome = ctx.state::<SpeedApi>()?.measure(ctx, key, target, &settings.thresholds, patience).await;
    let (status, error, report) = match &outcome {
        Ok(report) => (Status::Completed, None, report.clone()),
        Err(error) => (Status::Failed, Some(error.message().to_owned()), Report::default()),
    };
    let check = Check {
        url: target.url.clone(),
        strategy: target.strategy,
        status,
        started_at: store::time(started_at),
        checked_at: store::time(store::now(ctx)?),
        error,
        report,
    };
    // After a cancel the write is refused; this is its error.
    let snapshot = store::add(ctx, check, settings).await?;
    outcome.map(|_| snapshot)
}
