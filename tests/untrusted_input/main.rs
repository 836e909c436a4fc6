//! No input from the network causes a panic or a 500, and a refused request writes nothing.
//!
//! Random requests go to one real process. Where a test knows whether a request is valid, it expects the
//! exact status.

mod confirmed;
mod raw;
mod room;
mod shapes;

use imperal_tests::{JWT_SECRET, SERVICE_TOKEN};
use proptest::prelude::*;
use serde_json::{Value, json};

use raw::{Raw, exchange_half};
use room::{Room, check};
use shapes::{any_json, any_text, mutated};

#[test]
fn inputs_of_earlier_faults_get_correct_answers() {
    confirmed::all(Room::open());
}

#[test]
fn write_only_values_are_written_nowhere() {
    confirmed::secrets(Room::open());
}

#[test]
fn answers_of_services_are_read_with_a_limit() {
    confirmed::answers_of_services(Room::open());
}

mod postgres {
    use super::{Room, confirmed};

    #[test]
    fn inputs_of_earlier_faults_get_correct_answers() {
        confirmed::all(Room::on_postgres("untrusted"));
    }

    #[test]
    fn write_only_values_are_written_nowhere() {
        confirmed::secrets(Room::on_postgres("untrusted_secrets"));
    }
}

/// Bodies that have caused faults in parsers and servers. The name of a file starts with its route and the
/// correct status.
#[test]
fn bodies_of_the_corpus_get_their_status() {
    let room = Room::open();
    let (mut tried, mut wrong) = (0, Vec::new());
    for file in std::fs::read_dir("untrusted_input/corpus").unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let (kind, rest) = name.split_once('-').unwrap();
        let path = match kind {
            "call" => "/v1/extensions/probe/call",
            "inject" => "/v1/internal/chat/inject",
            other => panic!("{name}: nothing is sent to {other}"),
        };
        let expected: u16 = rest[..3].parse().unwrap();
        let body = std::fs::read(file.path()).unwrap();
        let (status, answer) = room.send(room.post(path, body).header("x-service-token", SERVICE_TOKEN));
        if status != expected || !answer["error"]["message"].is_string() {
            wrong.push(format!("{name}: {status} {answer}"));
        }
        tried += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 20, "{tried} files only");
    room.close(0);
}

#[test]
fn any_body_gets_a_client_error() {
    let room = Room::open();
    let path = prop_oneof![Just("/v1/extensions/probe/call"), Just("/v1/internal/chat/inject")];
    check(&(path, prop::collection::vec(any::<u8>(), 0..400)), |(path, body)| {
        let answer = room.post(path, body).header("x-service-token", SERVICE_TOKEN);
        let (status, _) = room.send(answer);
        prop_assert!([400, 415].contains(&status), "{status}");
        Ok(())
    });
    room.close(0);
}

