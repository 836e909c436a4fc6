//! Inputs that once exposed a fault, each with its correct answer, against a real process.
//!
//! After each of them the process must be ready, and another user's chat must be unchanged.

use imperal_tests::{Claims, JWT_SECRET, SERVICE_TOKEN, token};
use serde_json::{Value, json};

use super::raw::Raw;
use super::room::Room;

const CALL: &str = "/v1/extensions/probe/call";
const INJECT: &str = "/v1/internal/chat/inject";

/// JSON that `serde_json` with `raw_value` reads by unlimited recursion: a list of `width` levels around a
/// text that contains the next such list, and so on.
fn bomb(levels: usize, width: usize) -> String {
    (0..levels).fold("0".to_owned(), |inner, _| {
        let inner = inner.replace('\\', "\\u005c").replace('"', "\\u0022");
        let marked = format!("{{\"$serde_json::private::RawValue\":\"{inner}\"}}");
        "[".repeat(width) + &marked + &"]".repeat(width)
    })
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut encoded = String::new();
    for group in text.as_bytes().chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            encoded.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    encoded
}

/// A token with these claims and a valid signature.
fn signed(claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}

fn claims(name: &str, value: Value) -> Value {
    let mut claims = json!({"sub": "anna", "exp": Claims::of("anna").exp});
    claims[name] = value;
    claims
}

struct Case {
    name: String,
    request: Raw,
    /// The correct statuses.
    right: &'static [u16],
    /// A text that the answer must contain.
    says: String,
}

fn case(name: impl Into<String>, request: Raw, right: &'static [u16], says: impl Into<String>) -> Case {
    Case { name: name.into(), request, right, says: says.into() }
}

fn tokens() -> Vec<Case> {
    let session = || Raw::new("GET", "/v1/session");
    let mut cases = Vec::new();
    for levels in [1, 2, 8, 40] {
        let header = format!("{{\"typ\":\"JWT\",\"alg\":\"HS256\",\"x\":{}}}", bomb(levels, 120));
        let shown = format!("{}.e30.AAAA", base64(&header));
        cases.push(case(
            format!("bomb of {levels} in a token's header"),
            session().bearer(&shown),
            &[400, 401, 431],
            "",
        ));
        let claims = format!("{}.{}.AAAA", base64("{\"alg\":\"HS256\"}"), base64(&bomb(levels, 120)));
        cases.push(case(format!("bomb of {levels} in claims"), session().bearer(&claims), &[400, 401, 431], ""));
    }
    for (name, value, says) in [
        ("role", json!(["admin"]), "role"),
        ("tenant_id", json!(42), "tenant_id"),
        ("sub", json!(7), "sub"),
        ("email", json!(false), "email"),
        ("scopes", json!({"a": 1}), "scopes"),
    ] {
        let shown = signed(&claims(name, value));
        cases.push(case(format!("claim {name} of another type"), session().bearer(&shown), &[401], says));
    }
    let listed = signed(&claims("scopes", json!("audit:read other")));
    cases.push(case("scopes as one text", session().bearer(&listed), &[200], "anna"));
    let good = token(&Claims::of("anna"), JWT_SECRET);
    let twice = session().bearer(&good).bearer(&token(&Claims::of("ben"), JWT_SECRET));
    cases.push(case("two tokens", twice, &[400], "authorization"));
    cases.push(case(
        "a token of other bytes",
        session().header("authorization", b"Bearer \xff\xfe"),
        &[400],
        "authorization",
    ));
    cases.push(case("a huge token", session().bearer(&"a".repeat(20_000)), &[400, 401, 431], ""));
    cases
}

