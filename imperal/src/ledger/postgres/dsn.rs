//! The DSN: the part that the driver reads, and the part about TLS that it does not know.
//!
//! Owns `sslmode` with all of its values, and takes `sslrootcert`, `sslcert` and `sslkey` out of a DSN of either form
//! (`postgres://..` or `host=.. user=..`) before the driver reads the rest. No error repeats a part of the DSN that
//! could hold a password.

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use super::fault::reasons;
use super::identity::Identity;
use super::tls::{CertificateCheck, Tls, TrustedRoots};
use crate::ledger::LedgerError;

const FORM: &str = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE";

/// A database to connect to.
#[derive(Debug, Clone)]
pub(super) struct Dsn {
    pub(super) config: Config,
    pub(super) tls: Tls,
}

impl Dsn {
    /// Reads a DSN and the files that it names.
    pub(super) fn read(text: &str) -> Result<Self, LedgerError> {
        let Split { rest, mode, roots, certificate, key } =
            if text.contains("://") { split_url(text) } else { split_pairs(text) };
        // The parser's own text says what is wrong and repeats nothing of the DSN.
        let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
            unusable(format!("the address of PostgreSQL cannot be read ({}): {FORM}", reasons(&error)))
        })?;
        let roots = match roots.as_deref() {
            None | Some("system") => TrustedRoots::System,
            Some(path) => TrustedRoots::File(path.into()),
        };
        let named = matches!(roots, TrustedRoots::File(_));
        let (mode, check) = match mode.as_deref() {
            Some("disable") => (SslMode::Disable, CertificateCheck::Nothing),
            None | Some("prefer") => (SslMode::Prefer, CertificateCheck::Nothing),
            // As in libpq: a file of authorities means that the certificate is checked against it.
            Some("require") if named => (SslMode::Require, CertificateCheck::Issuer),
            Some("require") => (SslMode::Require, CertificateCheck::Nothing),
            Some("verify-ca") => (SslMode::Require, CertificateCheck::Issuer),
            Some("verify-full") => (SslMode::Require, CertificateCheck::IssuerAndName),
            Some(other) => {
                return Err(unusable(format!(
                    "sslmode={other} is unknown: write disable, prefer, require, verify-ca or verify-full"
                )));
            }
        };
        config.ssl_mode(mode);
        // With several hosts, the first one to answer may be a standby and stay one.
        if config.get_hosts().len() > 1 && config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let identity = Identity::named(certificate, key)?;
        // Without TLS the files are not used, so they need not exist.
        let identity = identity.filter(|_| mode != SslMode::Disable);
        Ok(Self { config, tls: Tls::new(check, &roots, identity.as_ref())? })
    }
}

fn unusable(why: String) -> LedgerError {
    LedgerError::Unusable(why)
}

/// A DSN without its parts about TLS.
#[derive(Debug, Default, PartialEq)]
struct Split {
    rest: String,
    mode: Option<String>,
    roots: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Split {
    /// Whether this parameter is taken out of the DSN.
    fn take(&mut self, key: &str, value: impl FnOnce() -> String) -> bool {
        match key {
            "sslmode" => self.mode = Some(value()),
            "sslrootcert" => self.roots = Some(value()),
            "sslcert" => self.certificate = Some(value()),
            "sslkey" => self.key = Some(value()),
            _ => return false,
        }
        true
    }
}

fn split_url(text: &str) -> Split {
    // A password may contain a question mark, so parameters start after the host.
    let host = text.find('@').unwrap_or_default();
    let Some(mark) = text[host..].find('?').map(|mark| host + mark) else {
        return Split { rest: text.to_owned(), ..Split::default() };
    };
    let mut split = Split::default();
    let mut kept = Vec::new();
    for pair in text[mark + 1..].split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !split.take(key, || percent_decode_str(value).decode_utf8_lossy().into_owned()) {
            kept.push(pair);
        }
    }
    text[..mark].clone_into(&mut split.rest);
    if !kept.is_empty() {
        split.rest = format!("{}?{}", split.rest, kept.join("&"));
    }
    split
}

