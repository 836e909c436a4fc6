//! `say` and `chat --talk`, with a scripted model and without one.

use std::path::Path;
use std::process::{Output, Stdio};

use imperal_tests::model_server::ModelServer;
use imperal_tests::{NodeOptions, eventually};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::{PROBE, command, json_lines, run, text};

async fn with_model(folder: &Path, model: &ModelServer, args: &[&str], input: &str) -> Output {
    let mut command = command(folder, args);
    command.env("IMPERAL_MODEL_URL", &model.url).env("IMPERAL_MODEL", "scripted");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    child.wait_with_output().await.unwrap()
}

#[tokio::test]
async fn say_answers_in_a_process_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let model = ModelServer::start().await;
    model.calls("echo", json!({"text": "hello", "times": 1})).says("It says hello.");
    let said = with_model(folder.path(), &model, &["say", "echo", "hello"], "").await;
    assert!(said.status.success(), "{}", text(&said.stderr));
    assert!(text(&said.stdout).ends_with("It says hello.\n"), "{}", text(&said.stdout));
    model.says("From a pipe.");
    let piped = with_model(folder.path(), &model, &["say", "-", "--json"], "read this").await;
    assert_eq!(json_lines(&piped).last().unwrap()["text"], "From a pipe.", "{}", text(&piped.stderr));
}

#[tokio::test]
async fn talk_takes_a_message_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let model = ModelServer::start().await;
    model.says("One.").says("Two.");
    let talked = with_model(folder.path(), &model, &["chat", "--talk"], "first\n\nsecond\n").await;
    assert!(talked.status.success(), "{}", text(&talked.stderr));
    let said = text(&talked.stdout);
    assert!(said.contains("One.\n") && said.ends_with("Two.\n"), "{said}");
}

#[tokio::test]
async fn an_approval_in_a_pipe_is_left_for_answer() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let model = ModelServer::start().await;
    let mut options = NodeOptions::new(PROBE, &data);
    options.args.extend(["--model-url", &model.url, "--model", "scripted"].map(str::to_owned));
    let _node = options.start().await;
    model.calls("erase_words", json!({"text": "all", "times": 1})).says("Gone.");
    let said = run(&data, &["say", "erase all words"]).await;
    assert_eq!(said.status.code(), Some(6), "{}{}", text(&said.stdout), text(&said.stderr));
    let asked = format!("{}{}", text(&said.stdout), text(&said.stderr));
    assert!(asked.contains("Erase words with text: \"all\""), "{asked}");
    let task = json_lines(&run(&data, &["tasks", "--json", "-n", "1"]).await).remove(0);
    let id = task["task_id"].as_str().unwrap().to_owned();
    let answered = run(&data, &["answer", &id, "allow"]).await;
    assert!(answered.status.success(), "{}", text(&answered.stderr));
    eventually("the answer comes", async || {
        let chat = text(&run(&data, &["chat"]).await.stdout);
        (chat.contains("Erased: all") && chat.contains("Gone.")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_a_model_the_fitting_functions_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(folder.path(), &["say", "erase some words"]).await;
    assert!(!refused.status.success());
    let told = text(&refused.stderr);
    assert!(told.contains("No model is set") && told.contains("call erase_words"), "{told}");
}
