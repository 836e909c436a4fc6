//! The commands, as a person or a script runs them.

#[cfg(unix)]
mod asks;
mod assistant;
#[cfg(unix)]
mod cargo;
mod documents;
mod durable;
mod examples;
mod export;
#[cfg(unix)]
mod folder;
mod follow_up;
mod hostile;
mod interactive;
mod ops;
mod reading;
mod schedules;
#[cfg(unix)]
mod stopping;
mod window;

use std::path::Path;
use std::process::{Output, Stdio};

use imperal_tests::proxy::{Proxy, Way};
use imperal_tests::{Claims, JWT_SECRET, NodeOptions, User, eventually, token};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

const PROBE: &str = env!("CARGO_BIN_EXE_probe");

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROBE);
    command.args(args).env("IMPERAL_DATA_DIR", folder).stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json_lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn call_without_a_server_runs_here_and_waits_for_its_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("data");
    let output = run(&folder, &["call", "steps", "steps=3", "step_ms=50"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("Stepping."));
    assert!(text(&output.stderr).contains("waiting for the background work"));
    assert!(text(&output.stdout).ends_with("\n3 steps done.\n"), "the outcome: {}", text(&output.stdout));
    assert!(!text(&output.stderr).contains('%'), "progress is for --follow: {}", text(&output.stderr));
    let failed = run(&folder, &["call", "fail", "how=answer", "later=true"]).await;
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed.stdout));
    let lines = json_lines(&run(&folder, &["call", "steps", "steps=1", "step_ms=1", "--json"]).await);
    assert_eq!((lines.len(), &lines[1]["text"]), (2, &json!("1 steps done.")), "reply and outcome: {lines:?}");
    let chat = run(&folder, &["chat"]).await;
    assert!(text(&chat.stdout).contains("3 steps done."), "{}", text(&chat.stdout));
    let tasks = json_lines(&run(&folder, &["tasks", "--json"]).await);
    assert_eq!(tasks[2]["state"], "succeeded");
    let audit = run(&folder, &["audit"]).await;
    assert!(text(&audit.stdout).contains("Probe delivered an outcome: succeeded  done"), "{}", text(&audit.stdout));
}

#[tokio::test]
async fn follow_shows_progress_and_ends_with_the_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["call", "steps", "steps=4", "step_ms=400", "--follow"]).await;
    assert!(output.status.success());
    let said = text(&output.stderr);
    let reports: Vec<_> = said.lines().filter(|line| line.contains("%  Step ")).collect();
    assert_eq!(reports, ["  0%  Step 0", " 25%  Step 1", " 50%  Step 2", " 75%  Step 3"], "{said}");
    assert!(text(&output.stdout).ends_with("4 steps done.\n"));
    let lines =
        json_lines(&run(folder.path(), &["call", "steps", "steps=3", "step_ms=400", "--follow", "--json"]).await);
    assert_eq!(lines.first().unwrap()["role"], "bot");
    assert_eq!(lines.last().unwrap()["result"]["status"], "success");
    let percents: Vec<_> = lines.iter().filter_map(|line| line["percent"].as_f64()).collect();
    assert_eq!(percents.first(), Some(&0.0), "the first report comes before or with the reply: {lines:?}");
    let output = run(folder.path(), &["call", "fail", "how=answer", "later=true", "--follow"]).await;
    assert_eq!(output.status.code(), Some(1), "a failed outcome is a failed command");
}

/// Follows a call through a proxy that breaks the connection until the task has ended and retention has
/// removed `kinds`.
async fn follow_over_a_gap(kinds: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = NodeOptions::new(PROBE, folder.path().join("data"));
    for kind in kinds {
        options.args.extend([format!("--keep-{kind}"), "1s".to_owned()]);
    }
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let way = Proxy::before(&format!("host=127.0.0.1 port={}", node.url.rsplit_once(':').unwrap().1)).await;
    let mut follower = command(folder.path(), &["call", "steps", "steps=100000", "step_ms=50", "--follow"])
        .args(["--url", &format!("http://{}", way.address())])
        .env("IMPERAL_TOKEN", token(&Claims::of("anna"), JWT_SECRET))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(follower.stderr.take().unwrap()).lines();
    while !told.next_line().await.unwrap().unwrap().contains("%  Step ") {}
    way.set(Way::Cut);
    let (_, active) = anna.get("/v1/tasks/active").await;
    let task = format!("/v1/tasks/{}", active["tasks"][0]["task_id"].as_str().unwrap());
    anna.post(&format!("{task}/cancel"), &json!({})).await;
    // The reply has number 3: a client that has seen it and no later event gets a notice of the gap.
    eventually("retention removes the events", async || {
        let mut events = anna.stream(3).await;
        events.next().await;
        let ended = events.next().await.event == "pruned";
        (ended && (!kinds.contains(&"tasks") || anna.get(&task).await.0 == 404)).then_some(())
    })
    .await;
    way.set(Way::Open);
    let to_its_end = async {
        let mut said = String::new();
        while let Some(line) = told.next_line().await.unwrap() {
            said = format!("{said}{line}\n");
        }
        let output = follower.wait_with_output().await.unwrap();
        (output.status.code(), text(&output.stdout), said)
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), to_its_end).await.expect("it does not hang")
}

