//! Recorded answers of a real service.
//!
//! An environment variable switches recording on, so recording and replaying run in separate processes of
//! this binary, each with one of the tests at the end.

use std::process::Command;

use imperal::testing::{TestPlatform, run};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Runs the inner test in a separate process; returns whether it passed, and its output.
fn inner(url: &str, file: &std::path::Path, record: bool) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "recording::in_a_separate_process", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("KIT_URL", url).env("KIT_FILE", file).env("IMPERAL_RECORD", if record { "1" } else { "0" });
    let done = command.output().unwrap();
    (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

#[test]
#[ignore = "the test below runs it in a separate process"]
fn in_a_separate_process() {
    let (url, file) = (std::env::var("KIT_URL").unwrap(), std::env::var("KIT_FILE").unwrap());
    run(true, async {
        let platform = TestPlatform::setup().recording(file).start().await;
        let anna = platform.user("anna");
        for wanted in ["200 answer 1 \u{fffd}\0", "200 answer 2 \u{fffd}\0"] {
            let params = json!({"url": format!("{url}/page?api_key=hush"), "body": "{\"password\":\"hush\"}"});
            let begun = tokio::time::Instant::now();
            assert_eq!(anna.call("fetch", params).await.unwrap().turn.body.text, wanted);
            assert_eq!(begun.elapsed().as_secs(), 0, "the test's clock is paused meanwhile");
        }
    });
}

#[test]
fn recording_replays_without_the_service_and_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("made/recording.json");
    let (passed, said) = inner("http://127.0.0.1:9", &file, false);
    assert!(!passed && said.contains("IMPERAL_RECORD=1"), "nothing to replay yet: {said}");

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = runtime.spawn(async move {
        for number in 1.. {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let _ = connection.read(&mut asked).await.unwrap();
            let head = "HTTP/1.1 200 OK\r\nset-cookie: session=hush\r\nconnection: close\r\n\r\nanswer ";
            let answer = [head.as_bytes(), number.to_string().as_bytes(), b" \xff\x00"].concat();
            connection.write_all(&answer).await.unwrap();
        }
    });
    let (passed, said) = inner(&url, &file, true);
    assert!(passed && said.contains("recorded "), "{said}");
    serving.abort();
    drop(runtime);

    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(!kept.contains("hush") && kept.matches("REDACTED").count() == 6, "{kept}");
    let (passed, said) = inner(&url, &file, false);
    assert!(passed, "{said}");
}
