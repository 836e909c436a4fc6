//! The digest of a durable task's steps, recomputed by an operator with the query of the documentation.

use imperal_tests::cluster::{self, Database};
use imperal_tests::{User, eventually};
use serde_json::{Value, json};

use crate::operations::file;

/// The query in the documentation, for this task.
fn query(task_id: &str) -> String {
    let page = file("docs/operations.md");
    let queries = page.split("```sql\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let mut of_steps = queries.map(|(query, _)| query).filter(|query| query.contains("imperal.step"));
    of_steps.next().expect("the documentation has the query").replace("9f..", task_id)
}

/// Runs a task to its end, and returns its id.
async fn inquire(anna: &User, params: Value, answer: Option<&str>) -> String {
    anna.call("inquire_user", params).await;
    let state = if answer.is_some() { "waiting" } else { "succeeded" };
    let task_id = eventually("the latest task waits or has ended", async || {
        let (_, recent) = anna.get("/v1/tasks").await;
        let task = recent["tasks"].as_array()?.first().filter(|task| task["state"] == state)?;
        task["task_id"].as_str().map(str::to_owned)
    })
    .await;
    if let Some(answer) = answer {
        let (status, said) = anna.post(&format!("/v1/tasks/{task_id}/answer"), &json!({"answer": answer})).await;
        assert_eq!(status, 200, "{said}");
        anna.end_of(&task_id).await;
    }
    task_id
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_query_finds_the_digest_of_the_audit_row() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::make("digest").await);
    let node = super::on(&folder, &database).start().await;
    let anna = User::of(&node, "anna");
    let client = cluster::client_of(&database.url()).await;
    let digest = async |task_id: &str| client.query(&query(task_id), &[]).await.unwrap();
    for (params, answer, rows) in [
        (json!({"what": "choice"}), Some("Publish"), "1 row of steps up to 1"),
        (json!({"what": "sleep", "within_ms": 300}), None, "2 rows of steps up to 2"),
    ] {
        let task_id = inquire(&anna, params, answer).await;
        let found: String = digest(&task_id).await[0].get(0);
        let audit = anna.audit().await;
        let end = format!("outcome of task {task_id}: succeeded; {rows}, sha256 {found}");
        assert!(audit.iter().any(|row| row["detail"] == end), "{end}: {audit:?}");
        // A value that is no longer kept does not make another digest.
        let removed = format!(
            "UPDATE imperal.step SET value = NULL FROM imperal.task t
             WHERE t.task_no = step.task_no AND task_id = '{task_id}' AND ordinal = 1"
        );
        client.batch_execute(&removed).await.unwrap();
        assert!(digest(&task_id).await.is_empty());
    }
}
