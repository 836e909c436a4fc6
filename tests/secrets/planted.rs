//! A value is planted and used in every way; then everything that was written is searched for it.

use std::fmt::Write as _;
use std::process::Command;

use imperal_tests::User;
use imperal_tests::collector::Collector;
use serde_json::json;

use crate::{call, ended, files_in, key, options, put, tasks_of};

/// Has what URLs, JSON and base64 change.
const VALUE: &str = "sk-Pl4nted/+key=\"of\" ännä?&42";

/// The forms in which the value could be found, each with its name.
fn forms() -> Vec<(String, String)> {
    let percent = |keep: fn(u8) -> bool| {
        VALUE.bytes().fold(String::new(), |mut text, byte| {
            if keep(byte) {
                text.push(char::from(byte));
            } else {
                let _ = write!(text, "%{byte:02X}");
            }
            text
        })
    };
    let base64 = |before: &str, url: bool| {
        let bytes: Vec<u8> = before.bytes().chain(VALUE.bytes()).collect();
        let text = encode(&bytes, url);
        // What the bytes before and behind the value have no part in.
        let (from, until) = ((before.len() * 8).div_ceil(6), bytes.len() * 8 / 6);
        text[from..until].to_owned()
    };
    let json = json!(VALUE).to_string();
    let hexadecimal = VALUE.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let mut forms = vec![
        ("clear", VALUE.to_owned()),
        ("its beginning", VALUE[..12].to_owned()),
        ("percent-encoded", percent(|byte| byte.is_ascii_alphanumeric())),
        ("as a component", percent(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))),
        ("in JSON", json[1..json.len() - 1].to_owned()),
        ("in hexadecimal", hexadecimal),
    ];
    for (before, name) in [("", "in base64"), ("x", "in base64 behind 1"), ("xy", "in base64 behind 2")] {
        forms.push((name, base64(before, false)));
        forms.push((name, base64(before, true)));
    }
    forms.into_iter().map(|(name, form)| (name.to_owned(), form)).collect()
}

fn encode(bytes: &[u8], url: bool) -> String {
    let alphabet: Vec<char> =
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(if url { ['-', '_'] } else { ['+', '/'] }).collect();
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().chain([0, 0].iter()).take(3).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        for place in 0..=chunk.len() {
            text.push(alphabet[(number >> (18 - 6 * place) & 63) as usize]);
        }
    }
    text
}

/// Which forms of the value a text has.
fn found_in(text: &[u8]) -> Vec<String> {
    let has = |form: &str| text.windows(form.len()).any(|window| window == form.as_bytes());
    forms().into_iter().filter(|(_, form)| has(form)).map(|(name, _)| name).collect()
}

#[test]
fn search_finds_each_form() {
    for (name, form) in forms() {
        assert!(found_in(format!("..{form}..").as_bytes()).contains(&name), "{name}");
    }
    assert!(found_in(encode(format!("keyring:{VALUE}").as_bytes(), false).as_bytes()).len() == 1);
}

#[tokio::test]
async fn planted_secret_is_found_nowhere() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let mut options = options(&folder, &key("k1", 1));
    let log = options.log_into(folder.path());
    let env = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("RUST_LOG", "debug"),
        ("RUST_BACKTRACE", "0"),
    ];
    options.env.extend(env.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let (status, state) = put(&anna, "keyring/api_key", VALUE).await;
    assert_eq!((status.as_u16(), &state["status"]), (200, &json!("set")), "{state}");

    let mut seen = vec![state];
    // A step with requests, progress, log lines, an error with a source.
    let called = call(&anna, "use_everywhere", json!({ "url": collector.url })).await;
    let task_id = tasks_of(&anna, &called).await.pop().unwrap();
    let failed = ended(&anna, &task_id).await;
    assert_eq!(failed["result"]["error"], "the service refuses [secret api_key]", "{failed}");
    seen.extend([called, failed]);
    // Where it would be read back it is refused.
    for place in ["result", "message", "input", "document", "document id"] {
        let refused = call(&anna, "put_into", json!({ "place": place })).await;
        assert_eq!(refused["result"]["error_code"], "SECRET_EXPOSED", "{place}: {refused}");
        seen.push(refused);
    }
    let named = call(&anna, "put_into", json!({ "place": "task name" })).await;
    let named = ended(&anna, &tasks_of(&anna, &named).await.pop().unwrap()).await;
    assert_eq!(named["name"], "[secret api_key]", "{named}");
    let mut exported = vec![task_id.clone()];
    for place in ["step", "document of a step", "step name", "question", "effect"] {
        let called = call(&anna, "put_into", json!({ "place": place })).await;
        let task_id = tasks_of(&anna, &called).await.pop().unwrap();
        let refused = ended(&anna, &task_id).await;
        assert_eq!(refused["result"]["error_code"], "SECRET_EXPOSED", "{place}: {refused}");
        exported.push(task_id);
        seen.extend([called, refused]);
    }
    seen.push(call(&anna, "panic_with_it", json!({})).await);
    let connected = call(&anna, "connect", json!({ "value": VALUE })).await;
    assert_eq!(connected["result"]["summary"], format!("{} bytes", VALUE.len()), "{connected}");
    seen.push(connected);

    for task_id in &exported {
        for part in ["", "/steps", "/timeline", "/export", "/questions"] {
            seen.push(anna.get(&format!("/v1/tasks/{task_id}{part}")).await.1);
        }
    }
    for path in ["/v1/chat/turns", "/v1/audit", "/v1/secrets", "/v1/tasks", "/v1/session"] {
        seen.push(anna.get(path).await.1);
    }
    let (_, timeline) = anna.get(&format!("/v1/tasks/{task_id}/timeline")).await;
    assert!(timeline.to_string().contains("/v1/[secret api_key]"), "the requests of the step are shown: {timeline}");
    for answer in &seen {
        assert_eq!(found_in(answer.to_string().as_bytes()), Vec::<String>::new(), "{answer}");
    }

    // The service got it, or all of this would prove nothing.
    let asked = collector.asked();
    assert!(asked.iter().any(|headers| headers.values().any(|value| value.contains("Pl4nted"))), "{asked:?}");
    let spans = collector.until(|spans| spans.iter().any(|span| span.name == "call connect")).await;
    let spans = format!("{spans:?}");
    assert_eq!(found_in(spans.as_bytes()), Vec::<String>::new());
    assert!(spans.contains("the handler has [secret api_key]"), "log lines are events of spans");

    // A backup of the running ledger, then the folder after the end.
    let copy = folder.path().join("backup.db");
    let backup = format!("VACUUM INTO '{}'", copy.display());
    rusqlite::Connection::open(folder.path().join("data/ledger.db")).unwrap().execute_batch(&backup).unwrap();
    node.kill().await;
    let text = std::fs::read_to_string(&log).unwrap();
    for line in ["the handler has [secret api_key]", "the author's own line", "panicked at"] {
        assert!(text.contains(line), "the log has no {line:?}");
    }
    for file in files_in(folder.path()) {
        let found = found_in(&std::fs::read(&file).unwrap());
        assert_eq!(found, Vec::<String>::new(), "{}", file.display());
    }
}

/// Not by another user of the machine, by a tracer, nor by a crash.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn serve_writes_no_core_and_is_not_dumpable() {
    let folder = tempfile::tempdir().unwrap();
    let node = options(&folder, &key("k1", 1)).start().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", node.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(words, ["0", "0"], "{core}");
    // Files of a process that is not dumpable belong to root.
    let seen = Command::new("stat").args(["-c", "%U", &format!("/proc/{}/mem", node.pid())]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&seen.stdout).trim(), "root");
}
