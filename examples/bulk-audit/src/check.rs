//! The checks: their names, their paths at the service, and the meaning of an answer.
//!
//! Owns the rules from an answer to a status and one line of text. An answer without data, or a malformed
//! one, is `unknown` and never `ok`.

use imperal::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Check {
    Dns,
    Ssl,
    Http,
    Email,
    Blacklist,
    Geo,
    Whois,
    Ports,
    Smtp,
    Seo,
    Propagation,
}

/// The checks of an audit that names none.
pub(crate) const DEFAULT: [Check; 5] = [Check::Dns, Check::Ssl, Check::Http, Check::Email, Check::Blacklist];

/// How it looks, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    #[default]
    Ok,
    Unknown,
    Warning,
    Critical,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Whether the finding is an issue. An unknown result is not an issue of the domain.
    pub(crate) fn is_issue(self) -> bool {
        self >= Self::Warning
    }
}

/// One check of one domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Finding {
    /// The check.
    pub(crate) check: Check,
    /// How it looks.
    pub(crate) status: Status,
    /// One line.
    pub(crate) what: String,
}

impl Check {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Ssl => "ssl",
            Self::Http => "http",
            Self::Email => "email",
            Self::Blacklist => "blacklist",
            Self::Geo => "geo",
            Self::Whois => "whois",
            Self::Ports => "ports",
            Self::Smtp => "smtp",
            Self::Seo => "seo",
            Self::Propagation => "propagation",
        }
    }

    /// The check's path at the service.
    pub(crate) fn path(self, domain: &str) -> String {
        match self {
            Self::Dns => format!("v1/dns/all/{domain}"),
            Self::Ssl => format!("v1/ssl/{domain}"),
            Self::Http => format!("v1/http/headers/{domain}/grade"),
            Self::Email => format!("v1/email/full/{domain}"),
            Self::Blacklist => format!("v1/blacklist/domain/{domain}"),
            Self::Geo => format!("v1/geo/full/{domain}"),
            Self::Whois => format!("v1/whois/{domain}"),
            Self::Ports => format!("v1/ports/scan/{domain}"),
            Self::Smtp => format!("v1/smtp/test/{domain}"),
            Self::Seo => format!("v1/seo/meta?url=https://{domain}"),
            Self::Propagation => format!("v1/dns/propagation/{domain}"),
        }
    }

    /// The finding for the data of an answer.
    pub(crate) fn judge(self, data: &Value) -> Finding {
        let (status, what) = if data.as_object().is_none_or(serde_json::Map::is_empty) {
            (Status::Unknown, "no data".to_owned())
        } else {
            self.rule(data)
        };
        Finding { check: self, status, what }
    }

    /// The finding for a check without an answer.
    pub(crate) fn unknown(self, why: &Error) -> Finding {
        Finding { check: self, status: Status::Unknown, what: why.message().to_owned() }
    }

    fn rule(self, data: &Value) -> (Status, String) {
        use Status::{Critical, Ok, Unknown, Warning};
        let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
        let count = |key: &str| data[key].as_u64().or_else(|| data[key].as_array().map(|list| list.len() as u64));
        match self {
            Self::Ssl => match (data["valid"].as_bool(), data["days_left"].as_i64()) {
                (Some(false), _) => (Critical, "the certificate is not valid".to_owned()),
                (Some(true), Some(days)) if days < 14 => (Warning, format!("the certificate ends in {days} days")),
                (Some(true), Some(days)) => (Ok, format!("valid for {days} days")),
                (Some(true), None) => (Ok, "valid".to_owned()),
                (None, _) => (Unknown, "the answer does not say whether it is valid".to_owned()),
            },
            Self::Http | Self::Email => match text("grade").as_str() {
                "" => (Unknown, "no grade".to_owned()),
                "F" => (Critical, "grade F".to_owned()),
                grade @ ("C" | "D" | "E") => (Warning, format!("grade {grade}")),
                grade => (Ok, format!("grade {grade}")),
            },
            Self::Blacklist => match (text("verdict").as_str(), count("listed_on"), data["ip"].as_str()) {
                ("critical", lists, _) => (Critical, format!("on {} blacklists", lists.unwrap_or_default())),
                ("listed", lists, _) => (Warning, format!("on {} blacklists", lists.unwrap_or_default())),
                // A name without an address cannot be on a list of addresses.
                (_, _, None) => (Unknown, "it has no address to look for".to_owned()),
                _ => (Ok, "on no blacklist".to_owned()),
            },
            Self::Geo => match (count("regions_ok"), count("regions")) {
                (Some(ok), Some(all)) if all > 0 && ok * 10 < all * 6 => (Warning, format!("{ok} of {all} regions")),
                (Some(ok), Some(all)) if all > 0 => (Ok, format!("{ok} of {all} regions")),
                _ => (Unknown, "no regions".to_owned()),
            },
            Self::Smtp => match data["reachable"].as_bool() {
                Some(true) => (Ok, "mail is taken".to_owned()),
                Some(false) => (Warning, "no mail server answers".to_owned()),
                None => (Unknown, "the answer does not say".to_owned()),
            },
            Self::Seo => match count("issues") {
                Some(0) => (Ok, "no issues".to_owned()),
                Some(n) => (Warning, format!("{n} issues")),
                None => (Unknown, "the answer does not say".to_owned()),
            },
            Self::Propagation => match data["complete"].as_bool() {
                Some(true) => (Ok, "the same everywhere".to_owned()),
                Some(false) => (Warning, "not the same everywhere yet".to_owned()),
                None => (Unknown, "the answer does not say".to_owned()),
            },
            Self::Dns => (Ok, format!("records: {}", count("records").unwrap_or_default())),
            Self::Whois => (Ok, format!("registered until {}", text("expires"))),
            Self::Ports => (Ok, format!("open ports: {}", count("open").unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_rule_gives_its_status() {
        use Status::{Critical, Ok, Unknown, Warning};
        for (check, data, status) in [
            (Check::Ssl, json!({"valid": false, "days_left": 80}), Critical),
            (Check::Ssl, json!({"valid": true, "days_left": 13}), Warning),
            (Check::Ssl, json!({"valid": true, "days_left": 14}), Ok),
            (Check::Ssl, json!({"days_left": 14}), Unknown),
            (Check::Http, json!({"grade": "F"}), Critical),
            (Check::Email, json!({"grade": "D"}), Warning),
            (Check::Email, json!({"grade": "A+"}), Ok),
            (Check::Http, json!({"score": 3}), Unknown),
            (Check::Blacklist, json!({"verdict": "critical", "listed_on": ["a"]}), Critical),
            (Check::Blacklist, json!({"verdict": "listed", "ip": "192.0.2.1"}), Warning),
            (Check::Blacklist, json!({"verdict": "clean", "ip": "192.0.2.1"}), Ok),
            (Check::Blacklist, json!({"verdict": "clean", "ip": null}), Unknown),
            (Check::Geo, json!({"regions": 10, "regions_ok": 5}), Warning),
            (Check::Geo, json!({"regions": 10, "regions_ok": 6}), Ok),
            (Check::Smtp, json!({"reachable": false}), Warning),
            (Check::Seo, json!({"issues": ["no title"]}), Warning),
            (Check::Propagation, json!({"complete": false}), Warning),
            (Check::Dns, json!({"records": [1, 2]}), Ok),
            (Check::Dns, json!({}), Unknown),
            (Check::Whois, json!(null), Unknown),
        ] {
            assert_eq!(check.judge(&data).status, status, "{check:?} {data}");
        }
    }
}
