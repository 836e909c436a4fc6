//! Narrow windows, and lines of several tasks.

use std::path::Path;

use imperal_tests::{NodeOptions, Terminal};

use super::{PROBE, json_lines, run, text};

fn screen(columns: u16, args: &[&str], folder: &Path) -> String {
    let mut terminal = Terminal::start_in(columns, PROBE, args, folder, &[("NO_COLOR", "1")]);
    terminal.until(0, "\n");
    assert_eq!(terminal.ended(), 0);
    // The reader may still be behind the end of the program.
    loop {
        let before = terminal.written();
        std::thread::sleep(std::time::Duration::from_millis(100));
        if terminal.written() == before {
            return before.replace("\r\n", "\n");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn help_fits_a_narrow_window() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["help", "call"], &["help", "serve"], &["help", "steps"], &["call", "fail", "-h"]] {
        let help = screen(40, args, folder.path());
        for line in help.lines() {
            // What is typed is never broken, nor is a single word.
            let is_typed =
                line.starts_with("  probe ") || line.starts_with("  IMPERAL_JWT") || line.starts_with("Usage");
            let is_word = line.split_whitespace().count() == 1;
            assert!(is_typed || is_word || line.trim_end().chars().count() <= 40, "{args:?}: {line:?} in\n{help}");
        }
        assert!(!help.contains("\n\n\n"), "{args:?}: {help}");
        // A column that is too narrow has one word in each line.
        let is_single = |line: &&str| line.starts_with("        ") && line.split_whitespace().count() == 1;
        let lines: Vec<_> = help.lines().collect();
        assert!(!lines.windows(4).any(|four| four.iter().all(is_single)), "{args:?}: {help}");
    }
    let wide = screen(100, &["--help"], folder.path());
    assert!(wide.contains("  run a function\n") && !wide.contains("\n\n\n"), "{wide}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_fit_narrow_windows() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    assert!(run(&data, &["call", "steps", "steps=2", "step_ms=1"]).await.status.success());
    for columns in [40, 50, 70] {
        for args in [["tasks"], ["audit"]] {
            let shown = screen(columns, &args, folder.path());
            for line in shown.lines() {
                assert!(line.trim_end().chars().count() <= usize::from(columns), "{args:?} {columns}: {line}");
            }
        }
        assert!(screen(columns, &["tasks"], folder.path()).contains("2 steps"), "the outcome stays");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_several_tasks_say_whose_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _node = NodeOptions::new(PROBE, &data).start().await;
    let call = ["call", "journey", "tag=t", "tasks=3", "steps=6", "step_ms=150", "--follow"];
    let shown = screen(40, &call, folder.path());
    let tasks = json_lines(&run(&data, &["tasks", "--json"]).await);
    for task in &tasks {
        let (id, name) = (task["task_id"].as_str().unwrap(), task["name"].as_str().unwrap());
        let short = &id[id.len() - 8..];
        assert!(shown.contains(&format!("✓ {short} {name}: {name} outcome")), "{shown}");
        assert!(shown.contains(&format!("· {short} {name}: {name} announcement")), "{shown}");
        assert!(["━", "╸", "┄"].iter().any(|bar| shown.contains(&format!("{short} {bar}"))), "{shown}");
    }
    // In a pipe with their whole ids; a single task needs none.
    let piped = run(&data, &call).await;
    let (answers, said) = (text(&piped.stdout), text(&piped.stderr));
    for task in &json_lines(&run(&data, &["tasks", "--json", "-n", "3"]).await) {
        let (id, name) = (task["task_id"].as_str().unwrap(), task["name"].as_str().unwrap());
        assert!(answers.contains(&format!("{id}  {name}: {name} outcome\n")), "{answers}");
        assert!(said.contains(&format!("%  {id}  {name}: {name} step ")), "{said}");
    }
    let one = run(&data, &["call", "steps", "steps=3", "step_ms=100", "--follow"]).await;
    assert!(text(&one.stdout).ends_with("\n3 steps done.\n"), "{}", text(&one.stdout));
}
