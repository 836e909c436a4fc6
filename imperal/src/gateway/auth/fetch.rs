//! One fetch of a JWKS: limited in time and size, from the configured address only.

use std::time::Duration;

use futures_util::FutureExt;

use super::AuthError;
use super::jwks::Fetch;
use super::keys::KeySet;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest JWKS, in bytes. Those of large issuers have about 10 KiB.
const BODY_LIMIT: usize = 256 * 1024;

/// A fetch of the keys at a URL. Redirects are not followed: an open redirect of the issuer could lead to other keys.
/// Proxies from the environment are not used for `http` addresses: a proxy could replace the keys.
///
/// # Errors
/// If the text is not an `http` or `https` URL, or no client can be made.
pub(super) fn of_url(text: &str) -> Result<Fetch, AuthError> {
    crate::tls::choose_cryptography();
    let not_one = |why: &str| AuthError::unusable_key(format!("the address of the JWKS cannot be used: {why}"));
    let url = reqwest::Url::parse(text).map_err(|error| not_one(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(not_one("it must begin with https:// or http://"));
    }
    let mut client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    if url.scheme() == "http" {
        let local = url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
        if !local {
            tracing::warn!(
                jwks = shown(&url),
                "the JWKS is fetched without TLS: a machine in between can exchange the keys and sign tokens; use https://"
            );
        }
        client = client.no_proxy();
    }
    let client = client.build().map_err(|error| not_one(&error.to_string()))?;
    Ok(Box::new(move || {
        let (client, url) = (client.clone(), url.clone());
        async move { get(&client, &url).await.map_err(|why| format!("{}: {why}", shown(&url))) }.boxed()
    }))
}

async fn get(client: &reqwest::Client, url: &reqwest::Url) -> Result<KeySet, String> {
    let said = |error: reqwest::Error| crate::error::root(&error.without_url()).to_string();
    let mut answer = client.get(url.clone()).send().await.map_err(said)?;
    let status = answer.status();
    if status.is_redirection() {
        return Err(format!("it answered {status}, and redirects are not followed: give the address they lead to"));
    }
    if !status.is_success() {
        return Err(format!("it answered {status}"));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(said)? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(format!("the answer has more than {BODY_LIMIT} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    KeySet::read(&body).map_err(|error| format!("the answer is not a JWKS: {error}"))
}

/// The address without user, password and query, which may be secrets.
fn shown(url: &reqwest::Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_address_has_no_secret() {
        let url = reqwest::Url::parse("https://user:hush@id.example:8443/keys?token=hush#hush").unwrap();
        assert_eq!(shown(&url), "https://id.example:8443/keys");
    }

    #[test]
    fn refuses_other_schemes() {
        assert!(of_url("file:///etc/keys").is_err());
        assert!(of_url("https://").is_err());
    }
}
