//! Names of domains as people paste them.

/// A name in lower case, without the scheme, path or dot at the end that came along.
pub(crate) fn tidy(text: &str) -> String {
    let text = text.trim();
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let name = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    name.trim_end_matches('.').to_lowercase()
}

/// Whether a tidy name can be one of a domain.
pub(crate) fn is_domain(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}

/// Tidy names, each once, in the order they came.
pub(crate) fn each_once(names: &[String]) -> Vec<String> {
    let mut once: Vec<String> = Vec::with_capacity(names.len());
    for name in names.iter().map(|name| tidy(name)).filter(|name| !name.is_empty()) {
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
        let pasted = ["https://Example.com/a?b", " example.com. ", "", "example.org:8443"].map(str::to_owned);
        assert_eq!(each_once(&pasted), ["example.com", "example.org"]);
    }

    #[test]
    fn what_cannot_be_a_domain_is_told_apart() {
        assert!(["example.com", "bücher.example", "a-b.c1.d", "_dmarc.example.com"].into_iter().all(is_domain));
        let long = format!("{}.com", "a".repeat(64));
        assert!(!["word", "", "a..b", "-a.com", "a-.com", "a b.com", &long].into_iter().any(is_domain));
    }
}
