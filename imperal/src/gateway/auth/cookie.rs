//! The session cookie of the page: name, attributes, and how it is found in a request.
//!
//! Behind TLS (the proxy sets `X-Forwarded-Proto: https`) it is `Secure`, and its name begins with `__Host-`: browsers
//! accept such a cookie only from this host over TLS. Without TLS another port of the same host can set a cookie of any
//! name, so a request may have several. Invalid ones are ignored, and sessions of different users are refused together.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::local::SESSION_LIFETIME;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// How the browser reached the page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::gateway) enum CookieScheme {
    Plain,
    Tls,
}

impl CookieScheme {
    /// Reads `X-Forwarded-Proto`. The first value is the one of the proxy next to the browser.
    pub(in crate::gateway) fn of(headers: &HeaderMap) -> Self {
        let said = headers.get(FORWARDED_PROTO).map(HeaderValue::as_bytes).unwrap_or_default();
        let first = said.split(|byte| *byte == b',').next().unwrap_or_default();
        if first.trim_ascii().eq_ignore_ascii_case(b"https") { Self::Tls } else { Self::Plain }
    }

    fn name(self, name: &str) -> String {
        match self {
            Self::Plain => name.to_owned(),
            Self::Tls => format!("__Host-{name}"),
        }
    }

    /// `Set-Cookie` for a session.
    pub(super) fn set(self, name: &str, value: &str) -> String {
        self.header(name, value, SESSION_LIFETIME.as_secs())
    }

    /// `Set-Cookie` that deletes the session in the browser.
    pub(super) fn clear(self, name: &str) -> String {
        self.header(name, "", 0)
    }

    fn header(self, name: &str, value: &str, age: u64) -> String {
        let name = self.name(name);
        let secure = if self == Self::Tls { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
    }

    /// Values of the cookies of this name, in the order of the request. A value that is not UTF-8 counts as empty, which
    /// is no session. Cookies of other names belong to other programs and are ignored.
    pub(super) fn values<'a>(self, headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
        let start = format!("{}=", self.name(name));
        let pairs = headers.get_all(header::COOKIE).iter().flat_map(|value| value.as_bytes().split(|b| *b == b';'));
        let found = pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(start.as_bytes()));
        found.map(|value| std::str::from_utf8(value).unwrap_or_default()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn finds_all_cookies_of_the_name_and_no_others() {
        let sent = headers(&[("cookie", b"a=\xff; s=1; ss=2;s=3"), ("cookie", b"s=\xff; __Host-s=4")]);
        assert_eq!(CookieScheme::Plain.values(&sent, "s"), ["1", "3", ""]);
        assert_eq!(CookieScheme::Tls.values(&sent, "s"), ["4"]);
    }

    #[test]
    fn cookie_is_secure_if_the_proxy_reports_tls() {
        for (said, way) in [
            ("https", CookieScheme::Tls),
            ("HTTPS, http", CookieScheme::Tls),
            ("http, https", CookieScheme::Plain),
            ("", CookieScheme::Plain),
        ] {
            assert_eq!(CookieScheme::of(&headers(&[("x-forwarded-proto", said.as_bytes())])), way, "{said}");
        }
        assert_eq!(
            CookieScheme::Tls.set("s", "v"),
            "__Host-s=v; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800; Secure"
        );
        assert_eq!(CookieScheme::Plain.clear("s"), "s=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    }
}
