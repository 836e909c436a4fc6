//! The documents and the secret of each user: the history of checks, the settings, the service's key.
//!
//! A check is stored when it is done; the platform knows running checks, so no row can stay "running".

use std::sync::Arc;
use std::time::Duration;

use imperal::documents::{Collection, Document};
use imperal::{Context, Result, Secret, SecretWriter};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::{Report, Strategy};
use crate::settings::Settings;

/// Users enter it by `connect_pagespeed`, which tries it, or among the secrets of the page.
pub(crate) const KEY: Secret =
    Secret::new("api_key", "Your key of the page-speed service.").written_by(SecretWriter::Both).max_bytes(200);

const CHECKS: Collection<Check> =
    Collection::new("checks").index(["checked_at"]).index(["url", "strategy", "status", "checked_at"]);

const SETTINGS: Collection<Settings> = Collection::new("settings");
/// The one document of a user's settings.
const OWN: &str = "settings";

/// Rows that are read at once.
const PAGE: u32 = 200;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Completed,
    Failed,
}

/// One check of one page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Check {
    /// The page.
    pub(crate) url: String,
    /// The device that was imitated.
    pub(crate) strategy: Strategy,
    /// How it ended.
    pub(crate) status: Status,
    /// When it was asked for, UTC.
    pub(crate) started_at: String,
    /// When it ended, UTC.
    pub(crate) checked_at: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// The measurement; empty when the check failed.
    #[serde(flatten)]
    pub(crate) report: Report,
}

/// A check of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Snapshot {
    /// Its id.
    pub(crate) snapshot_id: String,
    /// The check itself.
    #[serde(flatten)]
    pub(crate) check: Check,
}

impl From<Document<Check>> for Snapshot {
    fn from(document: Document<Check>) -> Self {
        Self { snapshot_id: document.id, check: document.value }
    }
}

/// A clock that tests can set.
#[derive(Clone)]
pub(crate) struct Clock(pub(crate) Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub(crate) fn of_the_system() -> Self {
        Self(Arc::new(Timestamp::now))
    }
}

/// The current time.
pub(crate) fn now(ctx: &Context) -> Result<Timestamp> {
    Ok(ctx.state::<Clock>()?.0())
}

/// A time for users and rows: to the microsecond, always of the same length, so that texts sort as times.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// Adds a check to the history, for as long as the settings say.
pub(crate) async fn add(ctx: &Context, check: Check, settings: &Settings) -> Result<Snapshot> {
    let kept = Duration::from_secs(24 * 3600 * u64::from(settings.retention_days));
    let snapshot_id = ctx.documents(&CHECKS).expires_in(kept).create(&check).await?;
    Ok(Snapshot { snapshot_id, check })
}

/// One of the user's checks.
pub(crate) async fn snapshot(ctx: &Context, id: &str) -> Result<Option<Snapshot>> {
    Ok(ctx.documents(&CHECKS).get(id).await?.map(Snapshot::from))
}

/// The user's checks for which `wanted` is true, newest first, up to a limit.
pub(crate) async fn newest(ctx: &Context, limit: usize, wanted: impl Fn(&Check) -> bool) -> Result<Vec<Snapshot>> {
    let (mut rows, mut after) = (Vec::new(), None::<String>);
    loop {
        let query = ctx.documents(&CHECKS).find().order_by("checked_at").descending().limit(PAGE);
        let page = match after {
            Some(cursor) => query.after(cursor).await?,
            None => query.await?,
        };
        rows.extend(page.documents.into_iter().filter(|row| wanted(&row.value)).map(Snapshot::from));
        after = page.next.map(|next| next.to_string());
        if after.is_none() || rows.len() >= limit {
            rows.truncate(limit);
            return Ok(rows);
        }
    }
}

/// Finished checks of exactly this page and device, newest first.
pub(crate) async fn completed(ctx: &Context, url: &str, strategy: Strategy, limit: u32) -> Result<Vec<Snapshot>> {
    let same = ctx.documents(&CHECKS).find().eq("url", url).eq("strategy", strategy).eq("status", Status::Completed);
    let found = same.order_by("checked_at").descending().limit(limit).await?;
    Ok(found.documents.into_iter().map(Snapshot::from).collect())
}

/// The user's settings.
pub(crate) async fn settings(ctx: &Context) -> Result<Settings> {
    Ok(ctx.documents(&SETTINGS).get(OWN).await?.map(|stored| stored.value).unwrap_or_default())
}

/// Changes the user's settings. The closure runs again if another call changed them meanwhile.
pub(crate) async fn change_settings(ctx: &Context, change: impl FnMut(&mut Settings) + Send) -> Result<Settings> {
    ctx.documents(&SETTINGS).update_or_default(OWN, change).await
}
