//! `schedule` and `schedules` at the terminal, on the data folder without a running platform.

use serde_json::json;

use super::{json_lines, run, text};

const TIMES: &str = "every day 08:00 Europe/Berlin";

#[tokio::test]
async fn schedules_are_made_listed_changed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let added = run(&data, &["schedule", "add", TIMES, "echo", "text=hello", "--name", "Morning digest"]).await;
    let (said, noted) = (text(&added.stdout), text(&added.stderr));
    assert!(said.starts_with("✓ Morning digest  ") && said.contains("08:00 Europe/Berlin (in "), "{said}{noted}");
    assert!(noted.contains("schedules run while"), "{noted}");

    let listed = json_lines(&run(&data, &["schedules", "--json"]).await);
    let one = &listed[0];
    assert_eq!((&one["function"], &one["params"]), (&json!("echo"), &json!({ "text": "hello" })));
    assert_eq!((&one["when"], &one["zone"]), (&json!({ "cron": "0 8 * * *" }), &json!("Europe/Berlin")));
    let table = text(&run(&data, &["schedules"]).await.stdout);
    assert!(table.contains("active  every day at 08:00 Europe/Berlin") && table.contains("Morning digest"), "{table}");

    let id = one["id"].as_str().unwrap();
    let end = &id[id.len() - 8..];
    let paused = run(&data, &["schedule", "pause", end]).await;
    assert!(text(&paused.stdout).starts_with("✓ Morning digest paused"), "{}", text(&paused.stderr));
    assert_eq!(json_lines(&run(&data, &["schedules", "--json"]).await)[0]["state"], "paused");
    let resumed = json_lines(&run(&data, &["schedule", "resume", "Morning digest", "--json"]).await);
    assert_eq!(resumed[0]["state"], "active");

    let args =
        ["schedule", "edit", end, "text=other", "--when", "weekday 07:30", "--runs", "3", "--ends", "2099-01-31"];
    let edited = run(&data, &[&args[..], &["--json"]].concat()).await;
    let edited = json_lines(&edited).remove(0);
    assert_eq!(edited["params"]["text"], "other");
    assert_eq!((&edited["when"]["cron"], &edited["zone"]), (&json!("30 7 * * 1-5"), &json!("Europe/Berlin")));
    assert_eq!((&edited["max_runs"], &edited["ends_at"]), (&json!(3), &json!("2099-01-31T22:59:59Z")));
    let freed = json_lines(&run(&data, &["schedule", "edit", end, "--runs", "none", "--json"]).await).remove(0);
    assert!(freed["max_runs"].is_null() && !freed["ends_at"].is_null(), "{freed}");

    let asked = run(&data, &["schedule", "rm", end]).await;
    assert_eq!(asked.status.code(), Some(4), "a pipe cannot be asked");
    assert!(text(&asked.stderr).contains("add --yes to delete it"), "{}", text(&asked.stderr));
    let removed = run(&data, &["schedule", "rm", end, "--yes"]).await;
    assert_eq!(text(&removed.stdout), "Morning digest is deleted\n", "{}", text(&removed.stderr));
    assert_eq!(text(&run(&data, &["schedules"]).await.stdout), "Nothing repeats yet.\n");
}

#[tokio::test]
async fn next_shows_times_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let shown = text(&run(&data, &["schedule", "next", "every 2 hours", "-n", "3"]).await.stdout);
    assert!(shown.starts_with("every 2 hours\n") && shown.lines().count() == 4, "{shown}");
    let preview = json_lines(&run(&data, &["schedule", "next", "weekday 02:30 Europe/Berlin", "--json"]).await);
    assert_eq!(preview[0]["next"].as_array().unwrap().len(), 5);
    assert_eq!(text(&run(&data, &["schedules"]).await.stdout), "Nothing repeats yet.\n");
}

#[tokio::test]
async fn faults_name_the_part_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let fault = async |args: &[&str]| {
        let output = run(&data, args).await;
        assert!(!output.status.success());
        text(&output.stderr)
    };
    assert!(fault(&["schedule", "next", "fortnightly 08:00"]).await.contains("use 'every day 08:00'"));
    assert!(fault(&["schedule", "next", "every 2 minutes"]).await.contains("5 minutes"));
    assert!(fault(&["schedule", "next", "every day 08:00 Europe/Berlim"]).await.contains("Europe/Berlim"));
    assert!(fault(&["schedule", "add", TIMES]).await.contains("name the function"));
    assert!(fault(&["schedule", "add", TIMES, "ecko"]).await.contains("did you mean `echo`?"));
    assert!(fault(&["schedule", "add", TIMES, "echo"]).await.contains("text"));
    assert!(fault(&["schedule", "pause", "nothing"]).await.contains("there is no schedule `nothing`"));
    let run_now = fault(&["schedule", "run", "Morning digest"]).await;
    assert!(run_now.contains("no process") || run_now.contains("no platform"), "{run_now}");
}
