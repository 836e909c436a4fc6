//! Follows redirects, and decides which parts of the request go to the new address.
//!
//! Owns this rule for the network and for scripted services: the transports below send single requests.
//! Within an origin (scheme, host, port), a redirected request keeps its headers except for `Referer`. To
//! another origin it carries a few harmless headers only. A request with a body or an unsafe method is not
//! sent to another origin.

use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use reqwest::Url;
use tokio::time::Instant;

use super::OutgoingRequest;
use super::transport::{AnyResponse, Transport};
use crate::error::HttpError;

/// Most redirects of one call.
pub(super) const MAX_REDIRECTS: u32 = 10;

/// Headers that another origin may see. None of them identifies the user or contains a secret.
const SAFE_HEADERS: [HeaderName; 8] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::RANGE,
    header::USER_AGENT,
];

/// Headers that describe a body.
const BODY_HEADERS: [HeaderName; 7] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
];

/// Sends a request and follows redirects to the final response. The timeout covers all requests together; of a
/// response that is read as it comes, it covers them up to the head of the final one, and then each silence.
pub(super) async fn follow<T: AnyResponse>(
    transport: &dyn Transport,
    mut outgoing: OutgoingRequest,
) -> Result<T, HttpError> {
    let (timeout, begun) = (outgoing.timeout, Instant::now());
    let mut redirects = 0;
    loop {
        outgoing.timeout = timeout.saturating_sub(begun.elapsed());
        if outgoing.timeout.is_zero() {
            return Err(HttpError::timeout(timeout));
        }
        // `None` if the body cannot be sent twice. Then even a redirect is returned as the response.
        let next = outgoing.again(outgoing.resent + 1);
        let answer = T::receive(transport, outgoing).await;
        let answer = answer.map_err(|error| if error.is_timeout() { HttpError::timeout(timeout) } else { error })?;
        let (Some(mut next), Some(location)) = (next, location(&answer)) else { return Ok(answer) };
        if redirects == MAX_REDIRECTS {
            return Err(HttpError::redirect(format!("the service redirected more than {MAX_REDIRECTS} times")));
        }
        redirect(&mut next, answer.status(), location)?;
        redirects += 1;
        outgoing = next;
    }
}

/// The target of a redirect, as the service wrote it; `None` if the response is no redirect.
fn location(answer: &impl AnyResponse) -> Option<&[u8]> {
    matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308)
        .then(|| answer.headers().get(header::LOCATION))
        .flatten()
        .map(http::HeaderValue::as_bytes)
}

/// Changes the request into the one that a redirect asks for.
fn redirect(outgoing: &mut OutgoingRequest, status: StatusCode, location: &[u8]) -> Result<(), HttpError> {
    let request = &mut outgoing.request;
    let from = request.url().clone();
    let to = std::str::from_utf8(location).ok().and_then(|text| from.join(text).ok());
    let Some(mut to) = to else {
        return Err(HttpError::redirect(format!("{} redirects to an address that is malformed", origin(&from))));
    };
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => {}
        ("https", "http") => {
            return Err(HttpError::redirect(format!(
                "{} redirects from https to http ({}), which anybody on the way can read: it is not followed",
                origin(&from),
                origin(&to)
            )));
        }
        (_, other) => {
            return Err(HttpError::redirect(format!(
                "{} redirects to the scheme `{other}`: only http and https are followed",
                origin(&from)
            )));
        }
    }
    // A user name or password in the target comes from the service, not from the author.
    let _ = to.set_username("");
    let _ = to.set_password(None);

    let method = request.method();
    let becomes_get = match status.as_u16() {
        303 => method != Method::HEAD,
        301 | 302 => method == Method::POST,
        _ => false,
    };
    if becomes_get {
        *request.method_mut() = Method::GET;
        *request.body_mut() = None;
        remove(request.headers_mut(), |name| BODY_HEADERS.contains(name));
    }
    request.headers_mut().remove(header::REFERER);
    if from.origin() != to.origin() {
        let method = request.method();
        let has_body = request.body().is_some_and(|body| body.as_bytes().is_none_or(|bytes| !bytes.is_empty()));
        if has_body || !method.is_safe() {
            return Err(HttpError::redirect(format!(
                "{} redirects a {method} to another origin, {}: its body and headers are meant for the first, so it \
                 is not sent on. If you trust the other, send it there yourself: `.follow_redirects(false)` gives \
                 you the answer with its `location`",
                origin(&from),
                origin(&to)
            )));
        }
        *request.body_mut() = None;
        remove(request.headers_mut(), |name| !SAFE_HEADERS.contains(name));
        outgoing.traced = false;
    }
    *outgoing.request.url_mut() = to;
    Ok(())
}

