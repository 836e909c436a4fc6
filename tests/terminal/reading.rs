//! The output of commands for tasks, turns and functions. Commands that read change nothing.

use std::path::Path;
use std::process::Stdio;

use imperal_tests::NodeOptions;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{PROBE, command, json_lines, run, text};

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn reading_commands_create_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let commands: [&[&str]; 9] = [
        &["tasks"],
        &["chat"],
        &["audit"],
        &["audit", "--verify"],
        &["follow"],
        &["follow", "3b678a74"],
        &["show", "1"],
        &["cancel", "3b678a74"],
        &["link"],
    ];
    let data = folder.join("data");
    for is_there in [false, true] {
        if is_there {
            std::fs::create_dir(&data).unwrap();
        }
        for args in commands {
            let output = run(&data, args).await;
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(5), "{args:?}: {said}");
            let problem = if args == ["link"] { "no platform runs on" } else { "there is no ledger in" };
            assert!(said.contains(problem) && said.contains("`probe dev`"), "{args:?}: {said}");
            assert_eq!(text(&output.stdout), "", "{args:?}");
            assert_eq!(data.exists(), is_there, "{args:?}");
            assert!(!is_there || entries(&data).is_empty(), "{args:?}: {:?}", entries(&data));
        }
    }
    let output = run(&data, &["tasks", "--json"]).await;
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(error["error"]["hint"].as_str().unwrap().contains("--data-dir"), "{error}");
    // A node on PostgreSQL leaves a lock and no ledger.
    std::fs::write(data.join("lock"), "").unwrap();
    assert_eq!(run(&data, &["chat"]).await.status.code(), Some(5));
    assert_eq!(entries(&data), ["lock"]);
}

#[tokio::test]
async fn ended_tasks_show_outcome_and_duration_instead_of_progress() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(run(folder, &["call", "steps", "steps=4", "step_ms=50"]).await.status.success());
    let table = text(&run(folder, &["tasks"]).await.stdout);
    assert!(table.contains("succeeded") && table.contains("4 steps done.") && table.contains(" s  "), "{table}");
    assert!(!table.contains('%') && !table.contains("Step 3"), "{table}");
    let task = &json_lines(&run(folder, &["tasks", "--json"]).await)[0];
    assert_eq!((&task["state"], &task["percent"], &task["message"]), (&json!("succeeded"), &Value::Null, &Value::Null));
}

#[tokio::test]
async fn interrupted_tasks_have_one_word_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = NodeOptions::new(PROBE, &data).start().await;
    let reply = json_lines(&run(&data, &["call", "stubborn", "millis=600000", "--json"]).await);
    let id = reply[0]["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    node.kill().await;
    for args in [&["tasks"][..], &["follow", &id], &["cancel", &id], &["show", &id], &["audit"], &["chat"]] {
        let output = run(&data, args).await;
        let shown = text(&output.stdout);
        assert!(!shown.contains("reclaimed"), "{args:?}: {shown}");
        assert!(args == ["audit"] || shown.to_lowercase().contains("interrupted"), "{args:?}: {shown}");
    }
    let rows = json_lines(&run(&data, &["audit", "--json"]).await);
    let detail = format!("outcome of task {id}: interrupted");
    assert!(rows.iter().any(|row| row["detail"] == detail), "{rows:?}");
    assert_eq!(json_lines(&run(&data, &["tasks", "--json"]).await)[0]["state"], "reclaimed", "the API's name");
}

