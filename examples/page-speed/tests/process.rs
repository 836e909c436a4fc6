//! The real process: killed with SIGKILL during a check and started again, or unable to start.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_page-speed"));
    command.args(args).arg("--data-dir").arg(folder).env("PAGE_SPEED_SECONDS", "0").stdin(Stdio::null());
    command
}

/// Runs a command to its end and returns its output.
fn printed(folder: &Path, args: &[&str]) -> String {
    let output = command(folder, args).output().unwrap_or_else(|error| panic!("{args:?}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_killed_check_ends_in_one_turn_and_leaves_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let folder = &folder.path().join("data");
    printed(folder, &["call", "connect_pagespeed", "api_key=a-key-that-works"]);
    printed(folder, &["call", "check_site_speed", "url=done.example.com"]);

    let mut running =
        command(folder, &["call", "check_site_speed", "url=slow.example.com"]).stdout(Stdio::piped()).spawn().unwrap();
    // The acknowledgement: from here on the task is on disk and running.
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("Checking https://slow.example.com"));
    // SIGKILL: no code of the process runs any more.
    running.kill().unwrap();
    running.wait().unwrap();

    let tasks = printed(folder, &["tasks", "--json"]);
    let states: Vec<_> = tasks.lines().map(|line| line.contains("\"state\":\"running\"")).collect();
    assert_eq!(states, [false, false], "{tasks}");
    let chat = printed(folder, &["chat", "--json"]);
    let outcomes = chat
        .lines()
        .filter(|turn| turn.contains("\"error_code\":\"INTERRUPTED\"") && turn.contains("\"task_id\""))
        .count();
    assert_eq!(outcomes, 1, "{chat}");
    let history = printed(folder, &["call", "list_speed_snapshots"]);
    assert!(history.starts_with("One check."), "the one that was finished: {history}");
    assert!(!history.contains("slow.example.com") && !history.contains("running"), "{history}");
}
