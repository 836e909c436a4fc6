//! `audit_domains`: many domains, some at once, in the background.

use std::collections::BTreeSet;
use std::sync::Arc;

use imperal::prelude::*;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::check::{Check, DEFAULT, Finding, Status};
use crate::domain::{self, Domains};
use crate::running::Running;
use crate::store::Store;
use crate::summary::Audit;
use crate::tools_api::ToolsApi;

/// Domains that are looked at together.
const DOMAINS_AT_ONCE: usize = 3;
/// Checks of one domain that are made together.
const CHECKS_AT_ONCE: usize = 5;

/// One domain, looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Audited {
    /// Its name.
    pub(crate) domain: String,
    /// Its findings, in the order of the checks.
    pub(crate) findings: Vec<Finding>,
}

impl Audited {
    /// The worst of its findings; unknown when there is none.
    pub(crate) fn status(&self) -> Status {
        self.findings.iter().map(|finding| finding.status).max().unwrap_or(Status::Unknown)
    }

    pub(crate) fn issues(&self) -> usize {
        self.findings.iter().filter(|finding| finding.status.is_issue()).count()
    }
}

#[derive(Deserialize, JsonSchema)]
struct AuditParams {
    /// The domains, at most 25.
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
    long_running
)]
async fn audit_domains(ctx: Context, params: AuditParams) -> Result<ActionResult> {
    let domains = params.domains.each_once()?;
    let checks = chosen(params.checks);
    let count = domains.len();
    let Some(held) = ctx.state::<Running>()?.take(ctx.user(), "audit") else {
        return Ok(ActionResult::error(
            "ALREADY_RUNNING",
            "An audit of yours is at work already. Wait for it, or cancel it.",
        ));
    };
    ctx.background_task(move |ctx| async move {
        let _held = held;
        let audit = Audit::of(audited(&ctx, domains, &checks).await?, ctx.state::<Store>()?.now());
        ctx.progress(95, "Writing it down").await?;
        ctx.state::<Store>()?.keep_audit(ctx.user(), audit.clone()).await?;
        let summary = audit.headline();
        Ok(ActionResult::success(audit, summary).refresh_panels(["bulk-audit"]))
    })
    .name(format!("Audit of {}", domains_of(count)))
    // 25 domains, three at once, twenty seconds each at worst, are about 180 s.
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

/// Each check once, the default ones when there is none.
pub(crate) fn chosen(checks: Vec<Check>) -> Vec<Check> {
    let once: BTreeSet<Check> = checks.into_iter().collect();
    if once.is_empty() { DEFAULT.to_vec() } else { once.into_iter().collect() }
}

/// Looks at all of them, in their order, and reports each that is done. Only a cancel is an error.
pub(crate) async fn audited(ctx: &Context, domains: Vec<String>, checks: &[Check]) -> Result<Vec<Audited>> {
    let total = domains.len();
    let gate = Arc::new(Semaphore::new(DOMAINS_AT_ONCE));
    let mut work = JoinSet::new();
    for (at, domain) in domains.into_iter().enumerate() {
        let (ctx, gate, checks) = (ctx.clone(), gate.clone(), checks.to_vec());
        work.spawn(async move {
            let _turn = gate.acquire_owned().await;
            (at, one(&ctx, domain, &checks).await)
        });
    }
    let mut all = vec![None; total];
    let mut done = 0;
    loop {
        // Leaving drops the set, and that aborts what is still at work.
        let ended = tokio::select! {
            ended = work.join_next() => ended,
            () = ctx.cancelled() => return Err(Error::cancelled()),
        };
        let Some(ended) = ended else { break };
        let (at, audited) = ended?;
        let audited = audited?;
        done += 1;
        let stage = format!("{done} of {total}: {}, {}", audited.domain, issues(audited.issues()));
        ctx.progress(done * 90 / total, stage).await?;
        all[at] = Some(audited);
    }
    Ok(all.into_iter().flatten().collect())
}

/// Looks at one of them, five checks at once.
pub(crate) async fn one(ctx: &Context, domain: String, checks: &[Check]) -> Result<Audited> {
    if !domain::is_domain(&domain) {
        let findings = checks.iter().map(|check| check.unknown("this is not the name of a domain")).collect();
        return Ok(Audited { domain, findings });
    }
    let gate = Arc::new(Semaphore::new(CHECKS_AT_ONCE));
    let mut work = JoinSet::new();
    for (at, check) in checks.iter().copied().enumerate() {
        let (ctx, gate, domain) = (ctx.clone(), gate.clone(), domain.clone());
        work.spawn(async move {
            let _turn = gate.acquire_owned().await;
            let api = ctx.state::<ToolsApi>()?;
            Ok::<_, Error>((at, api.check(&ctx, check, &domain).await?))
        });
    }
    let mut findings = vec![None; checks.len()];
    while let Some(ended) = work.join_next().await {
        let (at, finding) = match ended {
            Ok(made) => made?,
            // A panic in one check is that check's.
            Err(_) => continue,
        };
        findings[at] = Some(finding);
    }
    let findings = findings.into_iter().zip(checks);
    let findings =
        findings.map(|(finding, check)| finding.unwrap_or_else(|| check.unknown("the check broke"))).collect();
    Ok(Audited { domain, findings })
}
