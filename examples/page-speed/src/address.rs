//! Addresses of pages as people type them, completed to URLs.

use imperal::{Error, Result, codes};

/// Longest address that is measured, in bytes.
const LONGEST: usize = 400;

/// The address with its scheme: `https://` is added to a bare domain.
///
/// # Errors
/// A user error that names `field` when the text is not the address of a web page.
pub(crate) fn whole(text: &str, field: &str) -> Result<String> {
    let text = text.trim();
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let rest = whole.strip_prefix("https://").or_else(|| whole.strip_prefix("http://"));
    let host = rest.map_or("", host_of);
    let plausible = whole.len() <= LONGEST
        && !host.is_empty()
        && (host.contains('.') || host == "localhost")
        && !host.starts_with('.')
        && !whole.contains(|c: char| c.is_whitespace() || c.is_control());
    if plausible {
        Ok(whole)
    } else {
        let message = format!("`{text}` is not the address of a web page. Write it like `example.com/about`.");
        Err(Error::user(codes::VALIDATION_TYPE_ERROR, message).with_field(field))
    }
}

/// The host of an address without its scheme.
fn host_of(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_domain_gets_a_scheme_and_a_whole_address_stays() {
        assert_eq!(whole(" example.com ", "url").unwrap(), "https://example.com");
        assert_eq!(whole("http://example.com/a?b#c", "url").unwrap(), "http://example.com/a?b#c");
        assert_eq!(whole("localhost:8080/x", "url").unwrap(), "https://localhost:8080/x");
    }

    #[test]
    fn what_is_no_web_page_is_refused_by_the_name_of_its_field() {
        let long = format!("example.com/{}", "é".repeat(200));
        for bad in [
            long.as_str(),
            "",
            "word",
            "ftp://example.com",
            "exa mple.com",
            "https://",
            "https:///x",
            ".com",
            "http://a b.c",
        ] {
            assert_eq!(whole(bad, "sites[1]").unwrap_err().field(), Some("sites[1]"), "{bad:?}");
        }
    }
}
