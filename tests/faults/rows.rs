//! Rows that are damaged between two processes: the next process starts, and only those rows are affected.

use imperal_tests::{NodeOptions, User};
use rusqlite::Connection;
use serde_json::json;

/// A text that the log must not repeat.
const SECRET: &str = "a word of her own";

#[tokio::test]
async fn process_starts_on_damaged_rows_and_serves_other_users() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut options = NodeOptions::new(env!("CARGO_BIN_EXE_probe"), folder.path().join("data"));
    options.log = Some(log.clone());
    let node = options.start().await;
    let users = ["anna", "ben", "cleo"].map(|name| User::of(&node, name));
    let mut tasks = Vec::new();
    for user in &users {
        user.call("echo", json!({"text": SECRET})).await;
        let begun = user.call("steps", json!({"steps": 600, "step_ms": 100})).await;
        tasks.push(begun["result"]["data"]["task_id"].as_str().unwrap().to_owned());
    }
    let options = node.kill().await;

    let file = Connection::open(options.folder.join("ledger.db")).unwrap();
    let own = "owner_id = (SELECT owner_id FROM owner WHERE user_id = 'anna')";
    for sql in [
        format!("UPDATE task SET task_id = 'not-a-uuid' WHERE {own}"),
        format!("UPDATE turn SET body = '{SECRET}' WHERE {own} AND seq = 1"),
        "UPDATE task SET state = 'DAMAGE' WHERE owner_id = (SELECT owner_id FROM owner WHERE user_id = 'ben')"
            .to_owned(),
    ] {
        assert_eq!(file.execute(&sql, ()).unwrap(), 1, "{sql}");
    }
    drop(file);

    let node = options.start().await;
    let [anna, ben, cleo] = users.map(|user| user.at(&node));
    for (user, task_id) in [(&ben, &tasks[1]), (&cleo, &tasks[2])] {
        assert_eq!(user.end_of(task_id).await["state"], "reclaimed");
        assert_eq!(user.outcomes(task_id).await.len(), 1);
        let turns = user.turns().await;
        assert_eq!(turns[0]["params"]["text"], SECRET);
        assert!(turns.iter().all(|turn| turn["type"] != "system"), "{turns:?}");
        user.call("echo", json!({"text": "on it goes"})).await;
    }
    // The damaged user's turn has a placeholder at its number, and the task has its outcome.
    for _ in 0..3 {
        let turns = anna.turns().await;
        assert_eq!((&turns[0]["seq"], &turns[0]["type"]), (&json!(1), &json!("system")));
        assert!(turns[0]["text"].as_str().unwrap().contains("cannot be read"));
        let (_, listed) = anna.get("/v1/tasks").await;
        let task = &listed["tasks"][0];
        assert_eq!(task["state"], "reclaimed", "{listed}");
        let (status, found) = anna.get(&format!("/v1/tasks/{}", task["task_id"].as_str().unwrap())).await;
        assert_eq!((status.as_u16(), &found["state"]), (200, &json!("reclaimed")), "{found}");
    }
    assert_eq!(turns_of_outcome(&anna).await, 1);
    anna.call("echo", json!({"text": "on it goes"})).await;

    let (status, body) = anna.get("/readyz").await;
    let body = body.as_str().unwrap().to_owned();
    assert!(status == 200 && body.starts_with("ready, ") && body.contains("cannot be read: see the log"), "{body}");
    let metrics = anna.get("/metrics").await.1;
    let metrics = metrics.as_str().unwrap();
    let unreadable = metrics.lines().find(|line| line.starts_with("imperal_ledger_unreadable_rows_total ")).unwrap();
    assert!(
        body.contains(&format!("ready, {} ledger", unreadable.rsplit(' ').next().unwrap())),
        "{unreadable}: {body}"
    );
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(!said.contains(SECRET), "the log repeats what the row holds: {said}");
    for (row, why) in [("turn", "body is not JSON"), ("task", "task_id is not a UUID"), ("task", "state is none of")] {
        let lines = said.lines().filter(|line| line.contains(row) && line.contains(why)).count();
        assert_eq!(lines, 1, "{row}, {why}: {said}");
    }
    node.kill().await;
}

/// Number of outcome turns of the user.
async fn turns_of_outcome(user: &User) -> usize {
    user.turns().await.iter().filter(|turn| turn["result"]["error_code"] == "INTERRUPTED").count()
}