const LOOKS_IT_UP: &str = "were removed by retention: reading the chat instead";

#[tokio::test]
async fn follow_reads_the_outcome_from_the_chat_after_a_gap() {
    let (code, shown, said) = follow_over_a_gap(&["events"]).await;
    assert_eq!(said.matches(LOOKS_IT_UP).count(), 1, "{said}");
    assert_eq!(code, Some(3), "{shown}{said}");
    assert!(shown.ends_with("Steps was cancelled. (CANCELLED)\n"), "{shown}");
    assert_eq!(shown.matches("CANCELLED").count(), 1, "the outcome, once: {shown}");
}

#[tokio::test]
async fn follow_reads_the_outcome_from_the_task_without_its_turn() {
    let (code, shown, said) = follow_over_a_gap(&["events", "turns"]).await;
    assert_eq!(said.matches(LOOKS_IT_UP).count(), 1, "{said}");
    assert_eq!(code, Some(3), "{shown}{said}");
    assert!(shown.ends_with("steps has ended already: cancelled.\n"), "{shown}");
}

#[tokio::test]
async fn follow_of_a_removed_task_ends_with_an_error() {
    let (code, shown, said) = follow_over_a_gap(&["events", "turns", "tasks"]).await;
    assert_eq!(code, Some(1), "the outcome is unknown: {shown}{said}");
    assert!(said.ends_with("steps has ended; its outcome was removed by retention\n"), "{said}");
}

