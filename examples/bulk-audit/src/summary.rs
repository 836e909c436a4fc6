//! An audit for users: one table of domains, one of issues.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::{self, Audited};
use crate::check::{Check, Finding, Status};

/// An audit of some domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Audit {
    /// When it was made, UTC.
    pub(crate) at: String,
    /// One row a domain, the worst first.
    pub(crate) domains: Vec<Row>,
    /// Issues, the worst first.
    pub(crate) issues: Vec<Issue>,
    /// Checks without a result, with the reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unknown: Vec<Unknown>,
}

/// One domain; a check that was not made is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Row {
    /// Its name.
    pub(crate) domain: String,
    /// The worst of its checks.
    pub(crate) status: Status,
    /// How many issues it has.
    pub(crate) issues: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dns: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ssl: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blacklist: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    geo: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whois: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ports: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    smtp: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seo: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    propagation: Option<Status>,
}

/// An issue of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Issue {
    /// The domain.
    pub(crate) domain: String,
    /// The check.
    pub(crate) check: Check,
    /// How it looks.
    pub(crate) status: Status,
    /// One line.
    pub(crate) what: String,
}

/// Checks of a domain that have no answer, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Unknown {
    /// The domain.
    pub(crate) domain: String,
    /// The check.
    pub(crate) checks: Vec<Check>,
    /// Why there is no answer.
    pub(crate) why: String,
}

impl Audit {
    pub(crate) fn of(mut audited: Vec<Audited>, at: Timestamp) -> Self {
        audited.sort_by_key(|one| std::cmp::Reverse((one.status(), one.issues())));
        let mut issues = Vec::new();
        let mut unknown: Vec<Unknown> = Vec::new();
        for (domain, finding) in
            audited.iter().flat_map(|one| one.findings.iter().map(|finding| (&one.domain, finding)))
        {
            let Finding { check, status, what } = finding.clone();
            match unknown.iter_mut().find(|row| row.domain == *domain && row.why == what) {
                _ if status.is_issue() => issues.push(Issue { domain: domain.clone(), check, status, what }),
                _ if status == Status::Ok => {}
                Some(row) => row.checks.push(check),
                None => unknown.push(Unknown { domain: domain.clone(), checks: vec![check], why: what }),
            }
        }
        issues.sort_by_key(|issue| std::cmp::Reverse(issue.status));
        let at = at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        Self { at, domains: audited.iter().map(row).collect(), issues, unknown }
    }

    /// `12 domains: 2 critical, 3 with warnings; 7 issues.`
    pub(crate) fn headline(&self) -> String {
        let of = |status| self.domains.iter().filter(|row| row.status == status).count();
        let total = audit::domains_of(self.domains.len());
        let parts = [
            (of(Status::Critical), "critical"),
            (of(Status::Warning), "with warnings"),
            (of(Status::Unknown), "unclear"),
        ];
        let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        match (parts.is_empty(), self.issues.len()) {
            (true, _) => format!("{total}, nothing to complain about."),
            (false, n) => format!("{total}: {}; {}.", parts.join(", "), audit::issues(n)),
        }
    }

    /// Domains that are critical here and were not in the audit before.
    pub(crate) fn newly_critical<'a>(&'a self, before: Option<&'a Self>) -> Vec<&'a str> {
        let critical = |audit: &'a Self| {
            audit.domains.iter().filter(|row| row.status == Status::Critical).map(|row| row.domain.as_str())
        };
        let known: Vec<&str> = before.into_iter().flat_map(critical).collect();
        critical(self).filter(|domain| !known.contains(domain)).collect()
    }
}

fn row(audited: &Audited) -> Row {
    let mut row =
        Row { domain: audited.domain.clone(), status: audited.status(), issues: audited.issues(), ..Row::default() };
    for finding in &audited.findings {
        *row.of(finding.check) = Some(finding.status);
    }
    row
}

impl Row {
    fn of(&mut self, check: Check) -> &mut Option<Status> {
        match check {
            Check::Dns => &mut self.dns,
            Check::Ssl => &mut self.ssl,
            Check::Http => &mut self.http,
            Check::Email => &mut self.email,
            Check::Blacklist => &mut self.blacklist,
            Check::Geo => &mut self.geo,
            Check::Whois => &mut self.whois,
            Check::Ports => &mut self.ports,
            Check::Smtp => &mut self.smtp,
            Check::Seo => &mut self.seo,
            Check::Propagation => &mut self.propagation,
        }
    }
}
