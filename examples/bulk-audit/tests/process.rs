//! The real process, killed with SIGKILL during an audit and started again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulk-audit"));
    command.args(args).arg("--data-dir").arg(folder).env("BULK_AUDIT_SECONDS", "0").stdin(Stdio::null());
    command
}

/// Runs a command to its end and returns its output.
fn printed(folder: &Path, args: &[&str]) -> String {
    let output = command(folder, args).output().unwrap_or_else(|error| panic!("{args:?}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_killed_audit_ends_in_one_turn_and_keeps_the_last_audit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = &folder.path().join("data");
    printed(folder, &["call", "audit_domains", r#"domains=["done.example.com"]"#]);

    // One of its checks never answers, so it runs for at least the 20 s of its timeout.
    let mut running = command(folder, &["call", "audit_domains", r#"domains=["hang.example.com", "example.com"]"#])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The acknowledgement: from here on the task is on disk and running.
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("Auditing 2 domains"));
    // SIGKILL: no code of the process runs any more.
    running.kill().unwrap();
    running.wait().unwrap();

    let tasks = printed(folder, &["tasks", "--json"]);
    assert_eq!(tasks.lines().filter(|task| task.contains("\"state\":\"succeeded\"")).count(), 1, "{tasks}");
    assert_eq!(tasks.lines().filter(|task| task.contains("\"state\":\"reclaimed\"")).count(), 1, "{tasks}");
    let chat = printed(folder, &["chat", "--json"]);
    let interrupted = |turn: &&str| turn.contains("\"error_code\":\"INTERRUPTED\"") && turn.contains("\"task_id\"");
    assert_eq!(chat.lines().filter(interrupted).count(), 1, "{chat}");
    let last = printed(folder, &["call", "get_last_audit"]);
    assert!(last.contains("done.example.com") && !last.contains("hang.example.com"), "{last}");
}