#[tokio::test]
async fn commands_use_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let node = NodeOptions::new(PROBE, folder.path().join("data")).start().await;
    let folder = folder.path().join("data");
    let output = run(&folder, &["call", "steps", "steps=1000", "step_ms=50", "--json"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let task_id = json_lines(&output)[0]["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let running = run(&folder, &["tasks"]).await;
    assert!(text(&running.stdout).contains("running"), "{}", text(&running.stdout));
    let cancelled = run(&folder, &["cancel", &task_id]).await;
    assert_eq!(text(&cancelled.stdout), "steps was asked to stop.\n");
    let link = run(&folder, &["link"]).await;
    assert!(text(&link.stdout).starts_with(&format!("{}/open/", node.url)), "{}", text(&link.stdout));
    let elsewhere = command(&folder, &["chat", "--url", &node.url])
        .env("IMPERAL_TOKEN", token(&Claims::of("anna"), JWT_SECRET))
        .output()
        .await
        .unwrap();
    assert!(text(&elsewhere.stdout).contains("The chat is empty"), "anna's own chat: {}", text(&elsewhere.stdout));
    assert_eq!(User::of(&node, "anna").turns().await.len(), 0);
}

#[tokio::test]
async fn errors_name_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["call", "echo"], 4, "`text` is required and missing. (VALIDATION_MISSING_FIELD)"),
        (&["call", "echo", "text=x", "times=ten"], 4, "`times` must be a whole number"),
        (&["call", "echo", "text"], 2, "`text` is not key=value"),
        (&["call", "echo", "text=a", "text=b"], 2, "`text` is given twice"),
        (&["call", "echo", "text=@missing.txt"], 4, "missing.txt"),
        (&["call", "echo", "--params", "{"], 2, "--params is not JSON"),
        (&["call", "ecko"], 4, "there is no function `ecko`; there is charge, "),
        (&["call", "ecko"], 4, "did you mean `echo`?"),
        (&["call", "echo", "txt=a"], 4, "did you mean `text`?"),
        (&["echo", "text=a"], 2, "did you mean `probe call echo text='a text'`?"),
        (&["help", "cals"], 2, "did you mean `call`?"),
        (&["cancel", "7"], 4, "`7` is not a task id"),
        (&["cancel", "01a20482-1178-74f9-8951-cc3b678a7413"], 4, "There is no task"),
        (&["link"], 5, "`probe dev` starts one and prints a link"),
        (&["dev", "--listen", "192.0.2.1:80"], 1, "port 0 takes a free one (`--listen 127.0.0.1:0`)"),
        (&["call", "echo", "--params", r#"{"text": "x", "zz": 1}"#], 4, "no parameter `zz`; it has text, times"),
        (&["call", "echo", "--params", r#"{"txt": "x"}"#], 4, "did you mean `text`?"),
        (&["chat", "-n", "0"], 2, "0 is not in 1.."),
        (&["tasks", "-n", "0"], 2, "0 is not in 1.."),
        (&["help", "ecko"], 2, "did you mean `echo`?"),
        (&["help", "call", "--json"], 2, "--json explains functions"),
        (&["show", "999"], 4, "the chat has no turn 999; `chat` shows the numbers"),
        (&["show", "x"], 4, "`x` is not a task id"),
        (&["show", "01a20482-1178-74f9-8951-cc3b678a7413"], 4, "no task and no turn has the id"),
        (&["serve", "--listen", "127.0.0.1:0"], 1, "set IMPERAL_JWT_SECRET"),
        (&["ecko", "text=a"], 2, "did you mean `probe call echo text='a text'`?"),
        (&["serve", "--liveness", "soon"], 2, "use a number of seconds, such as 30 or 0.5"),
        (&["serve", "--keep-turns", "soon"], 2, "invalid age \"soon\"; use 90d or 12h"),
        (&["cal"], 2, "call"),
        (&["chat", "--url", "http://127.0.0.1:9"], 4, "set IMPERAL_TOKEN"),
    ];
    for (args, code, says) in cases {
        let output = run(folder.path(), args).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
        assert!(!said.contains("panicked") && !said.contains('\x1b'), "{args:?}: {said}");
    }
    let nobody = command(folder.path(), &["chat", "--url", "http://127.0.0.1:9"]).env("IMPERAL_TOKEN", "x").output();
    let nobody = nobody.await.unwrap();
    assert_eq!(nobody.status.code(), Some(5), "{}", text(&nobody.stderr));
    assert!(text(&nobody.stderr).contains("does not answer: Connection refused"), "{}", text(&nobody.stderr));
    let told = run(folder.path(), &["call", "echo", "times=2", "--json"]).await;
    // The last line; log lines can come before it.
    let error: Value = serde_json::from_str(text(&told.stderr).lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "VALIDATION_MISSING_FIELD", "{error}");
    let mut expired = Claims::of("anna");
    expired.exp -= 7200;
    let node = NodeOptions::new(PROBE, folder.path().join("served")).start().await;
    for (shown, says) in [(token(&expired, JWT_SECRET), "has expired"), ("nonsense".into(), "not a valid one")] {
        let output =
            command(folder.path(), &["chat", "--url", &node.url]).env("IMPERAL_TOKEN", shown).output().await.unwrap();
        assert!(text(&output.stderr).contains(says), "{}", text(&output.stderr));
    }
    let long = format!("text={}", "x".repeat(2000));
    let output = run(folder.path(), &["call", "echo", &long]).await;
    assert!(text(&output.stderr).contains("at most 1000 characters, and has 2000"));
    std::fs::write(folder.path().join("large.txt"), "x".repeat(10_000_000)).unwrap();
    let large = format!("text=@{}", folder.path().join("large.txt").display());
    let output = run(folder.path(), &["call", "echo", &large]).await;
    assert!(text(&output.stderr).contains("larger than 1048576 bytes"), "{}", text(&output.stderr));
    assert_eq!(json_lines(&run(folder.path(), &["chat", "--json"]).await), Vec::<Value>::new(), "nothing was written");
}

#[tokio::test]
async fn weak_secret_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path(), &["serve"]).env("IMPERAL_JWT_SECRET", "short").output().await.unwrap();
    assert!(text(&output.stderr).contains("has 5 bytes and needs 32"), "{}", text(&output.stderr));
}

#[tokio::test]
async fn manifest_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["manifest"]).await;
    let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> = manifest["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert!(names.windows(2).any(|two| two == [&json!("echo"), &json!("steps")]), "{names:?}");
    assert!(!folder.path().join("ledger.db").exists(), "it needs no ledger");
}