/// An identity header counts exactly as it was sent, or the request is refused.
#[test]
fn any_identity_header_counts_exactly_or_is_refused() {
    let room = Room::open();
    let address = room.address();
    let byte = prop_oneof![4 => 0x20..0x7f_u8, 2 => 0x80..=0xff_u8, 1 => Just(b'\t')];
    let value = prop_oneof![
        2 => "[a-zé🦀]{1,12}".prop_map(String::into_bytes),
        1 => prop::collection::vec(byte, 0..40),
        1 => Just(b"anna".to_vec()),
    ];
    let header = prop::option::weighted(0.7, prop::collection::vec(value, 1..3));
    let written = std::cell::Cell::new(0);
    check(&(header.clone(), header), |(tenants, acting)| {
        let mut request = Raw::new("POST", "/v1/internal/chat/inject")
            .header("x-service-token", SERVICE_TOKEN)
            .json(json!({"ext_id": "probe", "user_id": "anna", "text": "a message"}).to_string());
        for (name, values) in [("x-tenant-id", &tenants), ("x-acting-user", &acting)] {
            for value in values.iter().flatten() {
                request = request.header(name, value);
            }
        }
        let (status, answer) = request.send(&address);
        // Blanks around a value do not belong to it.
        let said = |values: &Option<Vec<Vec<u8>>>| match values.as_deref() {
            None => Some(None),
            Some([one]) => {
                let text = std::str::from_utf8(one).ok()?.trim_matches([' ', '\t']);
                (!text.is_empty() && !text.chars().any(char::is_control)).then(|| Some(text.to_owned()))
            }
            Some(_) => None,
        };
        let (tenant, acting) = (said(&tenants), said(&acting));
        let right = match (&tenant, &acting) {
            (None, _) | (_, None) => [400, 422],
            (Some(tenant), _) if tenant.as_ref().is_some_and(|tenant| tenant.len() > 64) => [400, 422],
            (_, Some(Some(acting))) if acting != "anna" => [403, 403],
            _ => [200, 200],
        };
        prop_assert!(right.contains(&status), "{tenants:?} {acting:?}: {status} {answer}");
        if status == 200 && tenant.flatten().is_none_or(|tenant| tenant == "default") {
            written.set(written.get() + 1);
        }
        Ok(())
    });
    assert!(written.get() > 3, "{} written only", written.get());
    room.close(written.get());
}

/// Arbitrary bytes, and incomplete requests.
#[test]
fn any_bytes_on_a_connection_do_no_harm() {
    let room = Room::open();
    let address = room.address();
    let good = format!(
        "POST /v1/extensions/probe/call HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\
         content-type: application/json\r\nconnection: close\r\n\r\n5\r\n{{\"a\":\r\n2\r\n1}}\r\n0\r\n\r\n",
        room.token()
    );
    let changed = (mutated(good.clone()), 0..good.len(), prop::option::of(0..good.len()));
    let bytes = prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..300),
        1 => Just(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()),
        4 => changed.prop_map(|(text, from, until)| {
            let text = until.map_or(text.clone(), |until| text.get(..until).unwrap_or(&text).to_owned());
            text.get(from.min(3)..).unwrap_or_default().as_bytes().to_vec()
        }),
    ];
    check(&bytes, |bytes| {
        let (status, body) = exchange_half(&address, &bytes);
        // 505 answers an unsupported version of HTTP.
        prop_assert!(status < 500 || status == 505, "{status} {body}");
        Ok(())
    });
    room.close(0);
}

#[test]
fn any_json_call_is_answered() {
    let room = Room::open();
    let key = prop_oneof![Just("function".to_owned()), Just("params".to_owned()), any_text()];
    let body = prop::collection::btree_map(key, any_json(), 0..4);
    check(&body, |body| {
        let body = json!(body);
        let (status, answer) = room.send(room.post("/v1/extensions/probe/call", body.to_string()));
        let object = body.as_object().unwrap();
        let known = object.keys().all(|key| key == "function" || key == "params");
        let params = object.get("params").is_none_or(|params| params.is_object() || params.is_null());
        let good = known && params && object.get("function").is_some_and(Value::is_string);
        prop_assert_eq!(status, if good { 404 } else { 400 }, "{}: {}", body, answer);
        Ok(())
    });
    room.close(0);
}

