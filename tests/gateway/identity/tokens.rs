//! Users' tokens: their claims and their expiry.

use std::time::Duration;

use imperal_tests::{Claims, Events, JWT_SECRET, User, token};
use jsonwebtoken::{EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use super::{message, refusal};
use crate::{node, options};

fn signed(claims: &Value) -> String {
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap()
}

/// Base64 in the alphabet of tokens.
fn encoded(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digits = (0..=chunk.len()).map(|place| DIGITS[(bits >> (18 - 6 * place) & 63) as usize] as char);
        out.extend(digits);
    }
    out
}

/// Nested objects that some builds of `serde_json` read by parsing the text in them again.
fn nested_markers(levels: usize) -> String {
    let mut text = "0".to_owned();
    for _ in 0..levels {
        let inner = text.replace('\\', "\\u005c").replace('"', "\\u0022");
        text = format!("{}{{\"$serde_json::private::RawValue\":\"{inner}\"}}{}", "[".repeat(60), "]".repeat(60));
    }
    text
}

#[tokio::test]
async fn nested_token_header_does_not_crash_the_process() {
    let (_folder, node) = node().await;
    let good = token(&Claims::of("anna"), JWT_SECRET);
    let rest = good.split_once('.').unwrap().1;
    let headers = [
        (format!("{{\"alg\":\"HS256\",\"x\":{}}}", nested_markers(3)), "token"),
        (format!("{{\"alg\":\"HS256\",\"x\":{}}}", "[".repeat(3000)), "token"),
        ("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}".to_owned(), "`crit`"),
        ("{\"alg\":\"HS256\",\"crit\":null}".to_owned(), "`crit`"),
        ("{\"alg\":\"none\"}".to_owned(), "algorithm"),
        ("{\"alg\":7}".to_owned(), "token"),
        ("[]".to_owned(), "token"),
        (format!("{{\"alg\":\"HS256\",\"x\":\"{}\"}}", "x".repeat(8192)), "8192"),
    ];
    for (header, says) in headers {
        let bad = format!("{}.{rest}", encoded(&header));
        let (status, body) = User::with_token(&node, &bad).get("/v1/session").await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!("UNAUTHENTICATED")), "{header}");
        assert!(message(&body).contains(says), "{says}: {body}");
    }
    assert_eq!(User::with_token(&node, &good).get("/v1/session").await.0, 200);
}

#[tokio::test]
async fn unusable_claim_is_named() {
    let (_folder, node) = node().await;
    let exp = Claims::of("anna").exp;
    for (claim, value) in [
        ("sub", json!(7)),
        ("tenant_id", json!(42)),
        ("email", json!(false)),
        ("role", json!(["admin"])),
        ("scopes", json!({"a": 1})),
        ("scope", json!([1])),
        ("exp", json!("soon")),
        ("exp", Value::Null),
        ("nbf", json!([])),
    ] {
        let mut claims = json!({"sub": "anna", "exp": exp});
        claims[claim] = value;
        let (status, body) = User::with_token(&node, &signed(&claims)).get("/v1/session").await;
        assert_eq!(status, 401, "{claims}");
        assert!(message(&body).contains(&format!("`{claim}`")), "{claims}: {body}");
    }
    for scopes in [json!({"scope": "audit:read x"}), json!({"scopes": "x audit:read"})] {
        let mut claims = json!({"sub": "anna", "exp": exp});
        claims.as_object_mut().unwrap().extend(scopes.as_object().unwrap().clone());
        assert_eq!(User::with_token(&node, &signed(&claims)).get("/v1/session").await.0, 200, "{claims}");
    }
    let own = json!({"sub": "me", "tenant_id": "default", "exp": exp});
    let (status, body) = User::with_token(&node, &signed(&own)).get("/v1/session").await;
    assert_eq!(status, 401);
    assert!(message(&body).contains("this machine's own user"), "{body}");
}

#[tokio::test]
async fn stream_ends_when_its_token_expires() {
    let (_folder, node) = node().await;
    let mut claims = Claims::of("anna");
    // Expired, but within the leeway of 5 s, so that the stream ends in 3 s.
    claims.exp -= 3600 + 2;
    let brief = User::with_token(&node, &token(&claims, JWT_SECRET));
    let answer = brief.request(Method::GET, "/v1/events/stream").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut events = Events::new(answer);
    assert_eq!(events.next().await.event, "hello");
    let ended = tokio::time::timeout(Duration::from_secs(20), events.try_next()).await;
    assert!(ended.expect("the stream ends with its token").is_none());
    assert_eq!(brief.get("/v1/session").await.0, 401, "and the token is refused");
    let anna = User::of(&node, "anna");
    let mut going_on = anna.stream(0).await;
    anna.call("echo", json!({"text": "x"})).await;
    assert_eq!(going_on.next().await.event, "hello");
    assert_eq!(going_on.next().await.event, "turn", "the stream of a longer token continues");
}

#[tokio::test]
async fn short_service_token_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.env.push(("IMPERAL_SERVICE_TOKEN".to_owned(), "x".to_owned()));
    let said = refusal(&options).await;
    assert!(said.contains("has 1 bytes and needs 16: `openssl rand"), "{said}");
}
