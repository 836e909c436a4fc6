//! The client of the web-tools service: a real one at `BULK_AUDIT_URL`, or the example's small one.

use std::time::Duration;

use imperal::{Context, Error, Result};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::check::{Check, Finding};
use crate::service;

/// After this time a check without an answer is unknown.
const CHECK_TIMEOUT: Duration = Duration::from_secs(20);

/// The service's address.
pub(crate) struct ToolsApi {
    configured: Option<String>,
    own: OnceCell<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    success: bool,
    #[serde(default)]
    data: Value,
    error: Option<String>,
    message: Option<String>,
}

impl ToolsApi {
    /// `BULK_AUDIT_URL`.
    pub(crate) fn from_env() -> Self {
        Self::at(std::env::var("BULK_AUDIT_URL").ok().filter(|url| !url.is_empty()))
    }

    pub(crate) fn at(url: Option<String>) -> Self {
        Self { configured: url.map(|url| url.trim_end_matches('/').to_owned()), own: OnceCell::new() }
    }

    /// One check of one domain.
    ///
    /// # Errors
    /// The reason why there is no answer, in words for the user.
    pub(crate) async fn check(&self, ctx: &Context, check: Check, domain: &str) -> Result<Finding> {
        let base = match &self.configured {
            Some(url) => url,
            None => self.own.get_or_try_init(service::start).await?,
        };
        let url = format!("{base}/{}", check.path(domain));
        let answer: Answer = ctx.http().get(url).timeout(CHECK_TIMEOUT).send().await?.error_for_status()?.json()?;
        if answer.success {
            return Ok(check.judge(&answer.data));
        }
        let why = answer.error.or(answer.message).unwrap_or_else(|| "the check failed".to_owned());
        Err(Error::retryable("CHECK_FAILED", why))
    }
}
