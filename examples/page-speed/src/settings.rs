//! The user's settings: thresholds, retention, and the daily digest.

use imperal::prelude::*;

use crate::address;
use crate::digest;
use crate::report::{Bounds, Category, Thresholds};
use crate::store;

/// The stored settings of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Settings {
    /// What is scored when a check does not say.
    pub(crate) categories: Vec<Category>,
    /// How long snapshots are kept, in days.
    pub(crate) retention_days: u32,
    /// The thresholds of the metrics.
    pub(crate) thresholds: Thresholds,
    /// The daily digest.
    pub(crate) digest: DigestSettings,
}

/// The daily digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct DigestSettings {
    /// Whether there is one.
    pub(crate) enabled: bool,
    /// The hour of the day.
    pub(crate) hour: u8,
    /// The IANA name of the zone whose clocks count.
    pub(crate) zone: String,
    /// When it says something.
    pub(crate) notify: Notify,
    /// The pages it measures.
    pub(crate) sites: Vec<String>,
}

impl Default for DigestSettings {
    fn default() -> Self {
        Self { enabled: false, hour: 6, zone: "UTC".to_owned(), notify: Notify::All, sites: Vec::new() }
    }
}

/// When the digest says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Notify {
    #[default]
    All,
    Regressions,
    Off,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            categories: vec![Category::Performance],
            retention_days: 90,
            thresholds: Thresholds::default(),
            digest: DigestSettings::default(),
        }
    }
}

/// The settings as a user reads them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Shown {
    /// What is scored when a check does not say.
    categories: Vec<Category>,
    /// How long snapshots are kept, in days.
    retention_days: u32,
    /// The thresholds of the metrics.
    thresholds: Vec<Threshold>,
    /// The daily digest.
    digest: DigestSettings,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Threshold {
    /// The metric.
    metric: String,
    /// Good up to here.
    good: f64,
    /// Poor above this.
    poor: f64,
}

impl From<Settings> for Shown {
    fn from(settings: Settings) -> Self {
        let Settings { categories, retention_days, thresholds: Thresholds { lcp_ms, cls, inp_ms }, digest } = settings;
        let row = |metric: &str, Bounds { good, poor }| Threshold { metric: metric.to_owned(), good, poor };
        let thresholds = vec![row("LCP, ms", lcp_ms), row("CLS", cls), row("INP, ms", inp_ms)];
        Self { categories, retention_days, thresholds, digest }
    }
}

#[derive(Deserialize, JsonSchema)]
struct NoParams {}

/// Show the settings: thresholds, what is kept, the daily digest.
#[chat_function(action_type = "read")]
async fn get_speed_settings(ctx: Context, _params: NoParams) -> Result<ActionResult<Shown>> {
    let settings = store::settings(&ctx).await?;
    Ok(ActionResult::success(settings.into(), "The settings of the page-speed checks."))
}

#[derive(Deserialize, JsonSchema)]
struct ThresholdParams {
    /// Largest contentful paint in ms: good up to here.
    #[serde(default)]
    #[schemars(range(min = 1))]
    lcp_good: Option<f64>,
    /// Largest contentful paint in ms: poor above this.
    #[serde(default)]
    #[schemars(range(min = 1))]
    lcp_poor: Option<f64>,
    /// Cumulative layout shift: good up to here.
    #[serde(default)]
    #[schemars(range(min = 0))]
    cls_good: Option<f64>,
    /// Cumulative layout shift: poor above this.
    #[serde(default)]
    #[schemars(range(min = 0))]
    cls_poor: Option<f64>,
    /// Interaction to next paint in ms: good up to here.
    #[serde(default)]
    #[schemars(range(min = 1))]
    inp_good: Option<f64>,
    /// Interaction to next paint in ms: poor above this.
    #[serde(default)]
    #[schemars(range(min = 1))]
    inp_poor: Option<f64>,
}

/// Change the thresholds that rate a metric as good or poor; what is left out stays.
#[chat_function(action_type = "write", event = "page-speed.settings_saved", effects = ["update:settings"])]
async fn save_speed_thresholds(ctx: Context, params: ThresholdParams) -> Result<ActionResult<Shown>> {
    // A refusal leaves the settings as they are.
    let mut refused = None;
    let changed = store::change_settings(&ctx, |settings| match rated(&settings.thresholds, &params) {
        Ok(new) => settings.thresholds = new,
        Err(error) => refused = Some(error),
    });
    let settings = changed.await?;
    match refused {
        Some(error) => Err(error),
        None => Ok(ActionResult::success(settings.into(), "The thresholds are saved.")),
    }
}

