//! Nodes on one database: any of them answers for a task, and a plain call is not read again.

use std::time::Duration;

use imperal_tests::cluster::{self, Database};
use imperal_tests::{Claims, JWT_SECRET, Node, NodeOptions, eventually, sibling, token};
use rmcp::model::{CallToolResponse, GetTaskParams, TaskPayload, TaskStatus};
use serde_json::json;

use crate::{Client, Kind, client, tool_call};

async fn start(folder: &tempfile::TempDir, database: &Database) -> Node {
    let mut options = NodeOptions::new(sibling("probe"), folder.path().join("data"));
    options.env.push(("IMPERAL_DATABASE_URL".to_owned(), database.url()));
    options.args.extend(["--lease", "3"].map(str::to_owned));
    options.start().await
}

async fn connect(node: &Node, kind: Kind) -> Client {
    client(&format!("{}/mcp", node.url), &token(&Claims::of("anna"), JWT_SECRET), kind).await
}

#[tokio::test]
async fn task_of_a_killed_node_is_read_and_ended_by_the_other() {
    let database = Database::make("mcp").await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = start(&folders[0], &database).await;
    let second = start(&folders[1], &database).await;
    let (here, there) = (connect(&first, Kind::Tasks).await, connect(&second, Kind::Tasks).await);
    let inquiry = json!({"what": "sleep", "within_ms": 3000});
    let response = here.call_tool_once(tool_call("inquire_user", inquiry)).await.unwrap();
    let CallToolResponse::Task(created) = response else { panic!("{response:?}") };
    let state = async || there.get_task(GetTaskParams::new(&created.task.task_id)).await.unwrap().task;
    assert_eq!(state().await.status(), TaskStatus::Working);
    first.kill().await;
    let ended =
        eventually("the task ends", async || Some(state().await).filter(|task| task.status().is_terminal())).await;
    let TaskPayload::Completed { result } = ended.payload else { panic!("{ended:?}") };
    assert_eq!(result["content"][0]["text"], "The answer was: awake.");
}

/// The call's reply is the answer. A read of its record and its tasks would wait here for the table.
#[tokio::test]
async fn plain_call_is_answered_without_reading_its_work() {
    let database = Database::make("mcp_reads").await;
    let folder = tempfile::tempdir().unwrap();
    let node = start(&folder, &database).await;
    let mut locking = cluster::client_of(&database.url()).await;
    for kind in [Kind::Handshake, Kind::Modern, Kind::Tasks] {
        let client = connect(&node, kind).await;
        let locked = locking.transaction().await.unwrap();
        locked.batch_execute("LOCK TABLE imperal.task IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let echoed = client.call_tool(tool_call("echo", json!({"text": "hello", "times": 1})));
        // Shorter than the lease, whose renewal waits too.
        let echoed = tokio::time::timeout(Duration::from_secs(2), echoed).await;
        locked.rollback().await.unwrap();
        let echoed = echoed.unwrap_or_else(|_| panic!("{kind:?}: the work was read again")).unwrap();
        assert_eq!(echoed.structured_content.unwrap()["text"], "hello");
    }
}
