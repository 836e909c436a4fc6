//! The client of the image service: a real one at `MEDIA_URL`, or the example's small one.

use std::time::Duration;

use imperal::context::{JobStatus, Response, Retry};
use imperal::{Context, Error, Result};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

use crate::service;
use crate::store::Model;

/// The service's address.
pub(crate) struct ImageApi {
    configured: Option<String>,
    own: OnceCell<String>,
}

/// Services wrap their answers in `data`, or do not.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer<T> {
    Wrapped { data: T },
    Bare(T),
}

#[derive(Deserialize)]
struct Job {
    #[serde(alias = "id", alias = "taskId", default)]
    task_id: String,
    #[serde(default)]
    status: String,
    #[serde(alias = "output", alias = "images", alias = "results", alias = "urls", default)]
    generated: Vec<Made>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Made {
    Url(String),
    Object { url: String },
}

impl ImageApi {
    /// `MEDIA_URL`.
    pub(crate) fn from_env() -> Self {
        Self::at(std::env::var("MEDIA_URL").ok().filter(|url| !url.is_empty()))
    }

    pub(crate) fn at(url: Option<String>) -> Self {
        Self { configured: url.map(|url| url.trim_end_matches('/').to_owned()), own: OnceCell::new() }
    }

    async fn url(&self, path: &str) -> Result<String> {
        let base = match &self.configured {
            Some(url) => url,
            None => self.own.get_or_try_init(service::start).await?,
        };
        Ok(format!("{base}/v1/{path}"))
    }

    /// Starts a paid job, and returns its id.
    pub(crate) async fn start(&self, ctx: &Context, key: &str, prompt: &str, model: Model) -> Result<String> {
        let request = ctx.http().post(self.url("ai/mystic").await?).header("x-api-key", key);
        let answer = request.json(&json!({"prompt": prompt, "model": model})).timeout(60).send().await?;
        Ok(read::<Job>(answer)?.task_id)
    }

    /// The job that was started under an idempotency key.
    pub(crate) async fn find(&self, ctx: &Context, key: &str, effect: &str) -> Result<Option<String>> {
        let recent = ctx.http().get(self.url("creations/recent").await?).query(&[("idempotency_key", effect)]);
        let answer = recent.header("x-api-key", key).timeout(30).send().await?;
        Ok(read::<Vec<Job>>(answer)?.pop().map(|job| job.task_id))
    }

    /// Waits for a job, two minutes at most, and fetches its image.
    pub(crate) async fn finished(&self, ctx: &Context, key: &str, job: &str) -> Result<Vec<u8>> {
        let status = self.url(&format!("ai/mystic/{job}")).await?;
        let failed = |text: &str| Ok(JobStatus::Failed(Error::user("JOB_FAILED", text)));
        let look = async || {
            let job: Job = read(ctx.http().get(&status).header("x-api-key", key).timeout(30).send().await?)?;
            match (job.status.to_lowercase().as_str(), job.generated.into_iter().next()) {
                ("completed" | "done" | "success" | "succeeded", image) => match image {
                    Some(Made::Url(url) | Made::Object { url }) => Ok(JobStatus::Done(url)),
                    None => failed("The job ended without an image."),
                },
                ("failed" | "error" | "cancelled", _) => failed("The image service could not make it."),
                _ => Ok(JobStatus::Pending),
            }
        };
        let url = ctx.poll(look).every(Duration::from_secs(3)).within(Duration::from_secs(120)).await?;
        let image = ctx.http().get(url).timeout(60).retry(Retry::default()).send().await?.error_for_status()?;
        Ok(image.bytes().to_vec())
    }
}

fn read<T: for<'de> Deserialize<'de>>(answer: Response) -> Result<T> {
    match answer.status().as_u16() {
        401 | 403 => {
            Err(Error::user("KEY_INVALID", "The image service does not take this key. Connect it again.").not_done())
        }
        status @ (400 | 402 | 404 | 410..=428) => {
            Err(Error::user("IMAGE_REFUSED", format!("The image service refused this ({status}).")))
        }
        _ => {
            let (Answer::Wrapped { data } | Answer::Bare(data)) = answer.error_for_status()?.json()?;
            Ok(data)
        }
    }
}
