//! Reply, progress, outcome; and the chat after the process was killed.

use imperal_tests::User;
use serde_json::json;

use crate::{node, options};

#[tokio::test]
async fn reply_comes_at_once_and_one_outcome_follows() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let mut events = anna.stream(0).await;
    assert_eq!(events.next().await.event, "hello");
    let reply = anna.call("steps", json!({"steps": 4, "step_ms": 120})).await;
    assert_eq!(reply["turn"]["text"], "Stepping.");
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap().to_owned();

    let (mut seen, mut percents) = (Vec::new(), Vec::new());
    loop {
        let event = events.next().await;
        match event.event.as_str() {
            "progress" => {
                assert_eq!(event.id, None, "progress has no number");
                percents.push(event.data["percent"].as_f64().unwrap());
            }
            kind => {
                assert_eq!(event.id, Some(seen.len() as u64 + 1), "numbered without a gap");
                seen.push((kind.to_owned(), event.data.clone()));
                if event.data["task_id"] == task_id.as_str() && !event.data["result"].is_null() && kind == "turn" {
                    break;
                }
            }
        }
    }
    let kinds: Vec<_> =
        seen.iter().map(|(kind, data)| (kind.as_str(), data["state"].as_str(), data["role"].as_str())).collect();
    assert_eq!(
        kinds,
        [
            ("turn", None, Some("user")),
            ("task", Some("running"), None),
            ("turn", None, Some("bot")),
            ("task", Some("succeeded"), None),
            ("turn", None, Some("bot")),
        ]
    );
    assert_eq!(percents, [0.0, 25.0, 50.0, 75.0]);
    assert_eq!(anna.outcomes(&task_id).await.len(), 1);
    let audit = anna.audit().await;
    assert_eq!(audit.len(), 1, "the automatic delivery is audited: {audit:?}");
    assert_eq!(audit[0]["action"], "chat.inject");
}

#[tokio::test]
async fn node_stopped_as_soon_as_it_listens_ends_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        options(&folder).start().await.terminate().await;
    }
}

#[tokio::test]
async fn resumed_stream_has_each_event_once() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    for n in 0..5 {
        anna.call("echo", json!({"text": format!("n{n}")})).await;
    }
    let mut got = Vec::new();
    let mut after = 0;
    for _ in 0..5 {
        let mut events = anna.stream(after).await;
        assert_eq!(events.next().await.event, "hello");
        for _ in 0..2 {
            let event = events.next().await;
            after = event.id.unwrap();
            got.push(after);
        }
    }
    assert_eq!(got, (1..=10).collect::<Vec<_>>());
    let answer = anna.request(reqwest::Method::GET, "/v1/events/stream?after=1").header("last-event-id", "nine");
    assert_eq!(User::send(answer).await.0, 400);
}

#[tokio::test]
async fn killed_work_ends_in_one_interrupted_turn() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    let reply = anna.call("steps", json!({"steps": 100, "step_ms": 100})).await;
    let task_id = reply["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    // A call without a reply yet.
    let hanging = tokio::spawn({
        let anna = anna.clone();
        async move {
            anna.request(reqwest::Method::POST, "/v1/extensions/probe/call")
                .json(&json!({"function": "linger", "params": {"millis": 60_000}}))
                .send()
                .await
        }
    });
    while anna.turns().await.len() < 3 {
        tokio::task::yield_now().await;
    }
    let options = node.kill().await;
    assert!(hanging.await.unwrap().is_err(), "the caller sees the connection break");

    for _ in 0..2 {
        let node = options.start().await;
        let anna = User::of(&node, "anna");
        let outcomes = anna.outcomes(&task_id).await;
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        assert_eq!(outcomes[0]["result"]["error_code"], "INTERRUPTED");
        assert_eq!(outcomes[0]["result"]["retryable"], true);
        assert_eq!(anna.get(&format!("/v1/tasks/{task_id}")).await.1["state"], "reclaimed");
        let turns = anna.turns().await;
        let replies: Vec<_> = turns.iter().filter(|t| t["function"] == "linger" && t["role"] == "bot").collect();
        assert_eq!(replies.len(), 1, "the cut-off call has its reply: {replies:?}");
        assert_eq!(replies[0]["result"]["error_code"], "INTERRUPTED");
        assert_eq!(turns.len(), 5);
        // The chat keeps the request, so that the user can repeat it.
        let again = anna.call("steps", json!({"steps": 1, "step_ms": 1})).await;
        let again = again["result"]["data"]["task_id"].as_str().unwrap().to_owned();
        assert_eq!(anna.end_of(&again).await["state"], "succeeded");
        let _ = node.kill().await;
        // The second round adds turns.
        if turns.len() == 5 {
            break;
        }
    }
}

#[tokio::test]
async fn stopping_node_refuses_calls_and_ends_tasks_with_a_turn() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    let quick = anna.call("steps", json!({"steps": 3, "step_ms": 100})).await;
    let quick = quick["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let slow = anna.call("stubborn", json!({"millis": 60_000})).await;
    let slow = slow["result"]["data"]["task_id"].as_str().unwrap().to_owned();
    let options = node.terminate().await;
    let node = options.start().await;
    let anna = User::of(&node, "anna");
    assert_eq!(anna.outcomes(&quick).await[0]["result"]["status"], "success", "it had time to finish");
    let outcomes = anna.outcomes(&slow).await;
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0]["result"]["error_code"], "INTERRUPTED");
}

#[tokio::test]
async fn extension_faults_become_error_turns_without_their_text() {
    let (_folder, node) = node().await;
    let anna = User::of(&node, "anna");
    for (how, code) in [("panic", "INTERNAL"), ("error", "INTERNAL"), ("answer", "PROBE_FAILED")] {
        let reply = anna.call("fail", json!({"how": how})).await;
        assert_eq!(reply["result"]["error_code"], code, "{reply}");
        anna.call("fail", json!({"how": how, "later": true})).await;
    }
    let (_, body) = anna.get("/v1/tasks").await;
    for task in body["tasks"].as_array().unwrap() {
        let task_id = task["task_id"].as_str().unwrap();
        assert_eq!(anna.end_of(task_id).await["state"], "failed");
        assert_eq!(anna.outcomes(task_id).await.len(), 1);
    }
    let text = serde_json::to_string(&anna.turns().await).unwrap();
    assert!(!text.contains("secret"), "{text}");
    let critical: Vec<_> = anna.audit().await.into_iter().filter(|row| row["outcome"] == "critical").collect();
    assert_eq!(critical.len(), 1, "the panic of the task is a critical row");
}

#[tokio::test]
async fn second_process_on_a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let node = options.start().await;
    let mut second = options.command();
    let output = second.stderr(std::process::Stdio::piped()).output().await.unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains(&node.url) && text.contains("--data-dir"), "{text}");
}