fn remove(headers: &mut HeaderMap, is_it: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| is_it(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Scheme, host and port: the only parts of an address that an error may show.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &'static str) -> OutgoingRequest {
        let mut request = reqwest::Request::new(method.parse().unwrap(), url.parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        *request.body_mut() = (!body.is_empty()).then(|| body.into());
        let timeout = Duration::from_secs(1);
        OutgoingRequest { request, timeout, silence: timeout, body_limit: 1, resent: 0, traced: true }
    }

    /// Method, URL, headers and body of the redirected request, or the error if there is none.
    fn next(mut outgoing: OutgoingRequest, status: u16, location: &str) -> Result<String, String> {
        redirect(&mut outgoing, StatusCode::from_u16(status).unwrap(), location.as_bytes())
            .map_err(|error| error.to_string())?;
        let request = &outgoing.request;
        let mut said = format!("{} {}", request.method(), request.url());
        for (name, value) in request.headers() {
            said = format!("{said} {name}={}", value.to_str().unwrap());
        }
        if let Some(body) = request.body() {
            said = format!("{said} <{}>", String::from_utf8_lossy(body.as_bytes().unwrap()));
        }
        Ok(format!("{said}{}", if outgoing.traced { "" } else { " untraced" }))
    }

    #[test]
    fn methods_and_bodies_follow_the_standards_within_an_origin() {
        let typed = [("content-type", "text/plain"), ("x-key", "k"), ("referer", "https://a/?q=1")];
        let asked = |method, body| request(method, "https://a.example/one?key=k", &typed, body);
        for (method, status, wanted) in [
            ("POST", 301, "GET https://a.example/two x-key=k"),
            ("POST", 302, "GET https://a.example/two x-key=k"),
            ("POST", 303, "GET https://a.example/two x-key=k"),
            ("PUT", 303, "GET https://a.example/two x-key=k"),
            ("PUT", 302, "PUT https://a.example/two content-type=text/plain x-key=k <body>"),
            ("POST", 307, "POST https://a.example/two content-type=text/plain x-key=k <body>"),
            ("POST", 308, "POST https://a.example/two content-type=text/plain x-key=k <body>"),
        ] {
            assert_eq!(next(asked(method, "body"), status, "/two").unwrap(), wanted, "{method} {status}");
        }
        assert_eq!(next(request("HEAD", "https://a.example/", &[], ""), 303, "b").unwrap(), "HEAD https://a.example/b");
    }

    #[test]
    fn another_origin_gets_harmless_headers_only() {
        let headers = [
            ("accept", "text/html"),
            ("authorization", "Bearer t"),
            ("cookie", "c=1"),
            ("idempotency-key", "i"),
            ("referer", "https://a.example/one?key=k"),
            ("x-api-key", "k"),
            ("x-api-key", "l"),
            ("traceparent", "00-1-2-01"),
            ("user-agent", "mine/1"),
            ("content-type", "text/plain"),
        ];
        let wanted = |method: &str, url: &str| format!("{method} {url} accept=text/html user-agent=mine/1 untraced");
        for to in ["https://b.example/two", "https://a.example:444/two", "https://a.example.b.example/two"] {
            let got = next(request("GET", "https://a.example/one?key=k", &headers, ""), 307, to);
            assert_eq!(got.unwrap(), wanted("GET", to));
            let got = next(request("POST", "https://a.example/one?key=k", &headers, "body"), 302, to);
            assert_eq!(got.unwrap(), wanted("GET", to));
        }
        let got = next(request("GET", "http://a.example/", &headers, ""), 301, "https://a.example/");
        assert_eq!(got.unwrap(), wanted("GET", "https://a.example/"), "another scheme is another origin");
        let got = next(request("GET", "https://a.example/", &headers, ""), 301, "https://me:pw@b.example/");
        assert_eq!(got.unwrap(), wanted("GET", "https://b.example/"));
        let got = next(request("GET", "https://a.example/", &[("x-key", "k")], ""), 301, "//A.example:443/x");
        assert_eq!(got.unwrap(), "GET https://a.example/x x-key=k", "the same origin, written otherwise");
    }

    #[test]
    fn what_another_origin_must_not_see_is_not_sent() {
        for (method, status, body) in [
            ("POST", 307, "secret"),
            ("POST", 308, "secret"),
            ("PUT", 301, "secret"),
            ("PATCH", 302, "secret"),
            ("GET", 302, "secret"),
            ("DELETE", 307, ""),
        ] {
            let asked = request(method, "https://a.example/one?key=k", &[("x-key", "k")], body);
            let refused = next(asked, status, "https://b.example:8443/two?code=c").unwrap_err();
            assert!(
                refused.starts_with(&format!(
                    "https://a.example redirects a {method} to another origin, https://b.example:8443: "
                )),
                "{refused}"
            );
            assert!(refused.contains("follow_redirects(false)") && !refused.contains("code=c"), "{refused}");
        }
    }

    #[test]
    fn only_http_and_https_are_followed_and_never_down() {
        let get = |url| request("GET", url, &[], "");
        for (from, to, wanted) in [
            ("https://a.example/", "http://a.example/", "redirects from https to http (http://a.example)"),
            ("https://a.example/", "file:///etc/passwd", "to the scheme `file`"),
            ("http://a.example/", "ftp://a.example/x", "to the scheme `ftp`"),
            ("http://a.example/", "http://[", "an address that is malformed"),
        ] {
            let refused = next(get(from), 302, to).unwrap_err();
            assert!(refused.contains(wanted), "{to}: {refused}");
        }
    }
}
