//! Domain names as people paste them: a list, or one text with any separators.

use imperal::{Error, Result, codes};
use schemars::JsonSchema;
use serde::Deserialize;

/// Domains of one audit or group.
const MOST: usize = 25;

/// Domains as a parameter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Domains {
    #[schemars(title = "Pasted")]
    Text(#[schemars(length(min = 1, max = 10_000), extend("format" = "multiline"))] String),
    #[schemars(title = "One by one")]
    List(#[schemars(length(min = 1, max = 25))] Vec<String>),
}

impl Domains {
    /// Normalised names without duplicates, in their order.
    ///
    /// # Errors
    /// A user error when there are none, or more than 25.
    pub(crate) fn each_once(&self) -> Result<Vec<String>> {
        let names: Vec<&str> = match self {
            Self::Text(text) => text.split([',', ';', ' ', '\t', '\r', '\n']).collect(),
            Self::List(names) => names.iter().map(String::as_str).collect(),
        };
        let once = each_once(&names);
        let refused = match once.len() {
            0 => "There is no domain in the list.".to_owned(),
            n if n > MOST => format!("At most {MOST} domains go together; these are {n}."),
            _ => return Ok(once),
        };
        Err(Error::user(codes::VALIDATION_TYPE_ERROR, refused).with_field("domains"))
    }
}

/// A name in lower case, without scheme, path and trailing dot.
pub(crate) fn tidy(text: &str) -> String {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let name = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    name.trim_end_matches('.').to_lowercase()
}

/// Whether a normalised name can be a domain.
pub(crate) fn is_domain(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}

fn each_once(names: &[&str]) -> Vec<String> {
    let mut once: Vec<String> = Vec::with_capacity(names.len());
    for name in names.iter().copied().map(tidy).filter(|name| !name.is_empty()) {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pasted_becomes_names_each_once() {
        let list = ["https://Example.com/a?b", " example.com. ", "", "example.org:8443"].map(str::to_owned).to_vec();
        assert_eq!(Domains::List(list).each_once().unwrap(), ["example.com", "example.org"]);
        let text = "https://Example.com/a?b, example.com.\nexample.org:8443".to_owned();
        assert_eq!(Domains::Text(text).each_once().unwrap(), ["example.com", "example.org"]);
    }

    #[test]
    fn none_and_too_many_are_refused() {
        let many = (0..26).map(|n| format!("d{n}.example.com")).collect::<Vec<_>>();
        for bad in [" , ", &many.join("\n")] {
            assert_eq!(Domains::Text(bad.to_owned()).each_once().unwrap_err().field(), Some("domains"));
        }
        assert_eq!(Domains::Text(many[..25].join("\n")).each_once().unwrap().len(), 25);
    }

    #[test]
    fn what_cannot_be_a_domain_is_told_apart() {
        assert!(["example.com", "bücher.example", "a-b.c1.d", "_dmarc.example.com"].into_iter().all(is_domain));
        let long = format!("{}.com", "a".repeat(64));
        assert!(!["word", "", "a..b", "-a.com", "a-.com", "a b.com", &long].into_iter().any(is_domain));
    }
}