#[tokio::test]
async fn chat_in_a_pipe_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let long = "a long sentence ".repeat(20);
    assert!(run(folder.path(), &["call", "echo", &format!("text={long}")]).await.status.success());
    let chat = text(&run(folder.path(), &["chat"]).await.stdout);
    assert!(chat.lines().next().unwrap().contains(&format!(r#"you  echo {{"text":"{long}"}}"#)), "{chat}");
    assert!(!chat.contains('…'), "{chat}");
}

#[tokio::test]
async fn parameter_comes_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = command(folder.path(), &["call", "echo", "text=@-", "--json"]);
    let mut child = call.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("piped, 日本".as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(json_lines(&output)[0]["text"], "piped, 日本");
}

#[tokio::test]
async fn function_has_its_own_help() {
    let folder = tempfile::tempdir().unwrap();
    let by_help = text(&run(folder.path(), &["help", "echo"]).await.stdout);
    for args in [&["call", "echo", "--help"][..], &["call", "--follow", "echo", "text=a", "-h"]] {
        assert_eq!(text(&run(folder.path(), args).await.stdout), by_help, "{args:?}");
    }
    for part in [
        "Answer at once with what was said.",
        "probe call echo text='a text'",
        "text   What to say. (text, 1 to 1000 characters; required)",
        "times  How often. (whole number, 0 to 9; may be left out; default 0)",
        "It reads and changes nothing.",
    ] {
        assert!(by_help.contains(part), "{part}: {by_help}");
    }
    assert!(!by_help.contains('\x1b'), "{by_help}");
    let how = text(&run(folder.path(), &["help", "fail"]).await.stdout);
    assert!(how.contains("how    In which way. (one of: panic, error, answer; required)"), "{how}");
    let secret = text(&run(folder.path(), &["help", "log_in"]).await.stdout);
    assert!(secret.contains("secret: never stored"), "{secret}");
    for args in [["help", "echo", "--json"], ["call", "echo", "--help"]] {
        let mut args = args.to_vec();
        if args[0] == "call" {
            args.push("--json");
        }
        let function = &json_lines(&run(folder.path(), &args).await)[0];
        assert_eq!((&function["name"], &function["app_id"]), (&json!("echo"), &json!("probe")), "{function}");
        assert_eq!(function["params_schema"]["properties"]["times"]["maximum"], 9);
    }
    // Without a function it is the help of the command.
    assert!(text(&run(folder.path(), &["call", "--help"]).await.stdout).contains("Idempotency key"));
    assert_eq!(entries(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn show_prints_parameters_state_times_and_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Other turns around the call, some of them later.
    for n in 0..3 {
        run(folder, &["call", "echo", &format!("text=before {n}")]).await;
    }
    run(folder, &["call", "journey", "tag=the tag", "tasks=1", "steps=2", "step_ms=1"]).await;
    for n in 0..3 {
        run(folder, &["call", "echo", &format!("text=after {n}")]).await;
    }
    let tasks = json_lines(&run(folder, &["tasks", "--json"]).await);
    let id = tasks[0]["task_id"].as_str().unwrap();
    for named in [id, &id[id.len() - 8..]] {
        let shown = text(&run(folder, &["show", named]).await.stdout);
        for part in ["the tag task 0", "succeeded", "journey", "took", "tag      the tag", "the tag task 0 outcome"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
    let task = &json_lines(&run(folder, &["show", id, "--json"]).await)[0];
    assert_eq!((&task["state"], &task["params"]["tag"]), (&json!("succeeded"), &json!("the tag")), "{task}");
    assert_eq!((&task["percent"], &task["result"]["status"]), (&Value::Null, &json!("success")), "{task}");

    let chat = json_lines(&run(folder, &["chat", "--json"]).await);
    let reply = chat.iter().find(|turn| turn["text"] == "the tag ack").unwrap();
    let number = reply["seq"].to_string();
    for named in [&*number, &format!("#{number}"), reply["turn_id"].as_str().unwrap()] {
        let shown = text(&run(folder, &["show", named]).await.stdout);
        for part in [&*format!("turn {number} bot"), "tag      the tag", "the tag ack", "task_ids", id] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
    let lines = text(&run(folder, &["chat"]).await.stdout);
    assert!(lines.contains(&format!("{number}  2")) && lines.contains("bot  the tag ack"), "{lines}");
    let turn = &json_lines(&run(folder, &["show", &number, "--json"]).await)[0];
    assert_eq!((&turn["turn_id"], &turn["params"]["steps"]), (&reply["turn_id"], &json!(2)), "{turn}");
}
