//! A rolling upgrade between two versions of a program, and back: a durable task waits for the version that can
//! continue it.

use std::path::Path;
use std::time::Duration;

use imperal_tests::cluster::Database;
use imperal_tests::{Node, NodeOptions, User, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// Two nodes, each with the version that runs on it.
struct Fleet {
    nodes: [Option<Node>; 2],
    folders: [TempDir; 2],
    database: Database,
}

impl Fleet {
    async fn start() -> Self {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut fleet = Self { nodes: [None, None], folders, database: Database::make("versions").await };
        for number in 0..2 {
            fleet.upgrade(number, 1).await;
        }
        fleet
    }

    /// Stops a node as a deploy does, and starts this version in its place.
    async fn upgrade(&mut self, number: usize, version: u32) {
        if let Some(node) = self.nodes[number].take() {
            node.terminate().await;
        }
        let binary = if version == 1 { env!("CARGO_BIN_EXE_version-1") } else { env!("CARGO_BIN_EXE_version-2") };
        let mut options = NodeOptions::new(binary, self.folders[number].path().join("data"));
        options.env.push(("IMPERAL_DATABASE_URL".to_owned(), self.database.url()));
        options.env.push(("IMPERAL_PROGRAM".to_owned(), version.to_string()));
        options.args.extend(["--lease", "3"].map(str::to_owned));
        self.nodes[number] = Some(options.start().await);
    }

    fn anna(&self) -> User {
        User::of(self.nodes[0].as_ref().unwrap(), "anna")
    }

    /// Starts a task and returns its id once its first step is stored.
    async fn begin(&self, task: &str, gate: &Path) -> String {
        let reply = self.anna().call("begin", json!({"task": task, "gate": gate})).await;
        let task_id = reply["result"]["data"]["task_id"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned();
        self.until(&format!("/v1/tasks/{task_id}/steps"), |steps| !steps["steps"].as_array().unwrap().is_empty()).await;
        task_id
    }

    /// Reads until it is so.
    async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = async {
            loop {
                last = self.anna().get(path).await.1;
                if is_so(&last) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, found).await.is_ok(), "{path}: {last}");
        last
    }

    async fn until_stuck(&self, task_id: &str) {
        let task = self.until(&format!("/v1/tasks/{task_id}"), |task| task["state"] == "stuck").await;
        assert_eq!(task["waits_for"], "version", "{task}");
    }

    /// The text of the task's only outcome.
    async fn outcome(&self, task_id: &str) -> String {
        let task = self.until(&format!("/v1/tasks/{task_id}"), |task| !task["finished_at"].is_null()).await;
        assert_eq!(task["state"], "succeeded", "{task}");
        let outcomes = self.anna().outcomes(task_id).await;
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        outcomes[0]["text"].as_str().unwrap_or_else(|| panic!("{outcomes:?}")).to_owned()
    }

    /// The sum of a metric over both nodes.
    async fn metric(&self, name: &str) -> f64 {
        let mut sum = 0.0;
        for node in self.nodes.iter().flatten() {
            let (_, text) = self.anna().at(node).get("/metrics").await;
            let line = text.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
            sum += line.trim().parse::<f64>().unwrap();
        }
        sum
    }

    /// Waits until the sum of a metric over both nodes is at least this.
    async fn until_metric(&self, name: &str, least: f64) {
        eventually(name, async || (self.metric(name).await >= least).then_some(())).await;
    }

    async fn assert_open(&self, task_id: &str) {
        let task = self.anna().get(&format!("/v1/tasks/{task_id}")).await.1;
        assert!(task["finished_at"].is_null() && task["state"] != "running", "{task}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_wait_for_the_version_that_can_continue_them() {
    let mut fleet = Fleet::start().await;
    let gates = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| gates.path().join(name));
    let kept = fleet.begin("kept", &first).await;
    let [old_typed, only_old] = [fleet.begin("typed", &first).await, fleet.begin("only_old", &first).await];

    for number in 0..2 {
        fleet.upgrade(number, 2).await;
    }
    let [new_typed, only_new] = [fleet.begin("typed", &second).await, fleet.begin("only_new", &second).await];
    std::fs::write(&first, "").unwrap();
    assert_eq!(fleet.outcome(&kept).await, "7 by version 2");
    fleet.until_stuck(&old_typed).await;
    fleet.assert_open(&only_old).await;
    for event in ["resumed", "refused"] {
        let name = format!("imperal_durable_attempts_total{{event=\"{event}\"}}");
        assert!(fleet.metric(&name).await >= 1.0, "{name}");
    }
    fleet.until_metric("imperal_durable_stuck", 1.0).await;
    // No node knows `only_old`. It is ready for 30 s before it counts as stuck.
    fleet.until_metric("imperal_durable_oldest_ready_seconds", 1.0).await;
    assert!(fleet.metric("imperal_durable_resume_seconds_count").await >= 1.0);
    assert!(fleet.metric("imperal_durable_resume_seconds_sum").await > 0.0);

    // Both versions run: each continues its own.
    fleet.upgrade(1, 1).await;
    assert_eq!(fleet.outcome(&old_typed).await, "7 by version 1");
    assert_eq!(fleet.outcome(&only_old).await, "7 by version 1");

    fleet.upgrade(0, 1).await;
    fleet.until_stuck(&new_typed).await;
    std::fs::write(&second, "").unwrap();
    fleet.assert_open(&only_new).await;
    fleet.upgrade(1, 2).await;
    assert_eq!(fleet.outcome(&new_typed).await, "\"seven\" by version 2");
    assert_eq!(fleet.outcome(&only_new).await, "7 by version 2");
}