/// The function's declaration decides: a text of 1 to 1000 characters, a number from 0 to 9.
#[test]
fn any_parameters_follow_the_schema() {
    let room = Room::open();
    let good_text = "[a-zé🦀\u{0}]{1,40}";
    let text = prop_oneof![3 => good_text.prop_map(Value::from), 1 => any_json(), 1 => (990_usize..1010).prop_map(|n| json!("é".repeat(n)))];
    let times = prop_oneof![3 => (0..12_i64).prop_map(Value::from), 1 => any_json()];
    let params = (prop::option::of(text), prop::option::of(times), prop::option::weighted(0.1, any_json()));
    let accepted = std::cell::Cell::new(0);
    check(&params, |(text, times, more)| {
        let mut params = serde_json::Map::new();
        params.extend(text.clone().map(|text| ("text".to_owned(), text)));
        params.extend(times.clone().map(|times| ("times".to_owned(), times)));
        params.extend(more.map(|more| ("another".to_owned(), more)));
        let good_text = text.is_some_and(|t| t.as_str().is_some_and(|t| (1..=1000).contains(&t.chars().count())));
        let good_times = times.is_none_or(|times| {
            times.as_u64().is_some_and(|n| n <= 9)
                || times.as_f64().is_some_and(|n| n.fract() == 0.0 && (0.0..=9.0).contains(&n))
        });
        let body = json!({"function": "echo", "params": params});
        let (status, answer) = room.send(room.post("/v1/extensions/probe/call", body.to_string()));
        prop_assert_eq!(status, if good_text && good_times { 200 } else { 422 }, "{}: {}", body, answer);
        if status == 200 {
            accepted.set(accepted.get() + 1);
            // A whole number written as 3.0 passes the schema, and the type reads it.
            let read = answer["result"]["status"] == "success";
            prop_assert!(read || params["times"].is_f64(), "{}: {}", body, answer);
        } else {
            prop_assert!(answer["error"]["field"].is_string(), "{answer}");
        }
        Ok(())
    });
    assert!(accepted.get() > 20, "{} accepted only", accepted.get());
    room.close(2 * accepted.get());
}

#[test]
fn deep_json_is_accepted_or_refused_by_its_depth() {
    let room = Room::open();
    let unit = prop_oneof![Just(("[", "]")), Just(("{\"a\":", "}"))];
    check(&(unit, 1..3000_usize, any::<bool>()), |((open, close), depth, closed)| {
        let value = format!("{}1{}", open.repeat(depth), if closed { close.repeat(depth) } else { String::new() });
        let body = format!("{{\"function\":\"echo\",\"params\":{{\"text\":{value}}}}}");
        let (status, answer) = room.send(room.post("/v1/extensions/probe/call", body));
        prop_assert!([400, 422].contains(&status), "{status} {answer}");
        Ok(())
    });
    room.close(0);
}

#[test]
fn any_injected_message_is_stored_or_refused() {
    let room = Room::open();
    let message = (
        prop_oneof![2 => Just(json!("probe")), 1 => any_json()],
        prop_oneof![3 => Just(json!("anna")), 1 => any_json()],
        prop_oneof![3 => any_text().prop_map(Value::from), 1 => any_json(), 1 => (65_540_usize..65_560).prop_map(|n| json!("x".repeat(n)))],
        prop::option::of(prop_oneof![Just(json!("system")), Just(json!("tool_result")), any_json()]),
        prop::option::of(prop_oneof![
            prop::collection::vec("[a-z]{0,5}", 0..4).prop_map(|panels| json!(panels)),
            any_json()
        ]),
    );
    let headers = prop::option::of("[ -~]{0,12}");
    let written = std::cell::Cell::new(0);
    check(&(message, headers), |((ext_id, user_id, text, msg_type, panels), acting)| {
        let mut body = json!({"ext_id": ext_id, "user_id": user_id, "text": text});
        if let Some(msg_type) = &msg_type {
            body["msg_type"] = msg_type.clone();
        }
        if let Some(panels) = &panels {
            body["refresh_panels"] = panels.clone();
        }
        let mut request =
            room.post("/v1/internal/chat/inject", body.to_string()).header("x-service-token", SERVICE_TOKEN);
        if let Some(acting) = &acting {
            request = request.header("x-acting-user", acting);
        }
        let (status, answer) = room.send(request);
        prop_assert!([200, 400, 403, 404, 413, 422].contains(&status), "{status} {body} {answer}");
        let strings = [&ext_id, &user_id, &text].iter().all(|value| value.is_string());
        if status == 200 {
            prop_assert!(strings && text.as_str().unwrap().len() <= 65_550);
            prop_assert!(acting.is_none_or(|acting| acting.trim() == user_id || acting == *user_id.as_str().unwrap()));
            if user_id == "anna" {
                written.set(written.get() + 1);
            }
        }
        Ok(())
    });
    assert!(written.get() > 5, "{} written only", written.get());
    room.close(written.get());
}

