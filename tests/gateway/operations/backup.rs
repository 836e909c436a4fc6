//! A copy taken under load is complete, and a platform starts on it.

use std::process::Command;

use imperal_tests::{Claims, JWT_SECRET, Node, User, token};
use serde_json::{Value, json};

use crate::crowd::{Crowd, USERS, all_turns, member};

/// A user's chat and tasks before the copy.
pub(crate) struct Before {
    tasks: Vec<String>,
    running: String,
}

/// Runs a program, which must succeed.
pub(crate) fn run(command: &mut Command) -> String {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
    said
}

/// Waits until no task of the user is running.
async fn until_at_rest(user: &User) {
    let begun = std::time::Instant::now();
    loop {
        let (_, active) = user.get("/v1/tasks/active").await;
        if active["tasks"].as_array().unwrap().is_empty() {
            return;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "still running: {active}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

impl Before {
    /// Ten ended tasks, and one long task.
    pub(crate) async fn at(node: &Node) -> Self {
        let anna = User::of(node, "anna");
        let id = |called: Value| called["result"]["data"]["task_id"].as_str().unwrap().to_owned();
        let running = id(anna.call("steps", json!({"steps": 10_000, "step_ms": 50})).await);
        let mut tasks = Vec::new();
        for _ in 0..10 {
            tasks.push(id(anna.call("steps", json!({"steps": 1, "step_ms": 1})).await));
            anna.end_of(tasks.last().unwrap()).await;
        }
        Self { tasks, running }
    }

    /// Checks that a node on the copy has the rows of one moment not before this value, and no others.
    pub(crate) async fn judge(self, copy: &Node, original: &Node) {
        let anna = User::of(copy, "anna");
        for task in &self.tasks {
            let outcomes = anna.outcomes(task).await;
            assert_eq!(outcomes.len(), 1, "{outcomes:?}");
            assert_eq!(outcomes[0]["result"]["status"], "success");
        }
        // The tasks that were running have ended as interrupted, once.
        assert_eq!(anna.end_of(&self.running).await["state"], "reclaimed");
        let outcomes = anna.outcomes(&self.running).await;
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        assert_eq!(outcomes[0]["result"]["error_code"], "INTERRUPTED");
        let mut compared = 0;
        for n in 0..USERS {
            let there = member(&copy.url, n);
            // Each earlier incarnation ends with its own lease.
            until_at_rest(&there).await;
            let interrupted = |turn: &Value| turn["result"]["error_code"] == "INTERRUPTED";
            let ids = |turns: Vec<Value>| turns.iter().map(|turn| turn["turn_id"].clone()).collect::<Vec<_>>();
            let mut kept = all_turns(&there).await;
            kept.retain(|turn| !interrupted(turn));
            let (kept, all) = (ids(kept), ids(all_turns(&member(&original.url, n)).await));
            assert!(kept.len() <= all.len() && kept == all[..kept.len()], "the copy is not from one moment");
            compared += kept.len();
        }
        assert!(compared > 20, "{compared}");
        // A client that had seen later events gets the head of the copy, and continues from it.
        let mut events = anna.stream(1_000_000).await;
        let hello = events.next().await;
        assert_eq!(hello.event, "hello");
        anna.call("echo", json!({"text": "after it"})).await;
        let next = events.next().await;
        assert_eq!((next.event.as_str(), next.data["role"].as_str()), ("turn", Some("user")), "{hello:?} {next:?}");
        let claims = Claims { scopes: vec!["audit:read:all".to_owned()], ..Claims::of("operator") };
        let mut verify = Command::new(env!("CARGO_BIN_EXE_probe"));
        verify.args(["audit", "--verify"]).env("IMPERAL_URL", &copy.url);
        let said = run(verify.env("IMPERAL_TOKEN", token(&claims, JWT_SECRET)));
        assert!(said.contains("all as they were written") && !said.starts_with("0 rows"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn file_copied_under_load_is_complete() {
    let (folder, node) = crate::node().await;
    let crowd = Crowd::start(&node.url);
    let before = Before::at(&node).await;
    crowd.go_on(20).await;
    let copied = tempfile::tempdir().unwrap();
    let copy = copied.path().join("copy.db");
    let vacuum = format!("VACUUM INTO '{}'", copy.display());
    run(Command::new("sqlite3").arg(folder.path().join("data/ledger.db")).arg(vacuum));
    crowd.go_on(20).await;
    // As in docs/operations.md: the copy replaces the file before the first start.
    std::fs::create_dir(copied.path().join("data")).unwrap();
    std::fs::rename(&copy, copied.path().join("data/ledger.db")).unwrap();
    let restored = crate::options(&copied).start().await;
    crowd.end().await;
    before.judge(&restored, &node).await;
}
