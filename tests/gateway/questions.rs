//! Questions of durable tasks over HTTP: read, answered once, by their user or by a service for the user.

use imperal_tests::{Node, SERVICE_TOKEN, User, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use crate::options;

/// Starts a task and waits until it asks; returns its id and the question.
async fn asked(user: &User, params: Value) -> (String, Value) {
    user.call("inquire_user", params).await;
    eventually("a task asks", async || {
        let (_, active) = user.get("/v1/tasks/active").await;
        let task = active["tasks"].as_array()?.iter().find(|task| task["open_questions"].as_u64() > Some(0))?;
        let task_id = task["task_id"].as_str()?;
        let (_, found) = user.get(&format!("/v1/tasks/{task_id}/questions")).await;
        Some((task_id.to_owned(), found["questions"][0].clone()))
    })
    .await
}

async fn answer(user: &User, task_id: &str, body: Value) -> (u16, Value) {
    let request = user.request(Method::POST, &format!("/v1/tasks/{task_id}/answer")).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn start() -> (tempfile::TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let node = options(&folder).start().await;
    (folder, node)
}

#[tokio::test]
async fn first_answer_counts_and_a_repeated_request_is_no_error() {
    let (_folder, node) = start().await;
    let anna = User::of(&node, "anna");
    let (task_id, question) = asked(&anna, json!({"what": "choice"})).await;
    assert_eq!(question["state"], "open", "{question}");
    let id = &question["question_id"];
    let (status, refused) = answer(&anna, &task_id, json!({"answer": 7})).await;
    assert_eq!((status, &refused["error"]["code"]), (422, &json!("VALIDATION_TYPE_ERROR")), "{refused}");
    assert_eq!(refused["error"]["field"], "answer", "{refused}");
    let choice = "Publish";
    let (status, first) = answer(&anna, &task_id, json!({"answer": choice})).await;
    assert_eq!((status, &first["question"]["state"]), (200, &json!("answered")), "{first}");
    let again = answer(&anna, &task_id, json!({"question_id": id, "answer": choice})).await;
    assert_eq!(again, (200, first.clone()), "a client that lost the response sends its request again");
    let other = "Later";
    let (status, closed) = answer(&anna, &task_id, json!({"question_id": id, "answer": other})).await;
    assert_eq!((status, &closed["error"]["code"]), (409, &json!("QUESTION_CLOSED")), "{closed}");
    assert_eq!(closed["question"]["answer"], choice, "with the answer that counts");
    assert_eq!(anna.end_of(&task_id).await["state"], "succeeded");
    let rows = anna.audit().await;
    assert_eq!(rows.iter().filter(|row| row["action"] == "task.answer").count(), 1, "{rows:?}");
}

#[tokio::test]
async fn service_answers_for_its_user() {
    let (_folder, node) = start().await;
    let anna = User::of(&node, "anna");
    let (task_id, _) = asked(&anna, json!({"what": "choice"})).await;
    let choice = "Publish";
    let http = reqwest::Client::new();
    let as_service = async |acting: Option<&str>, body: Value| {
        let mut request = http
            .post(format!("{}/v1/tasks/{task_id}/answer", node.url))
            .header("x-service-token", SERVICE_TOKEN)
            .json(&body);
        if let Some(acting) = acting {
            request = request.header("x-acting-user", acting);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let body = || json!({"answer": choice});
    let (status, refused) = as_service(None, body()).await;
    assert_eq!((status, &refused["error"]["field"]), (422, &json!("x-acting-user")), "{refused}");
    assert_eq!(as_service(Some("ben"), body()).await.0, 403);
    let refusals = User::of(&node, "ben").audit().await;
    assert_eq!(refusals.last().map(|row| &row["actor"]), Some(&json!("service")), "{refusals:?}");
    assert_eq!(as_service(Some("anna"), json!({"answer": 7})).await.0, 422);
    let (status, answered) = as_service(Some("anna"), body()).await;
    assert_eq!((status, &answered["question"]["answered_by"]), (200, &json!("service")), "{answered}");
    let id = &answered["question"]["question_id"];
    assert_eq!(as_service(Some("anna"), json!({"question_id": id, "answer": "Later"})).await.0, 409);
    // A person's mistake is none of the audit trail's.
    assert_eq!(answer(&anna, &task_id, json!({"question_id": id, "answer": "Later"})).await.0, 409);
    assert_eq!(anna.end_of(&task_id).await["state"], "succeeded");
    let rows = anna.audit().await;
    let of_answers = rows.iter().filter(|row| row["action"] == "task.answer");
    let seen: Vec<_> = of_answers.map(|row| [&row["actor"], &row["outcome"], &row["detail"]]).collect();
    let (actor, refused) = (json!("service"), json!("refused"));
    let wanted = [
        [&actor, &refused, &json!("VALIDATION_TYPE_ERROR")],
        [&actor, &json!("done"), &json!("publish")],
        [&actor, &refused, &json!("QUESTION_CLOSED")],
    ];
    assert_eq!(seen, wanted, "{rows:?}");
}
