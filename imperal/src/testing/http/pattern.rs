//! The URL pattern of a rule.

use reqwest::Url;

/// A URL, or a path on any host. `*` matches any characters.
#[derive(Debug, Clone)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn matches(&self, url: &Url) -> bool {
        let mut shown = if self.0.starts_with('/') {
            url.path().to_owned()
        } else {
            let mut bare = url.clone();
            bare.set_query(None);
            bare.set_fragment(None);
            bare.to_string()
        };
        if let (true, Some(query)) = (self.0.contains('?'), url.query()) {
            shown = format!("{shown}?{query}");
        }
        // `https://host` and `https://host/` are one URL.
        glob(&self.0, &shown) || shown.strip_suffix('/').is_some_and(|shown| glob(&self.0, shown))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_urls_or_paths_with_stars() {
        let fits = |pattern: &str, url: &str| Pattern::new(pattern.to_owned()).matches(&url.parse().unwrap());
        assert!(fits("https://a.example/jobs", "https://a.example/jobs?x=1"));
        assert!(fits("https://a.example", "https://a.example/"));
        assert!(fits("/jobs", "http://127.0.0.1:9/jobs"));
        assert!(fits("https://*.example/jobs/*", "https://a.example/jobs/7/result"));
        assert!(fits("/*/7/*", "https://a.example/jobs/7/result"));
        assert!(fits("*", "https://a.example/jobs"));
        assert!(fits("/jobs?x=*", "https://a.example/jobs?x=1"));
        for (pattern, url) in [
            ("https://a.example/jobs", "https://a.example/jobs/7"),
            ("https://a.example/jobs", "http://a.example/jobs"),
            ("/jobs/*", "https://a.example/jobs"),
            ("/a*a", "https://a.example/a"),
            ("/jobs?x=2", "https://a.example/jobs?x=1"),
            ("/jobs?x=1", "https://a.example/jobs"),
        ] {
            assert!(!fits(pattern, url), "{pattern} {url}");
        }
    }
}
