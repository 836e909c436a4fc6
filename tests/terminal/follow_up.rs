//! `continue` and `run-again`: what they say, what `show` says of both tasks, and what TAB offers.

use std::path::{Path, PathBuf};
use std::process::Output;

use imperal_tests::{Node, NodeOptions, Terminal, eventually};
use serde_json::Value;
use tempfile::TempDir;

use super::{PROBE, json_lines, run, text};

/// A server with a task that asks.
struct Asker {
    folder: TempDir,
    node: Node,
}

impl Asker {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = NodeOptions::new(PROBE, folder.path().join("data")).start().await;
        Self { folder, node }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn run(&self, args: &[&str]) -> Output {
        run(&self.data(), args).await
    }

    /// A task that was cancelled behind its first step. Returns its id.
    async fn cancelled(&self) -> String {
        let called = self.run(&["call", "inquire_user", "what=choice"]).await;
        assert!(called.status.success(), "{}", text(&called.stderr));
        let id = asking(&self.data()).await;
        assert!(self.run(&["cancel", &id]).await.status.success());
        id
    }
}

/// The id of the latest task, once it asks.
async fn asking(data: &Path) -> String {
    eventually("the latest task asks", async || {
        let task = json_lines(&run(data, &["tasks", "--json", "-n", "1"]).await).remove(0);
        (task["state"] == "waiting").then(|| task["task_id"].as_str().unwrap().to_owned())
    })
    .await
}

fn short(id: &str) -> &str {
    &id[id.len() - 8..]
}

#[tokio::test]
async fn script_goes_on_from_a_task_once() {
    let asker = Asker::start().await;
    let ended = asker.cancelled().await;
    let started = asker.run(&["continue", short(&ended)]).await;
    let said = text(&started.stdout);
    assert_eq!(started.status.code(), Some(0), "{said}{}", text(&started.stderr));
    let new = asking(&asker.data()).await;
    assert_eq!(said, format!("inquiry goes on as task {}: 1 step is kept and not done again.\n", short(&new)));
    assert!(text(&started.stderr).contains(&format!("follow {}    watches it", short(&new))));
    let again = text(&asker.run(&["continue", &ended]).await.stdout);
    assert!(again.starts_with(&format!("inquiry goes on already as task {}: ", short(&new))), "{again}");
    // Both tasks name each other.
    let shown = text(&asker.run(&["show", &new]).await.stdout);
    assert!(shown.contains(&format!("goes on from  task {ended}, 1 step kept")), "{shown}");
    assert!(shown.contains(&format!("follows goes on from task {}, 1 step kept from it", short(&ended))), "{shown}");
    assert!(shown.contains("  kept\n"), "{shown}");
    let shown = text(&asker.run(&["show", &ended]).await.stdout);
    assert!(shown.contains(&format!("followed by   task {new}")), "{shown}");
    let elsewhere = asker.run(&["continue", &ended, "--from-step", "1"]).await;
    let refused = text(&elsewhere.stderr);
    assert_eq!(elsewhere.status.code(), Some(4), "{refused}");
    assert!(refused.contains(&new) && refused.contains("(NOT_CONTINUABLE)"), "{refused}");
}

#[tokio::test]
async fn step_is_named_by_its_number_or_its_name() {
    let asker = Asker::start().await;
    let ended = asker.cancelled().await;
    for (step, says) in [
        ("prepaer", "the task has no stored step `prepaer`; it has 1 stored step"),
        ("prepaer", "did you mean `prepare`?"),
        ("7", "go on from a step from 1 to 2"),
    ] {
        let refused = asker.run(&["continue", &ended, "--from-step", step]).await;
        assert_eq!(refused.status.code(), Some(4));
        assert!(text(&refused.stderr).contains(says), "{}", text(&refused.stderr));
    }
    let started = json_lines(&asker.run(&["continue", &ended, "--from-step", "prepare", "--json"]).await).remove(0);
    assert_eq!(started["follows"], serde_json::json!({"task_id": ended, "through": 0}));
}

#[tokio::test]
async fn task_runs_again_and_is_followed_to_its_outcome() {
    let asker = Asker::start().await;
    let ended = asker.cancelled().await;
    let data = asker.data();
    let answering = async {
        let new = asking(&data).await;
        run(&data, &["answer", &new, "Publish"]).await
    };
    let args = ["run-again", &*ended, "--follow", "--json"];
    let (answered, followed) = tokio::join!(answering, asker.run(&args));
    // In a pipe it ends when the task waits for an answer; a person would be asked.
    assert!([Some(0), Some(6)].contains(&followed.status.code()), "{}", text(&followed.stderr));
    assert!(answered.status.success());
    let first = json_lines(&asker.run(&["run-again", &ended, "--json"]).await).remove(0);
    let second = json_lines(&asker.run(&["run-again", &ended, "--key", "second", "--json"]).await).remove(0);
    assert_ne!(first["task_id"], second["task_id"]);
    let lines = text(&asker.run(&["run-again", &ended]).await.stdout);
    assert!(lines.starts_with("inquiry runs again already from the start, as task "), "{lines}");
}

/// The new task waits for a process: the next server runs it.
#[tokio::test]
async fn without_a_server_the_next_one_goes_on() {
    let asker = Asker::start().await;
    let ended = asker.cancelled().await;
    let data = asker.data();
    let Asker { folder, node } = asker;
    let options = node.kill().await;
    let started = run(&data, &["continue", &ended]).await;
    assert_eq!(started.status.code(), Some(0), "{}", text(&started.stderr));
    assert!(text(&started.stderr).contains(" dev` goes on with the task: no process runs now"));
    let tasks: Vec<Value> = json_lines(&run(&data, &["tasks", "--json"]).await);
    assert_eq!(tasks[0]["state"], "queued");
    let _node = options.start().await;
    assert_eq!(asking(&data).await, tasks[0]["task_id"].as_str().unwrap());
    drop(folder);
}

#[cfg(unix)]
#[tokio::test]
async fn tab_completes_ended_tasks() {
    let asker = Asker::start().await;
    let ended = asker.cancelled().await;
    let open = {
        let called = asker.run(&["call", "inquire_user", "what=choice"]).await;
        assert!(called.status.success());
        asking(&asker.data()).await
    };
    let bin = Path::new(PROBE).parent().unwrap().display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let env = [("PATH", &*path), ("PS1", "$ "), ("HOME", "/nonexistent")];
    let mut bash = Terminal::start("bash", &["--norc", "--noprofile"], asker.folder.path(), &env);
    bash.send("eval \"$(probe completions bash)\" && echo rea''dy\r");
    let from = bash.until(0, "ready");
    for command in ["continue", "run-again"] {
        bash.send(&format!("probe {command} {}\t", &short(&ended)[..4]));
        bash.until(from, &format!("probe {command} {}", short(&ended)));
        bash.send("\x15");
        bash.send(&format!("probe {command} {}\t\t", &short(&open)[..7]));
        bash.send("\x15");
    }
    assert!(!bash.written()[from..].contains(short(&open)), "an open task has nothing to go on from");
}