#[test]
fn any_last_event_id_and_query_are_answered() {
    let room = Room::open();
    room.send(room.post("/v1/extensions/probe/call", json!({"function": "echo", "params": {"text": "x"}}).to_string()));
    let number = prop_oneof![any::<u64>().prop_map(|n| n.to_string()), any::<i128>().prop_map(|n| n.to_string())];
    let id = prop_oneof![number.clone(), "[ -~]{0,20}", number.prop_map(|n| format!(" {n} "))];
    check(&(id, any::<bool>()), |(id, header)| {
        let (status, _) = if header {
            room.head_of(room.get("/v1/events/stream").header("last-event-id", &id))
        } else {
            room.head_of(room.get("/v1/events/stream").query(&[("after", &id)]))
        };
        // Blanks around a header's value do not belong to it.
        let text = if header { id.trim_matches([' ', '\t']) } else { &id };
        prop_assert_eq!(status, if text.parse::<u64>().is_ok() { 200 } else { 400 }, "{}", id);
        Ok(())
    });
    let path = prop_oneof![Just("/v1/chat/turns"), Just("/v1/audit"), Just("/v1/tasks"), Just("/v1/events/stream")];
    let name = prop_oneof![Just("after".to_owned()), Just("limit".to_owned()), Just("before".to_owned()), any_text()];
    let value = prop_oneof![any::<i64>().prop_map(|n| n.to_string()), any_text()];
    check(&(path, prop::collection::vec((name, value), 0..3)), |(path, query)| {
        let (status, _) = room.head_of(room.get(path).query(&query));
        prop_assert!([200, 400].contains(&status), "{path} {query:?}: {status}");
        Ok(())
    });
    let path = prop_oneof![
        "/[ -~]{0,30}",
        "/v1/tasks/[ -~]{0,40}",
        "/v1/extensions/[ -~]{0,30}/manifest",
        "/open/[ -~]{0,40}"
    ];
    check(&path, |path| {
        let Some(request) = room.odd_path(&path) else { return Ok(()) };
        let (status, _) = room.head_of(request);
        prop_assert!(status < 500, "{path}: {status}");
        Ok(())
    });
    room.close(2);
}

/// Only the exact token is accepted, not one with a small change.
#[test]
fn only_the_exact_token_is_accepted() {
    let room = Room::open();
    let good = room.token().to_owned();
    let token = prop_oneof![
        "[ -~]{0,60}",
        "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,43}",
        mutated(good.clone()),
    ];
    check(&token, |token| {
        let (status, _) = room.head_of(room.get_as("/v1/tasks", &token));
        // The last character of a signature has unused bits; they may not differ either.
        prop_assert_eq!(status, if token.trim() == good { 200 } else { 401 }, "{}", token);
        Ok(())
    });
    // Arbitrary claims with a valid signature.
    let claims = prop::collection::btree_map(
        prop_oneof![
            Just("sub".to_owned()),
            Just("tenant_id".to_owned()),
            Just("exp".to_owned()),
            Just("nbf".to_owned()),
            Just("scopes".to_owned()),
            Just("role".to_owned()),
            any_text()
        ],
        prop_oneof![2 => any_json(), 1 => any_text().prop_map(Value::from), 1 => Just(json!(4_102_444_800_u64))],
        0..7,
    );
    check(&claims, |claims| {
        let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
        let (status, _) = room.head_of(room.get_as("/v1/chat/turns", &token));
        let text = |name: &str, most: usize| {
            claims.get(name).and_then(Value::as_str).is_some_and(|t| (1..=most).contains(&t.len()))
        };
        let may = text("sub", 128)
            && claims.contains_key("exp")
            && (!claims.contains_key("tenant_id") || claims["tenant_id"].is_null() || text("tenant_id", 64));
        prop_assert!(status == 401 || (status == 200 && may), "{status} {claims:?}");
        Ok(())
    });
    room.close(0);
}
