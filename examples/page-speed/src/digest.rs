//! `send_speed_digest`: measures the watched pages, and a digest in the chat.
//!
//! A schedule of the user calls it every day, at the hour and in the time zone of the settings: see `plan`.

use imperal::context::MsgType;
use imperal::prelude::*;
use imperal::schedules::{OwnSchedule, When};

use crate::check::measured;
use crate::report::{self, Strategy};
use crate::settings::{DigestSettings, Notify, Settings};
use crate::speed_api::{Target, patience};
use crate::store::{self, KEY};

/// Pages that are measured at once.
const AT_ONCE: usize = 3;

/// The name of its schedule.
const DAILY: &str = "Page speed digest";

/// Sets the user's schedule of the digest as the settings say, or removes it.
pub(crate) async fn plan(ctx: &Context, digest: &DigestSettings) -> Result<()> {
    let schedules = ctx.schedules();
    if !digest.enabled || digest.sites.is_empty() {
        schedules.remove(DAILY).await?;
        return Ok(());
    }
    let daily = When::cron(format!("0 {} * * *", digest.hour));
    schedules.set(OwnSchedule::new(DAILY, "send_speed_digest", daily).zone(&digest.zone)).await
}

#[derive(Deserialize, JsonSchema)]
struct NoParams {}

/// The result of a digest.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Digest {
    /// One line a page.
    pages: Vec<DigestLine>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct DigestLine {
    /// The page.
    page: String,
    /// From 0 to 1.
    performance: Option<f64>,
    /// Change since the check before.
    change: Option<f64>,
    /// `ok`, `slower`, or why it failed.
    verdict: String,
}

/// Measure the watched pages, and say in the chat what got slower.
#[chat_function(
    action_type = "write",
    event = "page-speed.digest_sent",
    effects = ["create:snapshot"],
    data_model = Digest,
    background,
    long_running
)]
async fn send_speed_digest(ctx: Context, _params: NoParams) -> Result<ActionResult> {
    let key = ctx.secret(&KEY).await?;
    let settings = store::settings(&ctx).await?;
    if settings.digest.sites.is_empty() {
        return Ok(ActionResult::done("No page is watched: name some with save_speed_digest."));
    }
    let count = settings.digest.sites.len();
    ctx.background_task(move |ctx| async move {
        let lines = all_measured(&ctx, key.expose(), &settings).await?;
        let slower = lines.iter().filter(|line| line.verdict == SLOWER).count();
        let failed = lines.iter().filter(|line| line.performance.is_none()).count();
        let silent = match settings.digest.notify {
            Notify::All => false,
            Notify::Regressions => slower + failed == 0,
            Notify::Off => true,
        };
        if !silent {
            ctx.deliver_chat_message(message(&lines)).msg_type(MsgType::System).refresh_panels(["page-speed"]).await?;
        }
        let summary = format!("Today's digest: pages measured {count}, slower {slower}, failed {failed}.");
        Ok(ActionResult::success(Digest { pages: lines }, summary))
    })
    .name(format!("Digest of {count} pages"))
    .key("digest")
    .long_running(true)
    .await?;
    Ok(ActionResult::done(format!("Measuring the watched pages for the digest, {count} in all.")))
}

const OK: &str = "ok";
const SLOWER: &str = "slower";

/// Measures the pages, three at once, in the order of the settings. A failed page is a line of the digest.
async fn all_measured(ctx: &Context, key: &str, settings: &Settings) -> Result<Vec<DigestLine>> {
    let sites = &settings.digest.sites;
    let results = ctx
        .fan_out(sites, async |site| line(ctx, key, site, settings).await)
        .at_most(AT_ONCE)
        .named(ToString::to_string)
        .progress(0..=90)
        .await?;
    let failed = |site: &String, error: Error| DigestLine {
        page: site.clone(),
        performance: None,
        change: None,
        verdict: error.message().to_owned(),
    };
    let all = results.into_iter().zip(sites);
    Ok(all.map(|(result, site)| result.unwrap_or_else(|error| failed(site, error))).collect())
}

/// Compares a page with its earlier check.
async fn line(ctx: &Context, key: &str, site: &str, settings: &Settings) -> Result<DigestLine> {
    let before = store::completed(ctx, site, Strategy::Mobile, 1).await?.pop();
    let target = Target { url: site.to_owned(), strategy: Strategy::Mobile, categories: settings.categories.clone() };
    let now = measured(ctx, key, &target, settings, patience()).await?;
    let changes =
        before.map(|before| report::score_changes(&before.check.report, &now.check.report)).unwrap_or_default();
    Ok(DigestLine {
        page: site.to_owned(),
        performance: now.check.report.scores.get("performance").copied(),
        change: changes.iter().find(|change| change.what == "performance").map(|change| change.difference),
        verdict: if report::regressed(&changes) { SLOWER } else { OK }.to_owned(),
    })
}

fn message(lines: &[DigestLine]) -> String {
    let bad: Vec<String> = lines
        .iter()
        .filter(|line| line.verdict != OK)
        .map(|line| match line.performance {
            Some(score) => format!("{} got slower: {:.0}/100", line.page, score * 100.0),
            None => format!("{} could not be measured: {}", line.page, line.verdict),
        })
        .collect();
    match bad.len() {
        0 => format!("Page speed: nothing got slower ({} watched).", lines.len()),
        n => format!("Page speed: {n} of {} watched pages to look at.\n{}", lines.len(), bad.join("\n")),
    }
}
