//! `ops` at the terminal, on the data folder without a running platform.

use std::path::Path;

use super::{json_lines, run, text};

/// Leaves a task that waits for an answer in the folder.
async fn asks(data: &Path) {
    let called = run(data, &["call", "inquire_user", "what=choice"]).await;
    assert_eq!(called.status.code(), Some(6), "it waits for an answer: {}", text(&called.stderr));
}

#[tokio::test]
async fn tasks_are_listed_and_cancelled_without_a_running_platform() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    asks(&data).await;
    asks(&data).await;
    let listed = run(&data, &["ops", "tasks", "--waits-for", "answer", "--json"]).await;
    let tasks = json_lines(&listed);
    assert_eq!(tasks.len(), 2, "{}", text(&listed.stderr));
    assert_eq!((&tasks[0]["task_name"], &tasks[0]["user_id"]), (&"inquire".into(), &"me".into()));
    let table = text(&run(&data, &["ops", "tasks", "inquire"]).await.stdout);
    assert!(table.contains("asks") && table.contains("inquire"), "{table}");
    let none = run(&data, &["ops", "tasks", "--state", "stuck"]).await;
    assert_eq!(text(&none.stdout), "No open task matches.\n");

    let all = run(&data, &["ops", "cancel"]).await;
    assert_eq!(all.status.code(), Some(2), "a filter is needed");
    let dry = run(&data, &["ops", "cancel", "inquire"]).await;
    assert!(text(&dry.stdout).starts_with("2 open tasks match. Add --yes to cancel them"), "{}", text(&dry.stdout));
    assert!(text(&dry.stdout).ends_with("\n  default/me: 2\n"), "{}", text(&dry.stdout));
    let elsewhere = run(&data, &["ops", "tasks", "--user", "elsewhere/me"]).await;
    assert_eq!(text(&elsewhere.stdout), "No open task matches.\n");
    assert_eq!(json_lines(&run(&data, &["ops", "tasks", "--json"]).await).len(), 2, "nothing was done");
    let done = run(&data, &["ops", "cancel", "inquire", "--yes"]).await;
    assert_eq!(text(&done.stdout), "2 tasks: asked to stop, or cancelled.\n");
    assert_eq!(text(&run(&data, &["ops", "tasks"]).await.stdout), "No open task matches.\n");
}

#[tokio::test]
async fn durable_task_is_paused_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    asks(&data).await;
    let paused = run(&data, &["ops", "pause", "inquire"]).await;
    assert!(text(&paused.stdout).starts_with("probe/inquire is paused"), "{}", text(&paused.stderr));
    let listed = run(&data, &["ops", "paused", "--json"]).await;
    let rows = json_lines(&listed);
    assert_eq!((&rows[0]["task_name"], &rows[0]["by"]), (&"inquire".into(), &"operator:default/me".into()));
    assert_eq!(text(&run(&data, &["ops", "resume", "inquire"]).await.stdout), "probe/inquire goes on.\n");
    assert_eq!(text(&run(&data, &["ops", "resume", "inquire"]).await.stdout), "probe/inquire was not paused.\n");
    let unknown = run(&data, &["ops", "pause", "inqire"]).await;
    assert!(
        text(&unknown.stderr).contains("this program has no durable task `inqire`; it has"),
        "{}",
        text(&unknown.stderr)
    );
    let queues = run(&data, &["ops", "queues"]).await;
    assert_eq!(text(&queues.stdout), "No queue has had a task.\n");
}

#[tokio::test]
async fn schedules_of_a_user_are_listed_and_paused_by_an_operator() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let added = ["schedule", "add", "every day 08:00 UTC", "echo", "text=hello", "--name", "Morning digest"];
    assert!(run(&data, &added).await.status.success());
    let said = async |args: &[&str]| {
        let output = run(&data, &[&["ops"][..], args].concat()).await;
        format!("{}{}", text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(said(&["jobs"]).await, "No job has users.\n");
    let table = said(&["schedules", "--user", "me"]).await;
    assert!(table.starts_with("Schedules of the user:\n") && table.contains("Morning digest"), "{table}");
    assert_eq!(said(&["schedules", "--user", "other/me"]).await, "Nothing runs at times for other/me.\n");
    assert!(said(&["schedules"]).await.contains("name the user: --user ID, or --user TENANT/ID"));

    let paused = said(&["pause-schedules", "--user", "default/me"]).await;
    assert_eq!(paused, "default/me: schedules and jobs paused: 1. A run that is at work goes on.\n");
    assert_eq!(said(&["pause-schedules", "--user", "me"]).await, "default/me: nothing is active.\n");
    let resumed = run(&data, &["schedule", "resume", "Morning digest"]).await;
    assert!(text(&resumed.stderr).contains("An operator has paused it"), "{}", text(&resumed.stderr));
    let listed = json_lines(&run(&data, &["ops", "schedules", "--user", "me", "--json"]).await);
    assert_eq!((&listed[0]["schedules"][0]["state"], &listed[0]["jobs"]), (&"paused".into(), &serde_json::json!([])));
    let resumed = said(&["resume-schedules", "--user", "me"]).await;
    assert_eq!(resumed, "default/me: schedules and jobs that are active again: 1.\n");
    assert_eq!(said(&["resume-schedules", "--user", "me"]).await, "default/me: an operator has paused nothing.\n");
}
