//! The report of a measurement: scores, rated metrics, opportunities.
//!
//! Owns the parsing of the service's answer and the thresholds that rate a metric. A metric without data is
//! absent, never zero.

use std::collections::BTreeMap;

use imperal::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most opportunities that a report names.
const OPPORTUNITIES: usize = 10;

/// The device that is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Strategy {
    #[default]
    Mobile,
    Desktop,
}

impl Strategy {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Desktop => "desktop",
        }
    }
}

/// What is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Category {
    Performance,
    Accessibility,
    BestPractices,
    Seo,
    Pwa,
}

impl Category {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Performance => "performance",
            Self::Accessibility => "accessibility",
            Self::BestPractices => "best-practices",
            Self::Seo => "seo",
            Self::Pwa => "pwa",
        }
    }
}

/// The thresholds of a metric: good up to one, poor above the other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Bounds {
    /// Good up to here.
    pub(crate) good: f64,
    /// Poor above this.
    pub(crate) poor: f64,
}

impl Bounds {
    fn rate(self, value: f64) -> Rating {
        match value {
            v if v <= self.good => Rating::Good,
            v if v <= self.poor => Rating::NeedsImprovement,
            _ => Rating::Poor,
        }
    }
}

/// The bounds of the three metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Thresholds {
    /// Largest contentful paint, in milliseconds.
    pub(crate) lcp_ms: Bounds,
    /// Cumulative layout shift.
    pub(crate) cls: Bounds,
    /// Interaction to next paint, in milliseconds.
    pub(crate) inp_ms: Bounds,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            lcp_ms: Bounds { good: 2500.0, poor: 4000.0 },
            cls: Bounds { good: 0.1, poor: 0.25 },
            inp_ms: Bounds { good: 200.0, poor: 500.0 },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Rating {
    #[serde(rename = "good")]
    Good,
    #[serde(rename = "needs improvement")]
    NeedsImprovement,
    #[serde(rename = "poor")]
    Poor,
}

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Reading {
    /// LCP, CLS, TBT (the laboratory's stand-in for INP) or INP.
    pub(crate) metric: String,
    /// In its unit, two decimals.
    pub(crate) value: f64,
    /// `ms`, or empty.
    pub(crate) unit: String,
    /// Against the thresholds of the settings.
    pub(crate) rating: Rating,
}

/// An improvement of the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Opportunity {
    /// What to do.
    pub(crate) what: String,
    /// The time that it saves, in milliseconds.
    pub(crate) saves_ms: f64,
}

/// A measurement, read and rated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Report {
    /// From 0 to 1, by category.
    pub(crate) scores: BTreeMap<String, f64>,
    /// Measured now, in a laboratory.
    pub(crate) lab: Vec<Reading>,
    /// Measured by real visitors; empty without data of them.
    pub(crate) field: Vec<Reading>,
    /// Whether there is data of real visitors.
    pub(crate) has_field_data: bool,
    /// By what they save, at most ten.
    pub(crate) opportunities: Vec<Opportunity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    lighthouse_result: Lighthouse,
    #[serde(default)]
    loading_experience: Experience,
}

#[derive(Deserialize)]
struct Lighthouse {
    #[serde(default)]
    categories: BTreeMap<String, Scored>,
    #[serde(default)]
    audits: BTreeMap<String, Audit>,
}

