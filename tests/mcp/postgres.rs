//! Two nodes on one database: any of them answers for a task.

use imperal_tests::cluster::Database;
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

async fn connect(node: &Node) -> Client {
    client(&format!("{}/mcp", node.url), &token(&Claims::of("anna"), JWT_SECRET), Kind::Tasks).await
}

#[tokio::test]
async fn task_of_a_killed_node_is_read_and_ended_by_the_other() {
    let database = Database::make("mcp").await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = start(&folders[0], &database).await;
    let second = start(&folders[1], &database).await;
    let (here, there) = (connect(&first).await, connect(&second).await);
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