#[tokio::test]
async fn audit_verification_names_the_first_altered_row() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(run(folder, &["call", "echo", "text=a"]).await.status.success());
    let none = run(folder, &["audit", "--verify"]).await;
    assert_eq!(text(&none.stdout), "0 rows of 0 users, all as they were written.\n", "{}", text(&none.stderr));
    for _ in 0..3 {
        assert!(run(folder, &["call", "steps", "steps=1", "step_ms=1"]).await.status.success());
    }
    let whole = run(folder, &["audit", "--verify"]).await;
    assert!(whole.status.success());
    assert_eq!(text(&whole.stdout), "3 rows of 1 user, all as they were written.\n");

    let conn = rusqlite::Connection::open(folder.join("ledger.db")).unwrap();
    let guard: String = conn
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'audit_is_not_changed'", (), |row| row.get(0))
        .unwrap();
    let change = "UPDATE audit SET target = 'another' WHERE audit_id = 2";
    assert!(conn.execute_batch(change).is_err(), "the file's own guard");
    conn.execute_batch(&format!("DROP TRIGGER audit_is_not_changed; {change}; {guard}")).unwrap();
    drop(conn);
    let broken = run(folder, &["audit", "--verify"]).await;
    assert_eq!(broken.status.code(), Some(1));
    assert!(text(&broken.stdout).contains("row 2 of default/me is not as it was written"), "{}", text(&broken.stdout));
    let lines = json_lines(&run(folder, &["audit", "--verify", "--json"]).await);
    assert_eq!(lines[0]["broken"]["audit_id"], 2);
}

/// Every command against a remote platform, for each kind of user.
#[tokio::test]
async fn commands_follow_the_permissions_of_their_token() {
    let folder = tempfile::tempdir().unwrap();
    let node = NodeOptions::new(PROBE, folder.path().join("data")).start().await;
    let anna = User::of(&node, "anna");
    let reply = anna.call("stubborn", json!({"millis": 600_000})).await;
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap();
    let by = |sub: &str, age: i64, secret: &str| {
        let claims = Claims::of(sub);
        token(&Claims { exp: claims.exp - age, ..claims }, secret)
    };
    let tokens = [
        ("anna", by("anna", 0, JWT_SECRET)),
        ("ben", by("ben", 0, JWT_SECRET)),
        ("expired", by("anna", 7200, JWT_SECRET)),
        ("forged", by("anna", 0, "another-secret-of-32-bytes-or-more!!")),
        ("none", String::new()),
    ];
    let foreign = "belongs to another user";
    let terminal = "Only the `link` command on this machine";
    // The errors that the owner and another user get; empty when the command succeeds.
    let commands: [(&[&str], &str, &str); 7] = [
        (&["chat"], "", ""),
        (&["tasks"], "", ""),
        (&["audit"], "", ""),
        (&["audit", "--verify"], "", ""),
        (&["call", "echo", "text=hello"], "", ""),
        (&["link"], terminal, terminal),
        (&["cancel", task_id], "", foreign),
    ];
    for (args, to_owner, to_other) in commands {
        for (who, token) in &tokens {
            let says = match *who {
                "anna" => to_owner,
                "ben" => to_other,
                "expired" => "has expired",
                "forged" => "signature is wrong",
                _ => "set IMPERAL_TOKEN",
            };
            let mut command = command(folder.path(), args);
            let output = command.args(["--url", &node.url]).env("IMPERAL_TOKEN", token).output().await.unwrap();
            let told = text(&output.stderr);
            assert_eq!(output.status.success(), says.is_empty(), "{who} {args:?}: {told}");
            assert!(told.contains(says), "{who} {args:?}: {told}");
            let shown = text(&output.stdout);
            assert!(*who == "anna" || !shown.contains("Insisting"), "{who} {args:?}: {shown}");
        }
    }
    let rows = User::of(&node, "ben").audit().await;
    let refused: Vec<_> = rows.iter().filter(|row| row["outcome"] == "refused").map(|row| &row["action"]).collect();
    assert_eq!(refused, ["page.link", "task.cancel"]);
}
