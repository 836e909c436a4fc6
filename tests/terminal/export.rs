//! `export`: durable tasks as files, one or all that match.

use std::path::Path;

use serde_json::{Value, json};

use super::{json_lines, run, text};

fn files(folder: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(folder).into_iter().flatten();
    files.map(|file| serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn tasks_that_match_are_exported_a_file_each() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for _ in 0..2 {
        let called = run(&data, &["call", "inquire_user", "what=choice"]).await;
        assert_eq!(called.status.code(), Some(6), "{}", text(&called.stderr));
    }
    // Retention removes the values of a task that has succeeded with its next pass.
    let log = format!("log={}", folder.path().join("legs").display());
    run(&data, &["call", "relay", "legs=1", "leg_ms=1", &log]).await;
    // A background task has no steps to replay.
    run(&data, &["call", "steps", "steps=1", "step_ms=1"]).await;
    let to = |name: &str| folder.path().join(name);
    let export = async |name: &str, more: &[&str]| {
        let folder = to(name).display().to_string();
        let output = run(&data, &[&["export", "--to", &folder], more].concat()).await;
        (output.status.code(), text(&output.stderr))
    };
    let (code, said) = export("all/tasks", &["--function", "inquire_user", "--state", "waiting"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("wrote 2 tasks to ") && said.contains("read the files before you commit them"), "{said}");
    let written = files(&to("all/tasks"));
    assert_eq!(written.len(), 2);
    let listed = json_lines(&run(&data, &["tasks", "--json"]).await);
    for task in &written {
        assert_eq!((&task["task_name"], &task["input"]["value"]["what"]), (&json!("inquire"), &json!("choice")));
        assert!(listed.iter().any(|one| one["task_id"] == task["task_id"]), "{task}");
    }
    let (code, said) = export("none", &["--function", "relay"]).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(
        said.contains(" relay: ") && said.contains("no longer kept") && said.contains("no task that matches"),
        "{said}"
    );
    for more in [["--function", "steps"], ["--state", "failed"]] {
        let (code, said) = export("none", &more).await;
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains("none of the latest 500 tasks is durable and matches") && !to("none").exists(), "{said}");
    }
    let (code, said) = export("none", &["--state", "done"]).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("queued, waiting, stuck, succeeded"), "{said}");
    for args in [&["export"][..], &["export", "3b678a74", "--state", "failed"], &["export", "3b678a74", "--to", "x"]] {
        assert_eq!(run(&data, args).await.status.code(), Some(2), "{args:?}");
    }
}
