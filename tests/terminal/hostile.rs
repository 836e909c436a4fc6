//! Hostile answers of a platform, and hostile environments.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use imperal_tests::{Claims, JWT_SECRET, NodeOptions, Terminal, User, token};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{PROBE, command, json_lines, run, text};

/// The answer of a fake platform to a path: a body, or the start of an endless one.
enum Body {
    Whole(String),
    Endless(&'static str),
}

const LONG_LINE: &str = "data: and so on, and so on, and so on, and so on, and so on, and so on, and so on, and so on, \
                         and so on, and so on, and so on, and so on, and so on, and so on, and so on, and so on\n";

/// Starts a fake platform and returns its address.
async fn platform(answer: impl Fn(&str) -> Body + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection, answer.clone()));
        }
    });
    url
}

async fn serve(mut connection: TcpStream, answer: Arc<impl Fn(&str) -> Body>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if connection.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let begun = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    connection.write_all(begun.as_bytes()).await.unwrap();
    match answer(head.split(' ').nth(1).unwrap()) {
        Body::Whole(body) => connection.write_all(body.as_bytes()).await.unwrap(),
        Body::Endless(piece) => {
            let piece = piece.repeat(256 * 1024 / piece.len());
            // Enough to show that the client did not read to the end.
            for _ in 0..4096 {
                if connection.write_all(piece.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    }
}

const TASK_ID: &str = "018f0000-0000-7000-8000-000000000001";
const HOSTILE: &str = "\u{202e}evil\x1b[2J\x1b]0;title\x07\u{9b}31m\u{200b}שלום";

fn turn(seq: u64, text: &str, result: &Value) -> Value {
    json!({
        "seq": seq, "at": "2026-01-01T00:00:00Z", "turn_id": TASK_ID, "role": "bot", "type": "response", "text": text,
        "app_id": "probe", "task_id": TASK_ID, "result": result,
    })
}

fn task() -> Value {
    json!({
        "task_id": TASK_ID, "call_id": TASK_ID, "app_id": "probe", "function": "steps", "name": HOSTILE,
        "state": "running", "long_running": false, "percent": 5.0, "message": HOSTILE,
        "created_at": "2026-01-01T00:00:00Z", "deadline_at": "2026-01-01T00:03:00Z",
    })
}

fn result(data: &Value) -> Value {
    json!({"status": "error", "summary": HOSTILE, "error": HOSTILE, "error_code": HOSTILE, "data": data})
}

fn deep() -> String {
    format!("{}{}", "[".repeat(5000), "]".repeat(5000))
}

/// A command against the platform at this address.
fn there(url: &str, args: &[&str]) -> tokio::process::Command {
    let mut command = command(std::path::Path::new("/nonexistent"), args);
    command.env("IMPERAL_URL", url).env("IMPERAL_TOKEN", "token");
    command
}

/// Completes the id of a task to cancel, as the shell does on TAB.
fn completed(data: &std::path::Path) -> tokio::process::Command {
    let mut tab = command(data, &["--", "probe", "cancel", ""]);
    tab.env("IMPERAL_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2").env("_CLAP_IFS", "\n");
    tab
}

#[tokio::test]
async fn foreign_text_cannot_control_or_reorder_the_terminal() {
    let url = platform(|path| {
        Body::Whole(if path.starts_with("/v1/tasks") {
            json!({"tasks": [task()]}).to_string()
        } else {
            json!({"turns": [turn(1, &format!("{HOSTILE}\n2 min ago  bot  forged"), &result(&json!({HOSTILE: HOSTILE})))]})
                .to_string()
        })
    })
    .await;
    for args in [["chat"], ["tasks"]] {
        let folder = tempfile::tempdir().unwrap();
        let env = [("IMPERAL_URL", &*url), ("IMPERAL_TOKEN", "token"), ("NO_COLOR", "1")];
        let (path, args) = (folder.path().to_owned(), args.map(str::to_owned));
        let (args, env) = (args.clone(), env.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let screen = tokio::task::spawn_blocking(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (&**name, &**value)).collect();
            let mut terminal = Terminal::start(PROBE, &args, &path, &env);
            assert_eq!(terminal.ended(), 0);
            terminal.until(0, "evil");
            terminal.written()
        })
        .await
        .unwrap();
        for acts in ['\x1b', '\x07', '\u{9b}', '\u{202e}', '\u{200b}'] {
            assert!(!screen.contains(acts), "{}: {screen:?}", acts.escape_unicode());
        }
        // A narrow column cuts the right-to-left end off.
        let begun = if screen.contains("STATE") { "" } else { "\u{2068}" };
        assert!(screen.contains(&format!("{begun}\u{fffd}evil\u{fffd}[2J")), "isolated and marked: {screen:?}");
        assert_eq!(screen.matches('\u{2068}').count(), screen.matches('\u{2069}').count(), "{screen:?}");
        assert!(!screen.contains("\n2 min ago  bot"), "no line is forged: {screen:?}");
    }
    // A pipe gets marks too. JSON output is the unchanged document with escaped characters.
    let piped = there(&url, &["chat"]).output().await.unwrap();
    let shown = text(&piped.stdout);
    assert!(
        shown.contains("\u{fffd}evil\u{fffd}[2J") && !shown.contains(['\x1b', '\u{202e}', '\u{2068}']),
        "{shown:?}"
    );
    let piped = there(&url, &["chat", "--json"]).output().await.unwrap();
    assert!(!text(&piped.stdout).contains(['\x1b', '\u{202e}', '\u{200b}', '\u{9b}']));
    assert_eq!(json_lines(&piped)[0]["result"]["data"][HOSTILE], HOSTILE);
}

#[tokio::test]
async fn unreadable_row_is_named_and_the_others_are_shown() {
    let url = platform(|path| {
        let rows =
            |kind: &str, one: &Value, deep: &str| Body::Whole(format!(r#"{{"{kind}":[{one},{deep}],"next":null}}"#));
        if path.starts_with("/v1/tasks") {
            rows("tasks", &task(), &format!(r#"{{"task_id":"{TASK_ID}","result":{}}}"#, deep()))
        } else {
            let readable = turn(1, "readable", &Value::Null);
            rows("turns", &readable, &format!(r#"{{"turn_id":"{TASK_ID}","seq":2,"result":{}}}"#, deep()))
        }
    })
    .await;
    for (command, shows, names) in [("chat", "readable", "turn_id"), ("tasks", "running", "task_id")] {
        let output = there(&url, &[command]).output().await.unwrap();
        let (shown, said) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success() && shown.contains(shows), "{command}: {shown}{said}");
        let told = format!("left out an unreadable row: {names} {TASK_ID}: ");
        assert!(said.contains(&told), "{command}: {said}");
    }
}

#[tokio::test]
async fn unreadable_event_does_not_end_follow() {
    let url = platform(|path| {
        Body::Whole(if path.starts_with("/v1/tasks") {
            json!({"tasks": [task()]}).to_string()
        } else if path.starts_with("/v1/chat/turns") {
            json!({"turns": []}).to_string()
        } else {
            let outcome = turn(7, "over", &Value::Null).to_string().replace(r#""result":null"#, &format!(r#""result":{}"#, deep()));
            format!("id: 5\nevent: turn\ndata: {{}}\n\nid: 6\nevent: progress\ndata: {{\"task_id\":\"{TASK_ID}\",\
                     \"percent\":50.0,\"message\":\"half\",\"at\":\"2026-01-01T00:00:00Z\"}}\n\nid: 7\nevent: turn\ndata: {outcome}\n\n")
        })
    })
    .await;
    let output = there(&url, &["follow"]).output().await.unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.matches("skipped an unreadable event of the live stream").count(), 2, "{said}");
    assert!(said.contains("50%  half") && said.contains("its outcome cannot be shown here"), "{said}");
}

#[tokio::test]
async fn endless_answer_or_event_ends_with_its_limit() {
    for (command, piece) in [("chat", "[[[["), ("follow", "data"), ("follow", LONG_LINE)] {
        let url = platform(move |path| match path {
            path if path.starts_with("/v1/events") => Body::Endless(piece),
            path if path.starts_with("/v1/tasks") => Body::Whole(json!({"tasks": [task()]}).to_string()),
            _ if command == "chat" => Body::Endless(piece),
            _ => Body::Whole(json!({"turns": []}).to_string()),
        })
        .await;
        let ended = tokio::time::timeout(Duration::from_secs(60), there(&url, &[command]).output());
        let output = ended.await.expect("it ends").unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("more than 64 MiB"), "{}", text(&output.stderr));
    }
}

#[tokio::test]
async fn commands_on_a_data_folder_use_no_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    tokio::spawn({
        let asked = asked.clone();
        async move {
            while let Ok((connection, _)) = listener.accept().await {
                asked.fetch_add(1, Ordering::SeqCst);
                drop(connection);
            }
        }
    });
    let proxied = |mut command: tokio::process::Command| {
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
            command.env(name, &proxy);
        }
        command.env("NO_PROXY", "example.com").env("no_proxy", "example.com");
        command
    };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // First a command that starts the platform, then one with a running platform.
    let alone = proxied(command(&data, &["call", "echo", "text=alone"])).output().await.unwrap();
    assert!(text(&alone.stdout).contains("alone"), "{}", text(&alone.stderr));
    let node = NodeOptions::new(PROBE, &data).start().await;
    for args in
        [&["call", "steps", "steps=2", "step_ms=1", "--follow"][..], &["chat"], &["tasks"], &["audit"], &["link"]]
    {
        let output = proxied(command(&data, args)).output().await.unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    }
    proxied(completed(&data)).output().await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the proxy was asked");
    // For other addresses the environment's proxy is used.
    let elsewhere = proxied(there(&node.url, &["chat"])).output().await.unwrap();
    assert_eq!(elsewhere.status.code(), Some(5), "{}", text(&elsewhere.stderr));
    assert!(asked.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn token_of_the_folder_is_sent_to_loopback_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _node = NodeOptions::new(PROBE, &data).start().await;
    let listening = data.join("listening.json");
    std::fs::write(&listening, r#"{"url":"http://192.0.2.1:80","pid":1}"#).unwrap();
    let output = run(&data, &["tasks"]).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("http://192.0.2.1:80, which is not a loopback address"), "{said}");
    assert!(said.contains("add --url http://192.0.2.1:80"), "{said}");
    // Completion does not connect to a host name, which can lead anywhere.
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let port = elsewhere.local_addr().unwrap().port();
    std::fs::write(&listening, format!(r#"{{"url":"http://localhost:{port}","pid":1}}"#)).unwrap();
    assert!(completed(&data).output().await.unwrap().status.success());
    let connected = elsewhere.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(connected, Err(std::io::ErrorKind::WouldBlock), "completion connected");
}

#[tokio::test]
async fn value_forges_no_log_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(PROBE, folder.path().join("data"));
    options.log = Some(folder.path().join("log"));
    options.env.push(("RUST_LOG".to_owned(), "info".to_owned()));
    // A value that is logged unchanged.
    options.env.push(("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), "http://127.0.0.1:9".to_owned()));
    options
        .env
        .push(("OTEL_BSP_MAX_QUEUE_SIZE".to_owned(), "1\n2026-01-01T00:00:00Z ERROR forged\r\x1b[2J".to_owned()));
    let node = options.start().await;
    // A user's id may not have control characters; these two characters are allowed.
    let anna = "anna\u{2028}2026-01-01T00:00:00Z ERROR forged\u{202e}";
    let user = User::with_token(&node, &token(&Claims::of(anna), JWT_SECRET));
    user.call("fail", json!({"how": "panic"})).await;
    node.terminate().await;
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains(['\r', '\x1b', '\u{202e}', '\u{2028}']), "{log:?}");
    assert!(log.lines().all(|line| !line.starts_with("2026-01-01")), "{log}");
    for named in
        [r"anna\u{2028}2026-01-01T00:00:00Z ERROR forged\u{202e}", r"1\n2026-01-01T00:00:00Z ERROR forged\r\u{1b}[2J"]
    {
        assert!(log.contains(named), "{named}: {log}");
    }
    assert!(!log.contains("service-token-of-the-tests") && !log.contains(JWT_SECRET), "{log}");
}