/// `key = value` pairs. A value may be in single quotes; `\` makes the next character literal.
fn split_pairs(text: &str) -> Split {
    let mut split = Split::default();
    let mut rest = text;
    while let Some(begin) = rest.find(|c: char| !c.is_whitespace()) {
        let pair = &rest[begin..];
        let Some(equals) = pair.find('=') else {
            // The driver cannot read this either, and reports it.
            split.rest.push_str(pair);
            break;
        };
        let space = pair[equals + 1..].len() - pair[equals + 1..].trim_start().len();
        let from = equals + 1 + space;
        let (value, length) = quoted(&pair[from..]);
        let end = from + length;
        if !split.take(pair[..equals].trim_end(), || value) {
            split.rest.push_str(&pair[..end]);
            split.rest.push(' ');
        }
        rest = &pair[end..];
    }
    split
}

/// The value at the start of a text, and its length in bytes.
fn quoted(text: &str) -> (String, usize) {
    let in_quotes = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(in_quotes));
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' if in_quotes => return (value, at + 1),
            c if c.is_whitespace() && !in_quotes => return (value, at),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(rest: &str, mode: Option<&str>, roots: Option<&str>) -> Split {
        let (mode, roots) = (mode.map(str::to_owned), roots.map(str::to_owned));
        Split { rest: rest.to_owned(), mode, roots, ..Split::default() }
    }

    fn shows(split: Split, certificate: &str, key: &str) -> Split {
        Split { certificate: Some(certificate.to_owned()), key: Some(key.to_owned()), ..split }
    }

    #[test]
    fn tls_parameters_are_taken_out_of_a_url() {
        let cases = [
            ("postgres://h/d", split("postgres://h/d", None, None)),
            ("postgres://h/d?sslmode=require", split("postgres://h/d", Some("require"), None)),
            (
                "postgres://a:b?sslmode=x@h/d?connect_timeout=3&sslmode=verify-ca&sslrootcert=%2Ftmp%2Fa%20b.pem&user=c",
                split("postgres://a:b?sslmode=x@h/d?connect_timeout=3&user=c", Some("verify-ca"), Some("/tmp/a b.pem")),
            ),
            ("postgres://h?sslrootcert=100%", split("postgres://h", None, Some("100%"))),
            ("postgres://h/d?sslkey=b%3Fc&sslcert=a", shows(split("postgres://h/d", None, None), "a", "b?c")),
        ];
        for (text, wanted) in cases {
            assert_eq!(split_url(text), wanted, "{text}");
        }
    }

    #[test]
    fn tls_parameters_are_taken_out_of_key_value_pairs() {
        let cases = [
            ("", split("", None, None)),
            ("host=h user=u", split("host=h user=u ", None, None)),
            (
                r"host=h sslmode = require password='a sslmode=disable \' b' sslrootcert='/a b/c\\d.pem'",
                split(r"host=h password='a sslmode=disable \' b' ", Some("require"), Some(r"/a b/c\d.pem")),
            ),
            ("sslcert=a host=h sslkey = 'b c'", shows(split("host=h ", None, None), "a", "b c")),
            ("sslmode=", split("", Some(""), None)),
            ("host", split("host", None, None)),
        ];
        for (text, wanted) in cases {
            assert_eq!(split_pairs(text), wanted, "{text}");
        }
    }

    #[test]
    fn refusal_of_a_dsn_never_repeats_its_password() {
        let cases = [
            ("postgres://a:hunter2@h:port/d", "cannot be read"),
            ("postgres://a:hunter2@h/d?sslmode=verify", "verify-full"),
            ("postgres://a:hunter2@h/d?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem"),
            ("host=h password=hunter2 sslmode=on", "sslmode=on"),
            ("host=h password=hunter2 sslcert=/nowhere/a.pem", "sslkey=FILE"),
            ("host=h password=hunter2 sslkey=/nowhere/a.key", "sslcert=FILE"),
            ("host=h password=hunter2 sslcert=/nowhere/a.pem sslkey=/nowhere/a.key", "/nowhere/a.pem"),
            ("host=h password='hunter2", "cannot be read"),
        ];
        for (text, word) in cases {
            match Dsn::read(text) {
                Err(LedgerError::Unusable(why)) => assert!(why.contains(word) && !why.contains("hunter2"), "{why}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
