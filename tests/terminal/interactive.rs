//! The commands on a real terminal: bars, colours, Ctrl-C and its question, TAB.

use std::path::Path;

use imperal_tests::{Node, NodeOptions, Terminal, User};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

const PROBE: &str = env!("CARGO_BIN_EXE_probe");
const CTRL_C: &str = "\x03";

async fn beside_a_node() -> (TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let node = NodeOptions::new(PROBE, folder.path().join("data")).start().await;
    (folder, node)
}

/// A terminal that follows a call of many steps, once its bar is shown.
fn following(folder: &Path) -> (Terminal, usize) {
    let call = ["call", "steps", "steps=600", "step_ms=50", "--follow"];
    let terminal = Terminal::start(PROBE, &call, folder, &[]);
    let seen = terminal.until(0, "Step ");
    (terminal, seen)
}

async fn tasks(folder: &Path) -> Vec<Value> {
    let output = Command::new(PROBE).args(["tasks", "--json"]).env("IMPERAL_DATA_DIR", folder.join("data")).output();
    let output = output.await.unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn bar_moves_and_is_replaced_by_the_outcome() {
    let (folder, _node) = beside_a_node().await;
    let call = ["call", "steps", "steps=8", "step_ms=200", "--follow"];
    let mut terminal = Terminal::start(PROBE, &call, folder.path(), &[]);
    let at = terminal.until(0, "✓");
    let at = terminal.until(at, "━");
    let at = terminal.until(at, "%");
    terminal.until(at, "8 steps done.");
    assert_eq!(terminal.ended(), 0);
    let written = terminal.written();
    assert!(written.contains("\x1b[32m✓"), "green on a terminal: {written}");
    assert!(written.contains("Step "), "{written}");
}

#[tokio::test]
async fn no_color_removes_colours_but_not_the_bar() {
    let (folder, _node) = beside_a_node().await;
    let call = ["call", "steps", "steps=6", "step_ms=200", "--follow"];
    let mut terminal = Terminal::start(PROBE, &call, folder.path(), &[("NO_COLOR", "1")]);
    terminal.until(0, "6 steps done.");
    assert_eq!(terminal.ended(), 0);
    let written = terminal.written();
    for colour in 31..=37 {
        assert!(!written.contains(&format!("\x1b[{colour}m")), "{written}");
    }
    assert!(written.contains("Step "), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_then_c_cancels() {
    let (folder, _node) = beside_a_node().await;
    let (mut terminal, at) = following(folder.path());
    terminal.send(CTRL_C);
    let at = terminal.until(at, "keep watching");
    terminal.send("c");
    terminal.until(at, "■");
    assert_eq!(terminal.ended(), 3);
    assert_eq!(tasks(folder.path()).await[0]["state"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_then_d_detaches_and_follow_resumes() {
    let (folder, _node) = beside_a_node().await;
    let (mut terminal, at) = following(folder.path());
    terminal.send(CTRL_C);
    let at = terminal.until(at, "keep watching");
    terminal.send("d");
    terminal.until(at, "the work goes on\x1b[0m\r\n");
    assert_eq!(terminal.ended(), 130);
    let task = &tasks(folder.path()).await[0];
    assert_eq!(task["state"], "running", "{task}");
    let id = task["task_id"].as_str().unwrap();
    let short = &id[id.len() - 8..];
    assert!(terminal.written().contains(&format!("probe follow {short}")), "{}", terminal.written());

    let mut again = Terminal::start(PROBE, &["follow", short], folder.path(), &[]);
    let at = again.until(0, "Step ");
    again.send(CTRL_C);
    let at = again.until(at, "keep watching");
    // Other keys are no answer; an arrow is sent as an escape and a C.
    again.send("x\x1b[C");
    again.send("c");
    again.until(at, "■");
    assert_eq!(again.ended(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn question_is_erased_before_anything_is_printed() {
    let (folder, _node) = beside_a_node().await;
    let call = ["call", "journey", "tag=t", "tasks=1", "steps=30", "step_ms=100", "--follow"];
    let mut terminal = Terminal::start_in(60, PROBE, &call, folder.path(), &[]);
    let at = terminal.until(0, "step 1");
    terminal.send(CTRL_C);
    // A message comes midway: the question is asked again below it. The outcome ends it.
    let asked = terminal.until(at, "keep watching: ");
    let again = terminal.until(asked, "keep watching: ");
    terminal.until(again, "t task 0 outcome");
    assert_eq!(terminal.ended(), 0);
    let written = terminal.written();
    for printed in ["t task 0 announcement", "t task 0 outcome"] {
        let before = written.split(printed).next().unwrap();
        let (_, after_question) = before.rsplit_once("keep watching: ").unwrap();
        // The question takes two rows of this window.
        assert!(after_question.starts_with("\x1b[A\r\x1b[J"), "{after_question:?}");
    }
    assert_eq!(written.matches("keep watching: ").count(), 2, "{written}");
    // An echo would move the bars, and a bar would stay behind.
    assert!(!written.contains("^C"), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn shell_has_its_terminal_back_after_the_question() {
    let (folder, _node) = beside_a_node().await;
    let mut bash = Terminal::start("bash", &["--norc", "--noprofile", "-i"], folder.path(), &[("PS1", "> ")]);
    bash.send(&format!("{PROBE} call steps steps=600 step_ms=50 --follow; stty -a; echo rea''dy\r"));
    let at = bash.until(0, "Step ");
    bash.send(CTRL_C);
    let at = bash.until(at, "keep watching");
    bash.send("d");
    bash.until(at, "ready\r\n");
    let modes = bash.written()[at..].to_owned();
    assert!(modes.contains(" icanon") && modes.contains(" echo "), "{modes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_before_the_question_does_not_answer_it() {
    let (folder, _node) = beside_a_node().await;
    let (mut terminal, at) = following(folder.path());
    terminal.send("c\rd\r");
    let at = terminal.until(at, "Step ");
    terminal.send(CTRL_C);
    let at = terminal.until(at, "keep watching: ");
    terminal.send("\r");
    terminal.until(at, "Step ");
    terminal.send(CTRL_C);
    terminal.until(at, "keep watching: ");
    terminal.send(CTRL_C);
    assert_eq!(terminal.ended(), 130);
    assert_eq!(tasks(folder.path()).await[0]["state"], "running");
}

#[tokio::test]
async fn hint_of_a_call_names_its_task() {
    let (folder, _node) = beside_a_node().await;
    let mut terminal = Terminal::start(PROBE, &["call", "stubborn", "millis=600000"], folder.path(), &[]);
    terminal.until(0, "watches it");
    assert_eq!(terminal.ended(), 0);
    let id = tasks(folder.path()).await[0]["task_id"].as_str().unwrap().to_owned();
    let hint = format!("probe follow {}    watches it", &id[id.len() - 8..]);
    assert!(terminal.written().contains(&hint), "{}", terminal.written());
}

#[tokio::test(flavor = "multi_thread")]
async fn second_ctrl_c_detaches_at_once() {
    let (folder, _node) = beside_a_node().await;
    let (mut terminal, at) = following(folder.path());
    terminal.send(CTRL_C);
    terminal.until(at, "keep watching");
    terminal.send(CTRL_C);
    assert_eq!(terminal.ended(), 130);
    assert_eq!(tasks(folder.path()).await[0]["state"], "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn enter_continues_to_the_outcome() {
    let (folder, _node) = beside_a_node().await;
    let call = ["call", "steps", "steps=40", "step_ms=50", "--follow"];
    let mut terminal = Terminal::start(PROBE, &call, folder.path(), &[]);
    let at = terminal.until(0, "Step ");
    terminal.send(CTRL_C);
    let at = terminal.until(at, "keep watching");
    terminal.send("\r");
    terminal.until(at, "40 steps done.");
    assert_eq!(terminal.ended(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn second_ctrl_c_interrupts_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let (mut terminal, at) = following(folder.path());
    terminal.send(CTRL_C);
    terminal.until(at, "keep watching");
    assert!(!terminal.written().contains("detach"), "{}", terminal.written());
    terminal.send(CTRL_C);
    assert_eq!(terminal.ended(), 130);
    assert_eq!(tasks(folder.path()).await[0]["state"], "reclaimed");
}

/// A crate without dependencies, so that cargo is fast; its binary becomes the probe.
pub(super) fn extension_in(folder: &Path) {
    std::fs::create_dir(folder.join("src")).unwrap();
    let manifest = "[package]\nname = \"stand-in\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let become_probe = format!(
        "use std::os::unix::process::CommandExt;\nfn main() {{\n    let args = std::env::args_os().skip(1);\n    \
         panic!(\"{{}}\", std::process::Command::new({PROBE:?}).args(args).exec());\n}}\n"
    );
    std::fs::write(folder.join("src/main.rs"), become_probe).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_reaches_the_command_under_cargo_imperal() {
    let (folder, _node) = beside_a_node().await;
    extension_in(folder.path());
    let program = imperal_tests::sibling("cargo-imperal").display().to_string();
    let call = ["imperal", "call", "steps", "steps=600", "step_ms=50", "--follow"];
    let mut terminal = Terminal::start(&program, &call, folder.path(), &[]);
    let at = terminal.until(0, "Step ");
    terminal.send(CTRL_C);
    let at = terminal.until(at, "keep watching");
    terminal.send("c");
    terminal.until(at, "■");
    assert_eq!(terminal.ended(), 3, "its exit is the command's");
    assert_eq!(tasks(folder.path()).await[0]["state"], "cancelled");
}

#[tokio::test]
async fn interrupt_without_a_terminal_detaches_and_prints_how_to_resume() {
    let (folder, node) = beside_a_node().await;
    let child = Command::new(PROBE)
        .args(["call", "steps", "steps=600", "step_ms=50", "--follow"])
        .env("IMPERAL_DATA_DIR", folder.path().join("data"))
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().unwrap().to_string();
    // Once the task runs, the command follows it or is about to.
    while tasks(folder.path()).await.is_empty() {}
    let mut told = tokio::time::interval(std::time::Duration::from_millis(300));
    let ended = child.wait_with_output();
    tokio::pin!(ended);
    let output = loop {
        tokio::select! {
            output = &mut ended => break output.unwrap(),
            _ = told.tick() => {
                if tasks(folder.path()).await[0]["percent"].is_number() {
                    Command::new("kill").args(["-INT", &pid]).status().await.unwrap();
                }
            }
        }
    };
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("probe follow ") && said.contains("probe cancel "), "{said}");
    assert!(!said.contains('\x1b'), "plain text: {said}");
    assert_eq!(tasks(folder.path()).await[0]["state"], "running");
    node.kill().await;
}

#[tokio::test]
async fn exit_code_of_follow_is_the_tasks() {
    let (folder, node) = beside_a_node().await;
    let follow = |named: &str| {
        let mut command = Command::new(PROBE);
        command.args(["follow", named]).env("IMPERAL_DATA_DIR", folder.path().join("data"));
        command
    };
    let call = ["call", "fail", "how=answer", "later=true", "--follow"];
    let failed =
        Command::new(PROBE).args(call).env("IMPERAL_DATA_DIR", folder.path().join("data")).output().await.unwrap();
    assert_eq!(failed.status.code(), Some(1));
    let id = tasks(folder.path()).await[0]["task_id"].as_str().unwrap().to_owned();
    let ended = follow(&id).output().await.unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8(ended.stdout).unwrap().contains("has ended already: failed."));
    for (named, code) in [("ffff", 4), ("what?", 4), ("ab", 4)] {
        assert_eq!(follow(named).output().await.unwrap().status.code(), Some(code), "{named}");
    }
    let anna = User::of(&node, "anna").call("stubborn", json!({"millis": 60_000})).await;
    let foreign = anna["result"]["data"]["task_id"].as_str().unwrap();
    let refused = follow(foreign).output().await.unwrap();
    assert_eq!(refused.status.code(), Some(4));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("belongs to another user"));
}

#[tokio::test]
async fn table_fits_the_window() {
    let (folder, _node) = beside_a_node().await;
    let name = "a-rather-long-tag-".repeat(12);
    let call = [&format!("tag={name}")[..], "tasks=1", "steps=1", "step_ms=1"];
    let called = Command::new(PROBE)
        .args(["call", "journey"])
        .args(call)
        .env("IMPERAL_DATA_DIR", folder.path().join("data"))
        .output();
    assert!(called.await.unwrap().status.success());
    let mut terminal = Terminal::start(PROBE, &["tasks"], folder.path(), &[("NO_COLOR", "1")]);
    assert_eq!(terminal.ended(), 0);
    terminal.until(0, "…");
    for line in terminal.written().lines() {
        assert!(line.trim_end().chars().count() <= 90, "{line}");
    }
}

#[tokio::test]
async fn tab_completes_commands_functions_parameters_values_and_tasks_in_bash() {
    let (folder, node) = beside_a_node().await;
    let bin = Path::new(PROBE).parent().unwrap().display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    let env = [("PATH", path.as_str()), ("PS1", "> "), ("HOME", "/nonexistent")];
    let mut bash = Terminal::start("bash", &["--norc", "--noprofile", "-i"], folder.path(), &env);
    bash.send("eval \"$(probe completions bash)\" && echo rea''dy\r");
    let mut at = bash.until(0, "ready\r\n");
    for (typed, shows) in [
        ("probe tok\t", "probe token "),
        ("probe call ec\t", "probe call echo "),
        ("probe call echo te\t", "probe call echo text="),
        ("probe call echo text=a ti\t", "times="),
        ("probe call fail how=pa\t", "how=panic"),
        ("probe call echo --fol\t", "--follow"),
        ("probe help ec\t", "probe help echo "),
        ("probe help aud\t", "probe help audit "),
    ] {
        bash.send(typed);
        at = bash.until(at, shows);
        bash.send("\x15\r");
    }
    let output = Command::new(PROBE)
        .args(["call", "stubborn", "millis=60000", "--json"])
        .env("IMPERAL_DATA_DIR", folder.path().join("data"))
        .output();
    let reply: Value = serde_json::from_slice(&output.await.unwrap().stdout).unwrap();
    let id = reply["result"]["data"]["task_id"].as_str().unwrap();
    // Options are possible too, so the second TAB lists all.
    bash.send("probe cancel \t\t");
    bash.until(at, &id[id.len() - 8..]);
    drop(bash);
    node.kill().await;
}
