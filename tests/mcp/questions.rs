//! Questions of durable tasks as elicitation.

use std::collections::BTreeMap;

use imperal_tests::model_server::ModelServer;
use imperal_tests::{Claims, JWT_SECRET, Node, NodeOptions, User, eventually, token};
use rmcp::model::{CallToolResponse, DetailedTask, GetTaskParams, TaskPayload, UpdateTaskParams};
use serde_json::{Value, json};

use crate::{Client, Kind, client, tool_call};

async fn start(folder: &tempfile::TempDir) -> Node {
    NodeOptions::new(imperal_tests::sibling("probe"), folder.path().join("data")).start().await
}

async fn connect(node: &Node) -> Client {
    connect_as(node, Kind::Asking).await
}

async fn connect_as(node: &Node, kind: Kind) -> Client {
    client(&format!("{}/mcp", node.url), &token(&Claims::of("anna"), JWT_SECRET), kind).await
}

async fn inquire(client: &Client, what: &str) -> String {
    let inquiry = json!({"what": what, "within_ms": 600_000});
    match client.call_tool_once(tool_call("inquire_user", inquiry)).await.unwrap() {
        CallToolResponse::Task(created) => created.task.task_id,
        other => panic!("{other:?}"),
    }
}

async fn until(client: &Client, id: &str, fits: impl Fn(&DetailedTask) -> bool) -> DetailedTask {
    eventually("the task is there", async || {
        Some(client.get_task(GetTaskParams::new(id)).await.unwrap().task).filter(|task| fits(task))
    })
    .await
}

/// The only question of a task: its key and its request.
async fn question(client: &Client, id: &str) -> (String, Value) {
    let asking = until(client, id, |task| matches!(task.payload, TaskPayload::InputRequired { .. })).await;
    let TaskPayload::InputRequired { input_requests } = asking.payload else { unreachable!() };
    assert_eq!(input_requests.len(), 1, "{input_requests:?}");
    let (key, request) = input_requests.into_iter().next().unwrap();
    (key, serde_json::to_value(request).unwrap())
}

async fn answer(client: &Client, id: &str, key: &str, response: Value) -> Result<(), String> {
    let responses = BTreeMap::from([(key.to_owned(), response)]);
    client.update_task(UpdateTaskParams::new(id, responses)).await.map_err(|error| error.to_string())
}

async fn outcome(client: &Client, id: &str) -> Value {
    let ended = until(client, id, |task| task.status().is_terminal()).await;
    let TaskPayload::Completed { result } = ended.payload else { panic!("{ended:?}") };
    result["content"][0]["text"].clone()
}

#[tokio::test]
async fn question_is_an_input_request_and_its_answer_ends_the_task() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(&folder).await;
    let client = connect(&node).await;
    let id = inquire(&client, "choice").await;
    let (key, request) = question(&client, &id).await;
    assert_eq!(request["method"], "elicitation/create", "{request}");
    assert_eq!(request["params"]["message"], "Publish these images?");
    let field = &request["params"]["requestedSchema"]["properties"]["answer"];
    let first = field["enum"][0].clone();
    assert!(first.is_string(), "{request}");

    let wrong = answer(&client, &id, &key, json!({"action": "accept", "content": {"answer": "nonsense"}})).await;
    assert!(wrong.unwrap_err().contains("-32602"));
    answer(&client, &id, &key, json!({"action": "decline"})).await.unwrap();
    assert_eq!(question(&client, &id).await.0, key, "a declined question stays open");

    // The question outlives the server, like its task.
    let node = node.kill().await.start().await;
    let client = connect(&node).await;
    assert_eq!(question(&client, &id).await.0, key);
    answer(&client, &id, &key, json!({"action": "accept", "content": {"answer": first}})).await.unwrap();
    let said = outcome(&client, &id).await;
    assert!(said.as_str().unwrap().starts_with("The answer was: "), "{said}");
    answer(&client, &id, &key, json!({"action": "accept", "content": {"answer": first}})).await.unwrap();
}

#[tokio::test]
async fn clients_cannot_approve_what_the_assistant_wants() {
    let folder = tempfile::tempdir().unwrap();
    let model = ModelServer::start().await;
    model.calls("echo", json!({"text": "data", "times": 1})).calls("linger", json!({"millis": 1}));
    let mut options = NodeOptions::new(imperal_tests::sibling("probe"), folder.path().join("data"));
    options.args.extend(["--model-url", &model.url, "--model", "scripted"].map(str::to_owned));
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let sent = anna.request(reqwest::Method::POST, "/v1/chat/say").json(&json!({"text": "Look, then linger"}));
    let said: Value = sent.send().await.unwrap().json().await.unwrap();
    let id = said["call_id"].as_str().unwrap();
    let client = connect(&node).await;
    let (key, _) = question(&client, id).await;
    let refused = answer(&client, id, &key, json!({"action": "accept", "content": {"answer": "allow"}})).await;
    assert!(refused.unwrap_err().contains("PERMISSION_DENIED"));
    assert_eq!(question(&client, id).await.0, key, "it stays open for the user");
}

#[tokio::test]
async fn form_of_several_fields_is_asked_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(&folder).await;
    let client = connect(&node).await;
    let id = inquire(&client, "form").await;
    let (key, request) = question(&client, &id).await;
    let properties = &request["params"]["requestedSchema"]["properties"];
    assert!(properties["note"].is_object() && properties["copies"].is_object(), "{request}");
    let content = json!({"note": "two copies", "copies": 2});
    answer(&client, &id, &key, json!({"action": "accept", "content": content})).await.unwrap();
    assert_eq!(outcome(&client, &id).await, "The answer was: 2 x two copies.");
}

/// The page has the question. The client says that its user went there, which is no answer.
#[tokio::test]
async fn client_without_forms_gets_the_address_of_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let node = start(&folder).await;
    let client = connect_as(&node, Kind::Opening).await;
    let id = inquire(&client, "choice").await;
    let (key, request) = question(&client, &id).await;
    let params = &request["params"];
    assert_eq!((&params["mode"], &params["message"]), (&json!("url"), &json!("Publish these images?")), "{request}");
    assert_eq!((&params["url"], &params["elicitationId"]), (&json!(format!("{}/", node.url)), &json!(key)));
    assert!(params["requestedSchema"].is_null(), "{request}");
    answer(&client, &id, &key, json!({"action": "accept"})).await.unwrap();
    assert_eq!(question(&client, &id).await.0, key, "it is open until it is answered on the page");

    let anna = User::of(&node, "anna");
    let (_, tasks) = anna.get("/v1/tasks").await;
    let task_id = tasks["tasks"][0]["task_id"].as_str().unwrap();
    let (status, said) = anna.post(&format!("/v1/tasks/{task_id}/answer"), &json!({"answer": "Later"})).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(outcome(&client, &id).await, "The answer was: Later.");
}
