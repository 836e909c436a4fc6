//! Where clients get tokens: the metadata of a protected resource (RFC 9728).
//!
//! Without an issuer there is no metadata: clients that find metadata try to sign in there, and fail without a server
//! that they can sign in at.

use std::fmt;

use http::Uri;
use http::uri::Scheme;
use serde_json::{Value, json};

/// The path of the metadata, before the path of the resource.
pub(crate) const METADATA: &str = "/.well-known/oauth-protected-resource";

/// An authorization server at which MCP clients get tokens for this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthIssuer {
    issuer: String,
    resource: String,
    origin: String,
    path: String,
}

/// A text that is not the URL of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAServer {
    what: &'static str,
    text: String,
}

impl fmt::Display for NotAServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, text } = self;
        write!(f, "{what} {text:?} is not a URL such as https://chat.example.com/mcp, without query and fragment")
    }
}

impl std::error::Error for NotAServer {}

impl AuthIssuer {
    /// Clients sign in at `issuer` and ask it for a token for `resource`: the URL of `/mcp` as clients reach it, or a URL
    /// above it. Only tokens with this URL in `aud` are accepted then, on every route.
    ///
    /// # Errors
    /// If one of them is not an `http` or `https` URL, or has a query or a fragment.
    pub fn new(issuer: impl Into<String>, resource: impl Into<String>) -> Result<Self, NotAServer> {
        let (issuer, resource) = (issuer.into(), resource.into());
        parts("the issuer", &issuer)?;
        let (origin, path) = parts("the audience", &resource)?;
        Ok(Self { issuer, resource, origin, path })
    }

    /// The claim `iss` of its tokens.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The claim `aud` of its tokens.
    pub(crate) fn resource(&self) -> &str {
        &self.resource
    }

    /// The metadata, at the path under `/.well-known/oauth-protected-resource` that belongs to the resource, or at none.
    pub(crate) fn metadata_at(&self, path: &str) -> Option<Value> {
        let path = path.strip_prefix(METADATA)?;
        let is_here = path.is_empty() || path == self.path;
        is_here.then(|| {
            json!({
                "resource": self.resource,
                "authorization_servers": [self.issuer],
                "bearer_methods_supported": ["header"],
            })
        })
    }

    /// The header of a refusal, which tells clients where the metadata is.
    pub(crate) fn challenge(&self) -> String {
        format!("Bearer resource_metadata=\"{}{METADATA}{}\"", self.origin, self.path)
    }
}

/// Origin and path of a URL.
fn parts(what: &'static str, text: &str) -> Result<(String, String), NotAServer> {
    let wrong = || NotAServer { what, text: text.to_owned() };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let is_web = uri.scheme() == Some(&Scheme::HTTPS) || uri.scheme() == Some(&Scheme::HTTP);
    let (Some(scheme), Some(host), None, true) = (uri.scheme_str(), uri.authority(), uri.query(), is_web) else {
        return Err(wrong());
    };
    if text.contains(['#', '"', '\\', '@']) {
        return Err(wrong());
    }
    Ok((format!("{scheme}://{host}"), uri.path().trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_at_the_path_of_the_resource() {
        let issuer = AuthIssuer::new("https://id.example", "https://chat.example/desk/mcp").unwrap();
        let metadata = issuer.metadata_at("/.well-known/oauth-protected-resource/desk/mcp").unwrap();
        assert_eq!(metadata["resource"], "https://chat.example/desk/mcp");
        assert_eq!(metadata["authorization_servers"], json!(["https://id.example"]));
        assert!(issuer.metadata_at(METADATA).is_some());
        assert_eq!(issuer.metadata_at("/.well-known/oauth-protected-resource/other"), None);
        assert_eq!(
            issuer.challenge(),
            "Bearer resource_metadata=\"https://chat.example/.well-known/oauth-protected-resource/desk/mcp\""
        );
        let whole = AuthIssuer::new("https://id.example", "https://chat.example").unwrap();
        assert!(whole.challenge().ends_with("/.well-known/oauth-protected-resource\""));
    }

    #[test]
    fn texts_that_are_no_urls_are_refused() {
        for text in ["chat.example", "ftp://chat.example", "https://a.example/?x=1", "https://a.example/#x", "", "/mcp"]
        {
            assert!(AuthIssuer::new("https://id.example", text).is_err(), "{text}");
            assert!(AuthIssuer::new(text, "https://chat.example").is_err(), "{text}");
        }
    }
}
