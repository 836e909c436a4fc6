//! `send_speed_digest`: the watched pages once a day, and a digest in the chat.
//!
//! For whoever calls it every hour. The day is written down before the work begins, so that a
//! digest that failed is not sent again and again by the calls that follow.

use imperal::context::MsgType;
use imperal::prelude::*;
use jiff::tz::TimeZone;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::check::measured;
use crate::report::{self, Strategy};
use crate::settings::{Notify, Settings};
use crate::speed_api::Target;
use crate::store::Store;
use crate::{history, key};

/// Pages that are measured at once.
const AT_ONCE: usize = 3;

#[derive(Deserialize, JsonSchema)]
struct DigestParams {
    /// Now, whatever the settings and the clock say.
    #[serde(default)]
    now: bool,
}

/// What the digest found.
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

/// Measure the watched pages when today's digest is due, and say in the chat what got slower.
#[chat_function(
    action_type = "write",
    event = "page-speed.digest_sent",
    effects = ["create:snapshot"],
    data_model = Digest,
    background,
    long_running
)]
async fn send_speed_digest(ctx: Context, params: DigestParams) -> Result<ActionResult> {
    let store = ctx.state::<Store>()?;
    let now = store.now().to_zoned(TimeZone::UTC);
    let today = now.date().to_string();
    let begun = store.change_settings(ctx.user(), move |settings| {
        let digest = &mut settings.digest;
        let due = digest.enabled
            && i16::from(now.hour()) >= i16::from(digest.hour)
            && digest.last_run.as_deref() != Some(today.as_str());
        let begins = (params.now || due) && !digest.sites.is_empty();
        if begins {
            digest.last_run = Some(today);
        }
        begins.then(|| settings.clone())
    });
    let Some(settings) = begun.await? else {
        return Ok(ActionResult::done("There is no digest to send now."));
    };
    let key = key::of_user(&ctx).await?;
    let count = settings.digest.sites.len();
    ctx.background_task(move |ctx| async move {
        let lines = all_measured(&ctx, &key, &settings).await?;
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
    .long_running(true)
    .await?;
    Ok(ActionResult::done(format!("Measuring the watched pages for the digest, {count} in all.")))
}

const OK: &str = "ok";
const SLOWER: &str = "slower";

/// Each page measured, three at a time, in the order of the settings; one that fails is a line.
async fn all_measured(ctx: &Context, key: &str, settings: &Settings) -> Result<Vec<DigestLine>> {
    let sites = &settings.digest.sites;
    let gate = std::sync::Arc::new(Semaphore::new(AT_ONCE));
    let mut work = JoinSet::new();
    for (at, site) in sites.iter().cloned().enumerate() {
        let (ctx, key, settings, gate) = (ctx.clone(), key.to_owned(), settings.clone(), gate.clone());
        work.spawn(async move {
            let _turn = gate.acquire_owned().await;
            (at, line(&ctx, &key, site, &settings).await)
        });
    }
    let mut lines = vec![None; sites.len()];
    let mut done = 0;
    loop {
        // Dropping the set, here by `?`, aborts what is still at work.
        let ended = tokio::select! {
            ended = work.join_next() => ended,
            () = ctx.cancelled() => return Err(Error::cancelled()),
        };
        let Some(ended) = ended else { break };
        let (at, line) = ended?;
        let line = line?;
        done += 1;
        ctx.progress(done * 90 / sites.len(), format!("{} ({done} of {})", line.page, sites.len())).await?;
        lines[at] = Some(line);
    }
    Ok(lines.into_iter().flatten().collect())
}

/// One page against its check before. Only a cancel is an error.
async fn line(ctx: &Context, key: &str, site: String, settings: &Settings) -> Result<DigestLine> {
    let before = history::completed(ctx, site.clone(), Strategy::Mobile, 1).await?.pop();
    let target = Target { url: site.clone(), strategy: Strategy::Mobile, categories: settings.categories.clone() };
    let now = match measured(ctx, key, &target, settings).await {
        Ok(now) => now,
        Err(error) if error.is_cancelled() => return Err(error),
        Err(error) => {
            return Ok(DigestLine { page: site, performance: None, change: None, verdict: error.message().to_owned() });
        }
    };
    let changes = before.map(|before| report::score_changes(&before.report, &now.report)).unwrap_or_default();
    Ok(DigestLine {
        page: site,
        performance: now.report.scores.get("performance").copied(),
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
