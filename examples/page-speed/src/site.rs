//! `check_whole_site`: a job of the service, polled until its end, also after a crash or a deploy.

use imperal::context::JobStatus;
use imperal::prelude::*;

use crate::address;
use crate::report::Strategy;
use crate::speed_api::{JobState, PageScore, SpeedApi, Target};
use crate::store::KEY;

#[derive(Serialize, Deserialize, JsonSchema)]
struct SiteParams {
    /// Address of the site; `https://` is added to a bare domain.
    #[schemars(length(min = 1, max = 200))]
    url: String,
    /// The device to imitate.
    #[serde(default)]
    strategy: Strategy,
    /// How many pages at most.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 50))]
    pages: u32,
}

fn ten() -> u32 {
    10
}

/// A whole site, page by page.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SiteReport {
    /// Where it starts.
    site: String,
    /// Mean performance of its pages, from 0 to 1.
    mean_performance: f64,
    /// The slowest first.
    pages: Vec<SitePage>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct SitePage {
    /// The page.
    page: String,
    /// From 0 to 1.
    performance: f64,
    /// Largest contentful paint, in milliseconds.
    lcp_ms: f64,
}

/// Measure a whole site, page by page, as a job of the page-speed service. It takes some minutes;
/// the result is posted in the chat, the slowest page first.
#[chat_function(
    action_type = "write",
    event = "page-speed.site_checked",
    effects = ["create:site_report"],
    data_model = SiteReport,
    background,
    long_running
)]
async fn check_whole_site(ctx: Context, params: SiteParams) -> Result<ActionResult> {
    let url = address::whole(&params.url, "url")?;
    ctx.secret(&KEY).await?;
    let text = format!("Measuring {url} and the pages it leads to, {} at most.", params.pages);
    ctx.durable_task(measure_site::with(SiteParams { url: url.clone(), ..params }))
        .name(format!("Speed check of the site {url}"))
        .key(format!("site {url}"))
        .long_running(true)
        .await?;
    Ok(ActionResult::done(text))
}

/// Starts the job in a step: after a crash or a deploy the task polls the same job. Each attempt reads the user's
/// key, because an input or a step's value would be stored.
#[durable_task]
async fn measure_site(ctx: TaskContext, params: SiteParams) -> Result<ActionResult<SiteReport>> {
    let key = ctx.secret(&KEY).await?;
    let target = Target { url: params.url, strategy: params.strategy, categories: Vec::new() };
    let start = ctx.step("job", async |ctx| {
        ctx.progress(2, "Starting the job").await?;
        Ok(ctx.state::<SpeedApi>()?.start_job(&ctx, key.expose(), &target, params.pages).await?.id)
    });
    let job_id: String = start.await?;
    let report = site_report(target.url, measured_pages(&ctx, key.expose(), &job_id).await?);
    let summary = format!(
        "{}: mean performance {2:.0}/100 over {1} pages.",
        report.site,
        report.pages.len(),
        report.mean_performance * 100.0
    );
    Ok(ActionResult::success(report, summary))
}

/// Polls the job until its end. A cancelled task cancels the job.
async fn measured_pages(ctx: &Context, key: &str, job_id: &str) -> Result<Vec<PageScore>> {
    let api = ctx.state::<SpeedApi>()?;
    let (its_key, its_id) = (key.to_owned(), job_id.to_owned());
    ctx.poll(async || {
        let job = api.job(ctx, key, job_id).await?;
        match job.state {
            JobState::Done => Ok(JobStatus::Done(job.pages)),
            JobState::Running => {
                let stage = format!("{} of {} pages", job.done, job.total);
                Ok(JobStatus::at(job.done * 100 / job.total.max(1), stage))
            }
            JobState::Failed => {
                let why = job.error.unwrap_or_else(|| "it did not say why".to_owned());
                Ok(JobStatus::Failed(Error::user("JOB_FAILED", format!("The page-speed service gave up: {why}."))))
            }
        }
    })
    .every(Duration::from_secs(2))
    .progress(5..=95)
    .on_cancel(|ctx| async move { ctx.state::<SpeedApi>()?.stop_job(&ctx, &its_key, &its_id).await })
    .await
}

fn site_report(site: String, pages: Vec<PageScore>) -> SiteReport {
    let mut pages: Vec<SitePage> = pages
        .into_iter()
        .map(|page| SitePage { page: page.url, performance: page.performance, lcp_ms: page.lcp_ms })
        .collect();
    pages.sort_by(|a, b| a.performance.total_cmp(&b.performance));
    #[expect(clippy::cast_precision_loss, reason = "at most fifty")]
    let count = pages.len().max(1) as f64;
    let mean_performance = crate::report::rounded(pages.iter().map(|page| page.performance).sum::<f64>() / count, 2);
    SiteReport { site, mean_performance, pages }
}