fn rated(old: &Thresholds, params: &ThresholdParams) -> Result<Thresholds> {
    let mut new = old.clone();
    set(&mut new.lcp_ms, params.lcp_good, params.lcp_poor, "lcp_good")?;
    set(&mut new.cls, params.cls_good, params.cls_poor, "cls_good")?;
    set(&mut new.inp_ms, params.inp_good, params.inp_poor, "inp_good")?;
    Ok(new)
}

fn set(bounds: &mut Bounds, good: Option<f64>, poor: Option<f64>, field: &str) -> Result<()> {
    bounds.good = good.unwrap_or(bounds.good);
    bounds.poor = poor.unwrap_or(bounds.poor);
    if bounds.good < bounds.poor {
        return Ok(());
    }
    let message = format!("`good` must be below `poor`, and {} is not below {}.", bounds.good, bounds.poor);
    Err(Error::user(codes::VALIDATION_TYPE_ERROR, message).with_field(field))
}

#[derive(Deserialize, JsonSchema)]
struct HistoryParams {
    /// What is scored when a check does not say.
    #[serde(default)]
    #[schemars(length(min = 1, max = 5))]
    categories: Option<Vec<Category>>,
    /// How many days snapshots are kept.
    #[serde(default)]
    #[schemars(range(min = 1, max = 3650))]
    retention_days: Option<u32>,
}

/// Change what a check scores by itself and how long its snapshot is kept; what is left out stays.
#[chat_function(action_type = "write", event = "page-speed.settings_saved", effects = ["update:settings"])]
async fn save_speed_defaults(ctx: Context, params: HistoryParams) -> Result<ActionResult<Shown>> {
    let changed = store::change_settings(&ctx, |settings| {
        if let Some(categories) = &params.categories {
            settings.categories.clone_from(categories);
        }
        settings.retention_days = params.retention_days.unwrap_or(settings.retention_days);
    });
    Ok(ActionResult::success(changed.await?.into(), "The defaults are saved."))
}

#[derive(Deserialize, JsonSchema)]
struct DigestParams {
    /// Whether there is a daily digest.
    enabled: bool,
    /// The hour of the day; 6 at first.
    #[serde(default)]
    #[schemars(range(min = 0, max = 23))]
    hour: Option<u8>,
    /// The IANA name of the zone whose clocks count, such as Europe/Berlin; UTC at first.
    #[serde(default)]
    zone: Option<String>,
    /// When it says something: always, only when a page got slower or failed, never.
    #[serde(default)]
    notify: Option<Notify>,
    /// The pages it measures, at most 25.
    #[serde(default)]
    #[schemars(length(max = 25))]
    sites: Option<Vec<String>>,
}

/// Switch the daily digest on or off and say which pages it measures; what is left out stays.
#[chat_function(action_type = "write", event = "page-speed.settings_saved", effects = ["update:settings"])]
async fn save_speed_digest(ctx: Context, params: DigestParams) -> Result<ActionResult<Shown>> {
    let whole = |(at, site): (usize, &String)| address::whole(site, &format!("sites[{at}]"));
    let sites =
        params.sites.map(|sites| sites.iter().enumerate().map(whole).collect::<Result<Vec<_>>>()).transpose()?;
    let changed = store::change_settings(&ctx, |settings| {
        let digest = &mut settings.digest;
        digest.enabled = params.enabled;
        digest.hour = params.hour.unwrap_or(digest.hour);
        if let Some(zone) = &params.zone {
            digest.zone.clone_from(zone);
        }
        digest.notify = params.notify.unwrap_or(digest.notify);
        if let Some(sites) = &sites {
            digest.sites.clone_from(sites);
        }
    });
    let settings = changed.await?;
    digest::plan(&ctx, &settings.digest).await?;
    let summary = match (settings.digest.enabled, settings.digest.sites.len()) {
        (false, _) => "The daily digest is off.".to_owned(),
        (true, 0) => "The daily digest is on, but it has no pages yet.".to_owned(),
        (true, n) => {
            let DigestSettings { hour, zone, .. } = &settings.digest;
            format!("The daily digest measures {n} pages at {hour:02}:00, {zone}.")
        }
    };
    Ok(ActionResult::success(settings.into(), summary))
}