fn bodies(anna: &str) -> Vec<Case> {
    let call = |body: &str| Raw::new("POST", CALL).bearer(anna).json(body);
    let params = |function: &str, params: &str| call(&format!("{{\"function\":\"{function}\",\"params\":{params}}}"));
    let mut cases = vec![
        case(
            "a marker next to parameters",
            params("echo", r#"{"$serde_json::private::RawValue":"not json","text":"hi"}"#),
            &[200],
            "hi",
        ),
        case(
            "a marker alone",
            params("echo", r#"{"$serde_json::private::RawValue":"{\"text\":\"hi\"}"}"#),
            &[422],
            "text",
        ),
        case(
            "a marker where a key may be anything",
            params("keep", r#"{"value":{"$serde_json::private::RawValue":"[1,"}}"#),
            &[200],
            r#"{"$serde_json::private::RawValue":"[1,"}"#,
        ),
        case("the whole body is a marker", call(r#"{"$serde_json::private::RawValue":"1"}"#), &[400], ""),
    ];
    for (levels, width) in [(2, 10), (8, 120), (40, 120), (3000, 1)] {
        let bomb = bomb(levels.min(14 + width), width);
        cases.push(case(
            format!("bomb {levels}x{width} as text"),
            params("echo", &format!("{{\"text\":{bomb}}}")),
            &[400, 422],
            "",
        ));
        cases.push(case(
            format!("bomb {levels}x{width} unknown"),
            params("echo", &format!("{{\"text\":\"a\",\"x\":{bomb}}}")),
            &[200, 400, 422],
            "",
        ));
    }
    for depth in [118, 119, 121, 125, 127, 4000] {
        let value = "[".repeat(depth) + &"]".repeat(depth);
        let right: &'static [u16] = if depth <= 118 {
            &[200]
        } else if depth <= 119 {
            &[200, 422]
        } else {
            &[400, 422]
        };
        cases.push(case(
            format!("parameters {depth} deep"),
            params("keep", &format!("{{\"value\":{{\"a\":{value}}}}}")),
            right,
            "",
        ));
    }
    for (value, right) in [
        (r#"{"count":5.0}"#, &[200_u16] as &[u16]),
        (r#"{"count":1e2}"#, &[200]),
        (r#"{"count":-0.0}"#, &[200]),
        (r#"{"count":5.5}"#, &[422]),
        (r#"{"count":4294967296}"#, &[422]),
        (r#"{"count":-1}"#, &[422]),
        (r#"{"large":18446744073709551615}"#, &[200]),
        (r#"{"large":18446744073709551616}"#, &[422]),
        (r#"{"large":1e30}"#, &[422]),
        (r#"{"signed":9223372036854775808}"#, &[422]),
        (r#"{"signed":-9223372036854775808}"#, &[200]),
        (r#"{"id":"x"}"#, &[422]),
        (r#"{"id":"urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8"}"#, &[200]),
        (r#"{"ip":"1.2.3"}"#, &[422]),
        (r#"{"ip":"::1"}"#, &[200]),
        (r#"{"at":"yesterday"}"#, &[422]),
        (r#"{"at":"2026-11-28T05:00:00Z"}"#, &[200]),
        (r#"{"day":"2026-02-30"}"#, &[422]),
        (r#"{"day":"20261128"}"#, &[200]),
        (r#"{"mail":"nobody"}"#, &[422]),
        (r#"{"mail":"anna@example.com"}"#, &[200]),
        (r#"{"link":"not a link"}"#, &[422]),
        (r#"{"link":"https://example.com/a?b#c"}"#, &[200]),
    ] {
        let field = value.split('"').nth(1).unwrap_or_default();
        let says = if right == [200] { "\"success\"".to_owned() } else { format!("\"field\":\"{field}\"") };
        cases.push(case(format!("typed {value}"), params("typed", value), right, says));
    }
    for (name, kind, right) in [
        ("a type in capitals", "Application/JSON; Charset=UTF-8", &[200_u16] as &[u16]),
        ("a type that only begins alike", "application/jsonx", &[415]),
        ("no JSON", "text/plain", &[415]),
    ] {
        let mut request = Raw::new("POST", CALL).bearer(anna).header("content-type", kind);
        request = request.body(r#"{"function":"echo","params":{"text":"a"}}"#);
        cases.push(case(name, request, right, ""));
    }
    cases.push(case("a result 4000 deep", params("shaped", r#"{"depth":4000}"#), &[200], "RESULT_TOO"));
    cases.push(case("a result 100000 deep", params("shaped", r#"{"depth":100000}"#), &[200], "RESULT_TOO"));
    cases.push(case("a result of 60 MB", params("shaped", r#"{"bytes":60000000}"#), &[200], "RESULT_TOO"));
    cases.push(case("a result that is not a number", params("shaped", r#"{"not_a_number":true}"#), &[200], "rates[1]"));
    cases
}

fn messages() -> Vec<Case> {
    let message = |user: &str| json!({"ext_id": "probe", "user_id": user, "text": "a message"}).to_string();
    let inject = |user: &str| Raw::new("POST", INJECT).header("x-service-token", SERVICE_TOKEN).json(message(user));
    vec![
        case("a tenant beyond ASCII", inject("anna").header("x-tenant-id", "münchen"), &[200], "a message"),
        case("a tenant of other bytes", inject("anna").header("x-tenant-id", b"m\xfcnchen"), &[400], "x-tenant-id"),
        case(
            "two tenants",
            inject("anna").header("x-tenant-id", "a").header("x-tenant-id", "b"),
            &[400],
            "x-tenant-id",
        ),
        case("an acting user beyond ASCII", inject("anna").header("x-acting-user", "zoë"), &[403], ""),
        case(
            "an acting user of other bytes",
            inject("anna").header("x-acting-user", b"zo\xeb"),
            &[400],
            "x-acting-user",
        ),
        case(
            "two acting users",
            inject("anna").header("x-acting-user", "anna").header("x-acting-user", "zoe"),
            &[400],
            "x-acting-user",
        ),
        case("a user who cannot sign in", inject(&"u".repeat(300)), &[400, 422], "user_id"),
        case("a user of a megabyte", inject(&"u".repeat(1_000_000)), &[400, 422], "user_id"),
        case("two service tokens", inject("anna").header("x-service-token", SERVICE_TOKEN), &[400], "x-service-token"),
    ]
}

/// Sends all inputs. Wrong answers are listed at the end; the end of the process fails at once.
pub fn all(room: Room) {
    let address = room.address();
    let anna = room.token().to_owned();
    let ben = token(&Claims::of("ben"), JWT_SECRET);
    let greet = Raw::new("POST", CALL).bearer(&ben).json(r#"{"function":"echo","params":{"text":"ben was here"}}"#);
    assert_eq!(greet.send(&address).0, 200);
    let chat_of = |token: &str, address: &str| Raw::new("GET", "/v1/chat/turns?latest=5").bearer(token).send(address);
    let before = chat_of(&ben, &address);
    assert!(before.0 == 200 && before.1.contains("ben was here"));
    let (mut tried, mut wrong) = (0, Vec::new());
    for Case { name, request, right, says } in tokens().into_iter().chain(bodies(&anna)).chain(messages()) {
        let (status, body) = request.send(&address);
        if !right.contains(&status) || !body.to_lowercase().contains(&says.to_lowercase()) {
            wrong.push(format!("{name}: {status} {}", body.chars().take(300).collect::<String>()));
        }
        assert_eq!(chat_of(&ben, &address), before, "after: {name}");
        let (status, chat) = chat_of(&anna, &address);
        assert_eq!(status, 200, "anna's chat after {name}: {chat}");
        tried += 1;
    }
    assert!(wrong.is_empty(), "{} of {tried} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 70, "{tried} inputs only");

    // The message for the other tenant's anna is in that chat only.
    let mut there = Claims::of("anna");
    there.tenant_id = Some("münchen".to_owned());
    let there = token(&there, JWT_SECRET);
    assert!(chat_of(&there, &address).1.contains("a message"));
    assert!(!chat_of(&anna, &address).1.contains("a message"));

    // The next process can read all accepted rows too.
    let room = room.restarted();
    let address = room.address();
    assert_eq!(chat_of(&ben, &address), before);
    assert_eq!(chat_of(&anna, &address).0, 200);
    room.end();
}

/// Values of `writeOnly` fields, in every form that once leaked them.
pub fn secrets(room: Room) {
    let address = room.address();
    let anna = room.token().to_owned();
    let planted = ["471104711", "99999994711", "hunter2hunter2", "sesame4711"];
    let cases = [
        (r#"{"user":"anna","pin":471104711}"#, 200, "let in"),
        (r#"{"user":"anna","pin":471104711.0}"#, 200, "let in"),
        (r#"{"user":"anna","pin":99999994711}"#, 422, "pin"),
        (r#"{"user":"anna","pin":"hunter2hunter2"}"#, 422, "pin"),
        (r#"{"user":"anna","pin":[{"a":"hunter2hunter2"}]}"#, 422, "pin"),
        (r#"{"user":"anna","code":471104711}"#, 200, ""),
        (r#"{"user":"anna","code":"hunter2hunter2"}"#, 422, ""),
        (r#"{"user":"anna","word":"sesame4711"}"#, 422, "word"),
        (r#"{"user":"anna","pni":"hunter2hunter2"}"#, 200, ""),
        (r#"{"user":{"pin":"hunter2hunter2"}}"#, 422, "user"),
    ];
    for (params, right, says) in cases {
        let body = format!("{{\"function\":\"log_in\",\"params\":{params}}}");
        let (status, answer) = Raw::new("POST", CALL).bearer(&anna).json(body).send(&address);
        assert!(status == right && answer.contains(says), "{params}: {status} {answer}");
        let secret = planted.iter().find(|secret| answer.contains(**secret));
        assert!(secret.is_none(), "{params} is in the answer: {answer}");
    }
    for path in ["/v1/chat/turns", "/v1/tasks", "/v1/audit"] {
        let (status, body) = Raw::new("GET", path).bearer(&anna).send(&address);
        assert!(status == 200 && !planted.iter().any(|secret| body.contains(secret)), "{path}: {body}");
    }
    for (place, bytes) in room.everything_written() {
        for secret in planted {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {place}");
        }
    }
    room.end();
}

/// Answers of a service that would overflow a careless reader.
pub fn answers_of_services(room: Room) {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for (body, says) in [(bomb(8, 120), "It is a list."), (bomb(14, 1), "It is a list."), (deep, "\"error\"")] {
        let service = Room::service(body);
        let body = json!({"function": "read_service", "params": {"url": service}}).to_string();
        let (status, answer) = Raw::new("POST", CALL).bearer(room.token()).json(body).send(&room.address());
        assert!(status == 200 && answer.contains(says), "{status} {answer}");
    }
    room.end();
}
