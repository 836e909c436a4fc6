//! The small examples as programs: each manifest passes every rule, and a function runs from the terminal.
//!
//! Each example tests its own function. `cargo build --workspace --examples` builds the programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use imperal_tests::{NodeOptions, eventually};
use serde_json::Value;

const EXAMPLES: [&str; 10] =
    ["hello", "background", "durable", "approval", "http_retry", "poll", "fan_out", "blocking", "on_cancel", "deliver"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/surfaces")
}

fn program(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let program = this
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(program.exists(), "{} is missing: cargo build --workspace --examples", program.display());
    program
}

fn run(name: &str, folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new(program(name));
    let output = command.args(args).current_dir(folder).env("IMPERAL_DATA_DIR", folder.join("data")).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name} {args:?}: {}\n{text}{errors}", output.status);
    text.into_owned()
}

#[test]
fn manifests_of_the_small_examples_pass_every_rule() {
    for name in EXAMPLES {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(source().join("icon.svg"), folder.path().join("icon.svg")).unwrap();
        std::fs::write(folder.path().join("imperal.json"), run(name, folder.path(), &["manifest"])).unwrap();
        run(name, folder.path(), &["validate", "imperal.json"]);
    }
}

#[test]
fn a_small_example_runs_its_function_from_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run("hello", folder.path(), &["call", "hello", "name=Anna"]).contains("Hello, Anna!"));
}

/// With a request to the service in its process, which refuses one without an idempotency key.
#[tokio::test]
async fn approval_publishes_a_page_by_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let _node = NodeOptions::new(program("approval"), folder.path().join("data")).start().await;
    let run = |args: &[&str]| run("approval", folder.path(), args);
    assert!(run(&["call", "publish_page", "title=News"]).contains("You will be asked."));
    let latest = |state: &str| {
        let task: Value = serde_json::from_str(&run(&["tasks", "--json", "-n", "1"])).unwrap();
        (task["state"] == state).then(|| task["task_id"].as_str().unwrap().to_owned())
    };
    let task = eventually("the task asks", async || latest("waiting")).await;
    run(&["answer", &task, "Publish"]);
    eventually("the page is published", async || latest("succeeded")).await;
    assert!(run(&["show", &task]).contains("“News” is published."));
}

#[test]
fn small_examples_have_at_most_60_lines() {
    for name in EXAMPLES {
        let path = source().join(name).with_extension("rs");
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 60, "{name} has {lines} lines");
    }
}
