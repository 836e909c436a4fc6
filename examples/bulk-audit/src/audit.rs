//! `audit_domains`: many domains, some at once, in the background.

use std::collections::BTreeSet;

use imperal::prelude::*;
use jiff::Timestamp;

use crate::check::{Check, DEFAULT, Finding, Status};
use crate::domain::{self, Domains};
use crate::store::{AUDITS, LATEST};
use crate::summary::Audit;
use crate::tools_api::ToolsApi;

/// Domains that are audited at once.
const DOMAINS_AT_ONCE: usize = 3;
/// Checks of one domain that run at once.
const CHECKS_AT_ONCE: usize = 5;

/// An audited domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Audited {
    /// Its name.
    pub(crate) domain: String,
    /// Its findings, in the order of the checks.
    pub(crate) findings: Vec<Finding>,
}

impl Audited {
    /// The worst of its findings; unknown without findings.
    pub(crate) fn status(&self) -> Status {
        self.findings.iter().map(|finding| finding.status).max().unwrap_or(Status::Unknown)
    }

    /// A domain without any result, and the reason.
    fn unknown(domain: &str, checks: &[Check], why: &Error) -> Self {
        Self { domain: domain.to_owned(), findings: checks.iter().map(|check| check.unknown(why)).collect() }
    }

    pub(crate) fn issues(&self) -> usize {
        self.findings.iter().filter(|finding| finding.status.is_issue()).count()
    }
}

#[derive(Deserialize, JsonSchema)]
struct AuditParams {
    /// The domains, at most 25: one text with commas, spaces or line ends between them, or a list.
    domains: Domains,
    /// What to look at; dns, ssl, http, email and blacklist when this is empty.
    #[serde(default)]
    #[schemars(length(max = 11))]
    checks: Vec<Check>,
}

/// Audit up to 25 domains: certificates, DNS, headers, mail, blacklists and more. It works in the
/// background and posts one table; a domain or check that fails stops nothing.
#[chat_function(
    action_type = "write",
    event = "bulk-audit.audited",
    effects = ["update:audit"],
    data_model = Audit,
    background,
    long_running,
    // It does nothing but start a task: the call, the task and the reply are stored together.
    starter
)]
async fn audit_domains(ctx: Context, params: AuditParams) -> Result<ActionResult> {
    let domains = params.domains.each_once()?;
    let checks = chosen(params.checks);
    let count = domains.len();
    ctx.background_task(move |ctx| async move {
        let audit = Audit::of(audited(&ctx, &domains, &checks).await?, Timestamp::now());
        ctx.progress(95, "Writing it down").await?;
        ctx.documents(&AUDITS).put(LATEST, &audit).await?;
        let summary = audit.headline();
        Ok(ActionResult::success(audit, summary).refresh_panels(["bulk-audit"]))
    })
    .name(format!("Audit of {}", domains_of(count)))
    .key("audit")
    // 25 domains, three at once, at most twenty seconds each: about 180 s.
    .long_running(true)
    .await?;
    Ok(ActionResult::done(format!("Auditing {}. The table comes here.", domains_of(count))))
}

/// `1 domain`, `12 domains`.
pub(crate) fn domains_of(count: usize) -> String {
    if count == 1 { "1 domain".to_owned() } else { format!("{count} domains") }
}

/// `no issues`, `1 issue`, `7 issues`.
pub(crate) fn issues(count: usize) -> String {
    match count {
        0 => "no issues".to_owned(),
        1 => "1 issue".to_owned(),
        n => format!("{n} issues"),
    }
}

/// The checks without duplicates, or the default ones when the list is empty.
pub(crate) fn chosen(checks: Vec<Check>) -> Vec<Check> {
    let once: BTreeSet<Check> = checks.into_iter().collect();
    if once.is_empty() { DEFAULT.to_vec() } else { once.into_iter().collect() }
}

/// Audits all domains, three at once, and returns them in their order. Only a cancel is an error.
pub(crate) async fn audited(ctx: &Context, domains: &[String], checks: &[Check]) -> Result<Vec<Audited>> {
    let results = ctx
        .fan_out(domains, async |domain| one(ctx, domain, checks).await)
        .at_most(DOMAINS_AT_ONCE)
        .named(ToString::to_string)
        .progress(0..=90)
        .text(|part| match part.result {
            Ok(audited) => format!("{part}, {}", issues(audited.issues())),
            Err(_) => part.to_string(),
        })
        .await?;
    let all = results.into_iter().zip(domains);
    Ok(all.map(|(result, domain)| result.unwrap_or_else(|error| Audited::unknown(domain, checks, &error))).collect())
}

/// Audits one domain, five checks at once. A failed check is `unknown`.
pub(crate) async fn one(ctx: &Context, domain: &str, checks: &[Check]) -> Result<Audited> {
    if !domain::is_domain(domain) {
        return Ok(Audited::unknown(domain, checks, &Error::user("NO_DOMAIN", "this is not the name of a domain")));
    }
    let api = ctx.state::<ToolsApi>()?;
    let made = ctx.fan_out(checks, async |check| api.check(ctx, *check, domain).await).at_most(CHECKS_AT_ONCE).await?;
    let made = made.into_iter().zip(checks);
    let findings = made.map(|(finding, check)| finding.unwrap_or_else(|error| check.unknown(&error))).collect();
    Ok(Audited { domain: domain.to_owned(), findings })
}
