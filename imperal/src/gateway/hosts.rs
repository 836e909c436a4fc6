//! The host names that a request may be sent to: protection against DNS rebinding.
//!
//! A page of another site can make its own DNS name resolve to this machine. Its requests would then have the same
//! origin as the API. So a process for one machine accepts only names of this machine. Behind a proxy the operator
//! chooses the names: every name is accepted until some are configured.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use super::api_error::ApiError;
use super::{Gateway, headers};
use crate::codes;

/// Which host names a server accepts.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts {
    checked: bool,
    named: Vec<String>,
}

impl AllowedHosts {
    /// Every name.
    pub fn any() -> Self {
        Self::default()
    }

    /// Names of this machine with the server's port, the address it listens on, and `named`: a name alone accepts every
    /// port, `name:port` only that one.
    pub fn only(named: Vec<String>) -> Self {
        Self { checked: true, named }
    }

    /// Whether a server at this address accepts a request for this host.
    ///
    /// The address of a listener outside this crate is not known. Then every port and every IP address is accepted:
    /// DNS rebinding cannot forge them.
    fn allows(&self, host: &str, address: Option<SocketAddr>) -> bool {
        if !self.checked {
            return true;
        }
        let (name, port) = split_port(host);
        let here = match (address, port) {
            (None, _) => true,
            (Some(address), Some(port)) => port.parse() == Ok(address.port()),
            (Some(address), None) => address.port() == 80,
        };
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let local = match literal {
            // An IP address is not resolved, so it cannot be rebound. A server on the unspecified address does not know
            // which of the machine's addresses a request should name.
            Ok(number) => {
                let at = |address: SocketAddr| address.ip().is_unspecified() || number == address.ip();
                matches!(name, "127.0.0.1" | "[::1]") || address.is_none_or(at)
            }
            Err(_) => name.eq_ignore_ascii_case("localhost"),
        };
        let is_named = |named: &String| match split_port(named) {
            (named, None) => name.eq_ignore_ascii_case(named),
            (_, Some(_)) => host.eq_ignore_ascii_case(named),
        };
        (here && local) || self.named.iter().any(is_named)
    }
}

/// Splits a host into name and port. The brackets of an IPv6 address belong to the name.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') && (!name.contains(':') || name.ends_with(']')) => (name, Some(port)),
        _ => (host, None),
    }
}

/// Refuses requests for other hosts with 421.
pub(super) async fn check_host(
    State(gateway): State<Gateway>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let host = headers::host(request.headers(), request.uri())?.unwrap_or_default();
    if gateway.hosts.allows(host, gateway.address) {
        return Ok(next.run(request).await);
    }
    let name = split_port(host).0;
    let shown: String = name.chars().take(100).collect();
    let way_out = match gateway.address {
        Some(address) => format!(
            "Use http://127.0.0.1:{}, or start it with `--allowed-host {shown}` if the name is yours.",
            address.port()
        ),
        None => "Use a name that the operator of this process allows.".to_owned(),
    };
    let text = format!("This process does not answer to the host {shown:?}. {way_out}");
    Err(ApiError::new(StatusCode::MISDIRECTED_REQUEST, codes::MALFORMED_REQUEST, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_server_accepts_only_this_machines_names_and_port() {
        let at =
            |address: &str, host: &str| AllowedHosts::only(Vec::new()).allows(host, Some(address.parse().unwrap()));
        for host in ["localhost:7717", "LOCALHOST:7717", "127.0.0.1:7717", "[::1]:7717"] {
            assert!(at("127.0.0.1:7717", host), "{host}");
        }
        for host in
            ["evil.example:7717", "localhost:7718", "localhost", "127.0.0.1.evil.example:7717", "", "10.0.0.5:7717"]
        {
            assert!(!at("127.0.0.1:7717", host), "{host}");
        }
        assert!(at("127.0.0.1:80", "localhost"));
        assert!(at("10.0.0.5:7717", "10.0.0.5:7717"));
        assert!(at("0.0.0.0:7717", "10.0.0.5:7717") && at("[::]:7717", "[fe80::1]:7717"));
        assert!(!at("0.0.0.0:7717", "evil.example:7717"));
    }

    #[test]
    fn unknown_address_accepts_any_port_but_no_other_dns_name() {
        let hosts = AllowedHosts::only(vec!["chat.example".to_owned()]);
        for host in ["localhost:3000", "localhost", "127.0.0.1:3000", "[::1]:3000", "10.0.0.5:3000", "chat.example"] {
            assert!(hosts.allows(host, None), "{host}");
        }
        assert!(!hosts.allows("evil.example:3000", None) && !hosts.allows("", None));
    }

    #[test]
    fn named_hosts_match_any_port_or_the_given_one() {
        let hosts = AllowedHosts::only(vec!["chat.example".to_owned(), "other.example:8000".to_owned()]);
        let at = |host: &str| hosts.allows(host, Some("127.0.0.1:7717".parse().unwrap()));
        assert!(at("chat.example") && at("Chat.Example:443") && at("other.example:8000") && at("127.0.0.1:7717"));
        assert!(!at("other.example") && !at("other.example:8001") && !at("chat.example.evil:443"));
        assert!(AllowedHosts::any().allows("anything", Some("127.0.0.1:7717".parse().unwrap())));
    }
}