#[derive(Deserialize)]
struct Scored {
    score: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Audit {
    #[serde(default)]
    title: String,
    score: Option<f64>,
    numeric_value: Option<f64>,
    details: Option<Details>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    overall_savings_ms: Option<f64>,
}

#[derive(Deserialize, Default)]
struct Experience {
    #[serde(default)]
    metrics: BTreeMap<String, Percentile>,
}

#[derive(Deserialize)]
struct Percentile {
    percentile: f64,
}

impl Report {
    /// Reads the service's answer.
    ///
    /// # Errors
    /// `BAD_ANSWER` when it is not JSON of that shape.
    pub(crate) fn read(body: &[u8], thresholds: &Thresholds) -> Result<Self> {
        let answer: Answer = serde_json::from_slice(body).map_err(|error| {
            Error::retryable("BAD_ANSWER", "The page-speed service sent an answer that makes no sense.")
                .with_source(error)
        })?;
        let audits = &answer.lighthouse_result.audits;
        let lab = |metric, audit: &str, unit, bounds| {
            let value = audits.get(audit)?.numeric_value?;
            Some(rated(metric, value, unit, bounds))
        };
        let seen = |metric, name: &str, scale, unit, bounds| {
            let value = answer.loading_experience.metrics.get(name)?.percentile * scale;
            Some(rated(metric, value, unit, bounds))
        };
        let Thresholds { lcp_ms, cls, inp_ms } = *thresholds;
        let field: Vec<Reading> = [
            seen("LCP", "LARGEST_CONTENTFUL_PAINT_MS", 1.0, "ms", lcp_ms),
            // The service sends a whole number of hundredths.
            seen("CLS", "CUMULATIVE_LAYOUT_SHIFT_SCORE", 0.01, "", cls),
            seen("INP", "INTERACTION_TO_NEXT_PAINT", 1.0, "ms", inp_ms),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut opportunities: Vec<Opportunity> = audits.values().filter_map(opportunity).collect();
        opportunities.sort_by(|a, b| b.saves_ms.total_cmp(&a.saves_ms));
        opportunities.truncate(OPPORTUNITIES);
        let scored = |(name, scored): (&String, &Scored)| Some((name.clone(), scored.score?));
        Ok(Self {
            scores: answer.lighthouse_result.categories.iter().filter_map(scored).collect(),
            lab: [
                lab("LCP", "largest-contentful-paint", "ms", lcp_ms),
                lab("CLS", "cumulative-layout-shift", "", cls),
                lab("TBT", "total-blocking-time", "ms", inp_ms),
            ]
            .into_iter()
            .flatten()
            .collect(),
            has_field_data: !field.is_empty(),
            field,
            opportunities,
        })
    }

    /// `Performance 87/100`, `n/a` where it was not scored.
    pub(crate) fn headline(&self) -> String {
        match self.scores.get(Category::Performance.as_str()) {
            Some(score) => format!("Performance {:.0}/100", score * 100.0),
            None => "Performance n/a".to_owned(),
        }
    }
}

fn rated(metric: &str, value: f64, unit: &str, bounds: Bounds) -> Reading {
    Reading { metric: metric.to_owned(), value: rounded(value, 2), unit: unit.to_owned(), rating: bounds.rate(value) }
}

fn opportunity(audit: &Audit) -> Option<Opportunity> {
    let saves_ms = audit.details.as_ref()?.overall_savings_ms.filter(|saving| *saving > 0.0)?;
    let done_well = audit.score.is_none_or(|score| score >= 0.9);
    (!done_well).then(|| Opportunity { what: audit.title.clone(), saves_ms: saves_ms.round() })
}

/// Rounds to this number of decimals.
pub(crate) fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

/// A score or metric of two checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Change {
    /// Category or metric.
    pub(crate) what: String,
    /// At the earlier check.
    pub(crate) before: f64,
    /// At the newer check.
    pub(crate) now: f64,
    /// `now` less `before`.
    pub(crate) difference: f64,
}

/// Scores that both have, with their change to four decimals.
pub(crate) fn score_changes(before: &Report, now: &Report) -> Vec<Change> {
    let both = now.scores.iter().filter_map(|(name, new)| Some((name, *before.scores.get(name)?, *new)));
    both.map(|(name, old, new)| Change { what: name.clone(), before: old, now: new, difference: rounded(new - old, 4) })
        .collect()
}

/// Laboratory metrics that both have, with their change to two decimals.
pub(crate) fn metric_changes(before: &Report, now: &Report) -> Vec<Change> {
    let old = |metric: &str| before.lab.iter().find(|old| old.metric == metric).map(|old| old.value);
    let both = now.lab.iter().filter_map(|new| Some((&new.metric, old(&new.metric)?, new.value)));
    both.map(|(name, old, new)| Change { what: name.clone(), before: old, now: new, difference: rounded(new - old, 2) })
        .collect()
}

/// A page regressed when a score fell by more than this.
const REGRESSION: f64 = 0.05;

pub(crate) fn regressed(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.difference < -REGRESSION)
}
