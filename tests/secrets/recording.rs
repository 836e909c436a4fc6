//! Recordings of a real service have `[secret NAME]` in the place of each value that the function has read.
//!
//! An environment variable switches recording on, so recording and replaying run in separate processes of this binary,
//! each with the ignored test.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use imperal::prelude::*;
use imperal::testing::{TestPlatform, run};
use serde_json::json;

use crate::in_memory::{API_KEY, Work};

/// Runs the ignored test in a separate process with a value for the secret.
fn inner(url: &str, file: &Path, value: &str, record: bool) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "recording::in_a_separate_process", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("SECRETS_URL", url).env("SECRETS_FILE", file).env("SECRETS_VALUE", value);
    let done = command.env("IMPERAL_RECORD", if record { "1" } else { "0" }).output().unwrap();
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{said}");
    said
}

async fn ask(ctx: Context) -> Result<ActionResult> {
    let key = ctx.secret(&API_KEY).await?;
    let url = format!("{}/{}", std::env::var("SECRETS_URL")?, key.expose());
    let answer = ctx.http().post(url).body(format!("I am {}", key.expose())).send().await?;
    Ok(ActionResult::done(format!("{} bytes", answer.text()?.len())))
}

#[test]
#[ignore = "the test below runs it in a separate process"]
fn in_a_separate_process() {
    let [file, value] = ["SECRETS_FILE", "SECRETS_VALUE"].map(|name| std::env::var(name).unwrap());
    run(true, async {
        let work: Work = std::sync::Arc::new(|ctx| Box::pin(ask(ctx)));
        let platform = TestPlatform::setup().state(work).recording(file).start().await;
        let anna = platform.user("anna");
        anna.secret(&API_KEY, &value).await;
        let reply = anna.call("work", json!({})).await.unwrap();
        assert!(reply.result.is_success(), "{:?}", reply.result);
    });
}

#[test]
fn recorded_exchange_has_no_value_and_is_replayed_with_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recording.json");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut asked = vec![0; 4096];
        let read = connection.read(&mut asked).unwrap();
        let head = "HTTP/1.1 200 OK\r\nconnection: close\r\nx-you: hush-0123456789\r\n\r\n";
        connection.write_all(format!("{head}hello hush-0123456789").as_bytes()).unwrap();
        String::from_utf8_lossy(&asked[..read]).into_owned()
    });
    let said = inner(&url, &file, "hush-0123456789", true);
    assert!(said.contains("recorded "), "{said}");
    assert!(service.join().unwrap().contains("hush-0123456789"));

    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(!kept.contains("hush") && kept.matches("[secret api_key]").count() >= 3, "{kept}");
    inner(&url, &file, "another-value", false);
}
