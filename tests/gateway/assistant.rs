//! The assistant over HTTP, on a process that is killed: no stored reply of the model is asked for again, and only the user
//! approves.

use imperal_tests::cluster::Database;
use imperal_tests::model_server::ModelServer;
use imperal_tests::{Node, SERVICE_TOKEN, User, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::options;

async fn start(model: &ModelServer) -> (TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.args.extend(["--model-url", &model.url, "--model", "scripted"].map(str::to_owned));
    (folder, options.start().await)
}

/// A node on a database.
async fn start_on(database: &Database, model: &ModelServer) -> (TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.env.push(("IMPERAL_DATABASE_URL".to_owned(), database.url()));
    options.args.extend(["--lease", "3", "--model-url", &model.url, "--model", "scripted"].map(str::to_owned));
    (folder, options.start().await)
}

async fn say(user: &User, text: &str) -> String {
    let sent = user.request(Method::POST, "/v1/chat/say").json(&json!({"text": text})).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    sent.json::<Value>().await.unwrap()["task_id"].as_str().unwrap().to_owned()
}

async fn turns(user: &User) -> Vec<Value> {
    user.get("/v1/chat/turns?limit=500").await.1["turns"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_killed_process_asks_for_no_stored_reply_again() {
    let model = ModelServer::start().await;
    model.calls("echo", json!({"text": "one", "times": 1})).hangs();
    let (_folder, node) = start(&model).await;
    let anna = User::of(&node, "anna");
    let task = say(&anna, "Say one, then two").await;
    model.until_asked(2).await;
    // The second reply is cut in its middle: it is asked for again, the first one is not.
    model.calls("echo", json!({"text": "two", "times": 1})).says("One and two.");
    let node = node.kill().await.start().await;
    let anna = User::of(&node, "anna");
    assert_eq!(anna.end_of(&task).await["state"], "succeeded");
    assert_eq!(model.asked(), 4, "the first reply once, the second one twice, the last one once");
    let turns = turns(&anna).await;
    let texts: Vec<_> =
        turns.iter().filter(|turn| turn["role"] == "user").map(|turn| &turn["params"]["text"]).collect();
    assert_eq!(texts, ["Say one, then two", "one", "two"], "each call ran once");
    let session = anna.get("/v1/session").await.1;
    assert_eq!(session["assistant"]["model"], "scripted");
}

#[tokio::test]
async fn another_node_goes_on_with_the_conversation_on_postgres() {
    let (model, database) = (ModelServer::start().await, Database::make("assistant").await);
    let (_first_folder, first) = start_on(&database, &model).await;
    model.calls("echo", json!({"text": "one", "times": 1})).hangs();
    let task = say(&User::of(&first, "anna"), "Say one").await;
    model.until_asked(2).await;
    // Not before: the message waits in a queue, and any node may answer it.
    let (_second_folder, second) = start_on(&database, &model).await;
    model.calls("linger", json!({"millis": 1})).says("One, and lingered.");
    let (anna, killed) = (User::of(&second, "anna"), first.kill());
    killed.await;
    let asked = eventually("the assistant asks", async || {
        let (_, found) = anna.get(&format!("/v1/tasks/{task}/questions")).await;
        found["questions"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!(asked["schema"]["x-approval"]["function"], "linger");
    let body = json!({"answer": "allow"});
    let sent = anna.request(Method::POST, &format!("/v1/tasks/{task}/answer")).json(&body).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    assert_eq!(anna.end_of(&task).await["state"], "succeeded");
    assert_eq!(model.asked(), 4, "the first reply once");
}

#[tokio::test]
async fn only_the_user_approves_and_what_was_approved_runs_once_over_a_kill() {
    let model = ModelServer::start().await;
    model.calls("echo", json!({"text": "data of a stranger", "times": 1})).calls("linger", json!({"millis": 1}));
    let (_folder, node) = start(&model).await;
    let anna = User::of(&node, "anna");
    let task = say(&anna, "Look, then linger").await;
    let question = eventually("the assistant asks", async || {
        let (_, found) = anna.get(&format!("/v1/tasks/{task}/questions")).await;
        found["questions"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!(question["schema"]["x-approval"]["params"], json!({"millis": 1}));
    let by_service = reqwest::Client::new()
        .post(format!("{}/v1/tasks/{task}/answer", node.url))
        .header("x-service-token", SERVICE_TOKEN)
        .header("x-acting-user", "anna")
        .json(&json!({"answer": "allow"}));
    let refused = by_service.send().await.unwrap();
    assert_eq!(refused.status(), 403, "{}", refused.text().await.unwrap());
    let ben = User::of(&node, "ben");
    let answer = async |user: &User| {
        let body = json!({"answer": "allow"});
        let sent = user.request(Method::POST, &format!("/v1/tasks/{task}/answer")).json(&body).send().await.unwrap();
        sent.status().as_u16()
    };
    assert_eq!(answer(&ben).await, 403);
    model.says("Lingered for you.");
    let node = node.kill().await.start().await;
    let anna = User::of(&node, "anna");
    assert_eq!(answer(&anna).await, 200);
    assert_eq!(anna.end_of(&task).await["state"], "succeeded");
    let ran = turns(&anna).await.into_iter().filter(|turn| turn["role"] == "user" && turn["function"] == "linger");
    let ran: Vec<_> = ran.collect();
    assert_eq!(ran.len(), 1);
    assert_eq!(ran[0]["assistant"]["approved"], true, "{ran:?}");
    assert_eq!(model.asked(), 3);
}

#[tokio::test]
async fn metrics_count_replies_tokens_and_approvals() {
    let model = ModelServer::start().await;
    let (_folder, node) = start(&model).await;
    let anna = User::of(&node, "anna");
    model.calls("erase_words", json!({"text": "one", "times": 1})).says("Kept.");
    let task = say(&anna, "Erase one").await;
    let asked = eventually("the assistant asks", async || {
        let (_, found) = anna.get(&format!("/v1/tasks/{task}/questions")).await;
        found["questions"].as_array()?.first().cloned()
    })
    .await;
    let answer = json!({"question_id": asked["question_id"], "answer": "keep"});
    anna.post(&format!("/v1/tasks/{task}/answer"), &answer).await;
    assert_eq!(anna.end_of(&task).await["state"], "succeeded");
    let task = say(&anna, "The script is used up").await;
    assert_eq!(anna.end_of(&task).await["state"], "failed");
    let text = anna.get("/metrics").await.1.as_str().unwrap().to_owned();
    for (sample, wanted) in [
        ("imperal_assistant_reply_duration_seconds_count{outcome=\"replied\"}", 2),
        ("imperal_assistant_reply_duration_seconds_count{outcome=\"failed\"}", 1),
        ("imperal_assistant_reply_duration_seconds_count{outcome=\"over_limit\"}", 0),
        ("imperal_assistant_tokens_total{kind=\"prompt\"}", 200),
        ("imperal_assistant_tokens_total{kind=\"reply\"}", 20),
        ("imperal_assistant_approvals_total{outcome=\"asked\"}", 1),
        ("imperal_assistant_approvals_total{outcome=\"declined\"}", 1),
        ("imperal_assistant_approvals_total{outcome=\"allowed\"}", 0),
    ] {
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        assert_eq!(line.map(str::to_owned), Some(wanted.to_string()), "{sample}");
    }
}

#[tokio::test]
async fn what_is_allowed_in_the_conversation_can_be_read_and_taken_back() {
    let model = ModelServer::start().await;
    let (_folder, node) = start(&model).await;
    let (anna, ben) = (User::of(&node, "anna"), User::of(&node, "ben"));
    model.calls("echo", json!({"text": "one", "times": 1})).calls("linger", json!({"millis": 1})).says("Lingered.");
    let task = say(&anna, "Look, then linger").await;
    let asked = eventually("the assistant asks", async || {
        let (_, found) = anna.get(&format!("/v1/tasks/{task}/questions")).await;
        found["questions"].as_array()?.first().cloned()
    })
    .await;
    let answer = json!({"question_id": asked["question_id"], "answer": "allow_for_conversation"});
    anna.post(&format!("/v1/tasks/{task}/answer"), &answer).await;
    assert_eq!(anna.end_of(&task).await["state"], "succeeded");
    let allowed = anna.get("/v1/chat/allowed").await.1["allowed"].clone();
    assert_eq!((&allowed[0]["app_id"], &allowed[0]["function"]), (&json!("probe"), &json!("linger")), "{allowed}");
    assert_eq!(ben.get("/v1/chat/allowed").await.1["allowed"], json!([]));
    let take_back = async |user: &User| {
        let sent = user.request(Method::DELETE, "/v1/chat/allowed/probe/linger").send().await.unwrap();
        sent.json::<Value>().await.unwrap()["was_allowed"].clone()
    };
    assert_eq!(take_back(&ben).await, false);
    assert_eq!(take_back(&anna).await, true);
    assert_eq!(anna.get("/v1/chat/allowed").await.1["allowed"], json!([]));
    let (_, audit) = anna.get("/v1/audit?limit=100").await;
    let actions: Vec<_> = audit["rows"].as_array().unwrap().iter().map(|row| &row["action"]).collect();
    assert!(actions.contains(&&json!("assistant.take_back")), "{actions:?}");
}
