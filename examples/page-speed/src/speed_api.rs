//! The client of the page-speed service: a real one at `PAGE_SPEED_URL`, or the example's small one.
//!
//! Owns its requests, the meaning of its errors for the user, and the retries for a busy service.

use std::time::Duration;

use imperal::context::{Response, Retry};
use imperal::{Context, Error, Result, codes};
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::report::{Category, Report, Strategy, Thresholds};
use crate::service;

/// Three attempts for a busy service, after 3 and 6 s.
pub(crate) fn patience() -> Retry {
    Retry::waits([3, 6].map(Duration::from_secs)).on_statuses([429, 500])
}

/// The service's address.
pub(crate) struct SpeedApi {
    configured: Option<String>,
    own: OnceCell<String>,
}

/// The page and options of a measurement.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) strategy: Strategy,
    pub(crate) categories: Vec<Category>,
}

/// A job of the service.
#[derive(Debug, Deserialize)]
pub(crate) struct Job {
    #[serde(rename = "job_id")]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) done: usize,
    #[serde(default)]
    pub(crate) total: usize,
    pub(crate) state: JobState,
    #[serde(default)]
    pub(crate) pages: Vec<PageScore>,
    #[serde(default)]
    pub(crate) error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobState {
    Running,
    Done,
    Failed,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PageScore {
    pub(crate) url: String,
    pub(crate) performance: f64,
    pub(crate) lcp_ms: f64,
}

impl SpeedApi {
    /// `PAGE_SPEED_URL`.
    pub(crate) fn from_env() -> Self {
        Self::at(std::env::var("PAGE_SPEED_URL").ok().filter(|url| !url.is_empty()))
    }

    pub(crate) fn at(url: Option<String>) -> Self {
        Self { configured: url.map(|url| url.trim_end_matches('/').to_owned()), own: OnceCell::new() }
    }

    async fn base(&self) -> Result<&str> {
        Ok(match &self.configured {
            Some(url) => url,
            None => self.own.get_or_try_init(service::start).await?,
        })
    }

    /// Whether the service accepts the key. Takes at most 20 s.
    pub(crate) async fn try_key(&self, ctx: &Context, key: &str) -> Result<()> {
        let base = self.base().await?;
        let trial = ctx
            .http()
            .get(format!("{base}/pagespeed"))
            .query(&[("url", "https://example.com"), ("strategy", "mobile"), ("key", key)])
            .timeout(Duration::from_secs(20))
            .send()
            .await?;
        match trial.status().as_u16() {
            400 | 401 | 403 => Err(Error::user("KEY_INVALID", "The page-speed service does not take this key.")),
            400.. => Err(provider_error(&trial)),
            _ => Ok(()),
        }
    }

    /// One measurement; `patience` has the retries for a busy service.
    pub(crate) async fn measure(
        &self,
        ctx: &Context,
        key: &str,
        target: &Target,
        thresholds: &Thresholds,
        patience: Retry,
    ) -> Result<Report> {
        let base = self.base().await?;
        let mut query = vec![("url", target.url.as_str()), ("strategy", target.strategy.as_str()), ("key", key)];
        query.extend(target.categories.iter().map(|category| ("category", category.as_str())));
        let answer = ctx
            .http()
            .get(format!("{base}/pagespeed"))
            .query(&query)
            .timeout(Duration::from_secs(60))
            .retry(patience)
            .send()
            .await?;
        refused(&answer)?;
        Report::read(answer.bytes(), thresholds)
    }

    /// Starts a job that measures a whole site, and returns its id.
    pub(crate) async fn start_job(&self, ctx: &Context, key: &str, target: &Target, pages: u32) -> Result<Job> {
        let base = self.base().await?;
        let answer = ctx
            .http()
            .post(format!("{base}/pagespeed/jobs"))
            .json(&serde_json::json!({
                "url": target.url, "strategy": target.strategy, "pages": pages, "key": key,
            }))
            .send()
            .await?;
        refused(&answer)?;
        Ok(answer.json()?)
    }

    /// Cancels a job.
    pub(crate) async fn stop_job(&self, ctx: &Context, key: &str, job_id: &str) -> Result<()> {
        let base = self.base().await?;
        let url = format!("{base}/pagespeed/jobs/{job_id}");
        ctx.http().delete(url).query(&[("key", key)]).timeout(5).send().await?.error_for_status()?;
        Ok(())
    }

    /// The state of a job.
    pub(crate) async fn job(&self, ctx: &Context, key: &str, job_id: &str) -> Result<Job> {
        let base = self.base().await?;
        let answer = ctx.http().get(format!("{base}/pagespeed/jobs/{job_id}")).query(&[("key", key)]).send().await?;
        refused(&answer)?;
        Ok(answer.json()?)
    }
}

/// The user error for a status other than success.
fn refused(answer: &Response) -> Result<()> {
    match answer.status().as_u16() {
        ..400 => Ok(()),
        400 => Err(Error::user("BAD_URL", "The page-speed service cannot measure this address.")),
        401 | 403 => {
            Err(Error::user("KEY_INVALID", "The page-speed service does not take your key any more. Connect it again."))
        }
        429 => {
            Err(Error::retryable(codes::RATE_LIMITED, "The page-speed service is asked too often. Try again later."))
        }
        500 => {
            Err(Error::retryable("THROTTLED", "The page-speed service could not measure the page in three attempts."))
        }
        _ => Err(provider_error(answer)),
    }
}

fn provider_error(answer: &Response) -> Error {
    Error::retryable("PROVIDER_ERROR", format!("The page-speed service failed ({}).", answer.status()))
}
