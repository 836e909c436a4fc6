//! A small web-tools service with the HTTP interface of a real one. Answers differ by domain and take some
//! milliseconds. The example works without an account because of it.
//!
//! The answer depends on the domain's name: `expired.` has a bad certificate, `listed.` is on
//! blacklists, `down.` fails every check, `hang.` never answers about its certificate.
//! `BULK_AUDIT_SECONDS` sets the duration of a check.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Starts the service on loopback, on a free port, and returns its base URL.
pub(crate) async fn start() -> std::io::Result<String> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let base = format!("http://{}", listener.local_addr()?);
    let app = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(base)
}

/// Answers one request.
pub(crate) async fn answer(request: Request) -> Response {
    let Some((tool, domain)) = asked(request.uri().path(), request.uri().query().unwrap_or_default()) else {
        return failure(StatusCode::NOT_FOUND, "there is no such tool");
    };
    tokio::time::sleep(working_time(tool, &domain)).await;
    match domain.split('.').next().unwrap_or_default() {
        "down" => return failure(StatusCode::BAD_GATEWAY, "the domain does not answer"),
        "hang" if tool == "ssl" => std::future::pending::<()>().await,
        _ => {}
    }
    json_answer(StatusCode::OK, &json!({"success": true, "data": data(tool, &domain)}))
}

/// The requested tool and domain.
fn asked(path: &str, query: &str) -> Option<(&'static str, String)> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (tool, domain) = match parts.as_slice() {
        ["v1", "dns", "all", domain] => ("dns", *domain),
        ["v1", "ssl", domain] => ("ssl", *domain),
        ["v1", "whois", domain] => ("whois", *domain),
        ["v1", "http", "headers", domain, "grade"] => ("http", *domain),
        ["v1", "email", "full", domain] => ("email", *domain),
        ["v1", "blacklist", "domain", domain] => ("blacklist", *domain),
        ["v1", "geo", "full", domain] => ("geo", *domain),
        ["v1", "ports", "scan", domain] => ("ports", *domain),
        ["v1", "smtp", "test", domain] => ("smtp", *domain),
        ["v1", "dns", "propagation", domain] => ("propagation", *domain),
        ["v1", "seo", "meta"] => ("seo", query.strip_prefix("url=")?.rsplit('/').next()?),
        _ => return None,
    };
    Some((tool, domain.to_owned()))
}

fn data(tool: &str, domain: &str) -> Value {
    let luck = noise(&[tool, domain]);
    let first = domain.split('.').next().unwrap_or_default();
    let grade = ["A+", "A+", "A", "A", "A", "B", "B", "B", "C", "D", "F"][at(luck, 11)];
    match tool {
        "dns" => json!({"records": some(&["A", "AAAA", "MX", "TXT", "NS"], 1 + at(luck, 5))}),
        "ssl" if first == "expired" => json!({"valid": false, "days_left": -3}),
        "ssl" => json!({"valid": true, "days_left": 5 + at(luck, 85)}),
        "http" | "email" => json!({"grade": grade}),
        "blacklist" if first == "listed" => {
            json!({"verdict": "critical", "ip": "192.0.2.7", "listed_on": ["bl.example", "dnsbl.example", "spam.example"]})
        }
        "blacklist" if luck > 0.93 => json!({"verdict": "listed", "ip": "192.0.2.8", "listed_on": ["bl.example"]}),
        "blacklist" => json!({"verdict": "clean", "ip": "192.0.2.9", "listed_on": []}),
        "geo" => json!({"regions": 12, "regions_ok": 5 + at(luck, 8)}),
        "whois" => json!({"expires": format!("{}-{:02}-01", 2027 + at(luck, 6), 1 + at(luck, 12))}),
        "ports" => json!({"open": some(&["80", "443", "22", "8080"], 1 + at(luck, 4))}),
        "smtp" => json!({"reachable": luck > 0.2}),
        "seo" => json!({"issues": some(&["no description", "title too long", "no canonical link"], at(luck, 4))}),
        _ => json!({"complete": luck > 0.15}),
    }
}

fn failure(status: StatusCode, message: &str) -> Response {
    json_answer(status, &json!({"success": false, "error": message}))
}

/// Some hundred milliseconds, different for each check.
fn working_time(tool: &str, domain: &str) -> Duration {
    let set = std::env::var("BULK_AUDIT_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let each = set.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(Duration::from_millis(900));
    each.mul_f64(0.5 + noise(&[domain, tool, "time"]))
}

fn some<'a>(all: &[&'a str], n: usize) -> Vec<&'a str> {
    all.iter().take(n).copied().collect()
}

/// Maps a number from 0 to 1 to one of `n` places.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
fn at(luck: f64, n: usize) -> usize {
    ((luck * n as f64) as usize).min(n - 1)
}

/// A number from 0 to 1, equal for equal texts (FNV-1a).
fn noise(texts: &[&str]) -> f64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    f64::from(u32::try_from(mixed >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
