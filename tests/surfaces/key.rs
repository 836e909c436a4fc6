//! One running task per key.

use imperal::ledger::TaskState;
use imperal::prelude::*;
use imperal::testing::TestPlatform;
use serde_json::json;

use crate::{Nothing, code, secs};

#[derive(Deserialize, JsonSchema)]
struct Keyed {
    key: String,
}

/// Sleep for a minute, one sleeper a key.
#[chat_function(action_type = "write", event = "slept", effects = ["update:nap"])]
async fn sleep_alone(ctx: Context, params: Keyed) -> Result<ActionResult> {
    ctx.background_task(|_| async {
        tokio::time::sleep(secs(60)).await;
        Ok(ActionResult::done("Awake."))
    })
    .name("Nap")
    .key(params.key)
    .await?;
    Ok(ActionResult::done("Good night."))
}

/// Sleep for a minute, with words of its own for a second sleeper.
#[chat_function(action_type = "write", event = "slept", effects = ["update:nap"])]
async fn sleep_politely(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let started = ctx.background_task(|_| async { Ok(ActionResult::done("Awake.")) }).key("nap").await;
    if let Some(task) = started.as_ref().err().and_then(Error::already_running) {
        return Ok(ActionResult::done(format!("{} sleeps already: {}", task.name, task.task_id)));
    }
    started?;
    Ok(ActionResult::done("Good night."))
}

#[tokio::test(start_paused = true)]
async fn second_caller_gets_the_running_task() {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    let task_id = anna.start("sleep_alone", json!({"key": "nap"})).await;
    assert_eq!(anna.access().running_tasks().await.unwrap()[0].key.as_deref(), Some("nap"));
    let reply = anna.call("sleep_alone", json!({"key": "nap"})).await.unwrap();
    assert_eq!(code(&reply.turn), "ALREADY_RUNNING");
    let text = format!("Nap is running already (task {task_id}). Wait for it to end, or cancel it.");
    assert_eq!((reply.turn.body.text, reply.result.is_success()), (text, false));
    let reply = anna.call("sleep_politely", json!({})).await.unwrap();
    assert_eq!(reply.turn.body.text, format!("Nap sleeps already: {task_id}"));
    // Other keys and other users are independent.
    anna.start("sleep_alone", json!({"key": "siesta"})).await;
    platform.user("ben").start("sleep_alone", json!({"key": "nap"})).await;
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Succeeded);
    anna.start("sleep_alone", json!({"key": "nap"})).await;
}

#[tokio::test(start_paused = true)]
async fn cancel_and_crash_free_the_key() {
    let first = TestPlatform::setup().settings(|s| s.node = "a".into()).start().await;
    let anna = first.user("anna");
    let task_id = anna.start("sleep_alone", json!({"key": "nap"})).await;
    anna.cancel(task_id).await;
    assert_eq!(code(&anna.call("sleep_alone", json!({"key": "nap"})).await.unwrap().turn), "ALREADY_RUNNING");
    anna.end_of(task_id).await;
    let task_id = anna.start("sleep_alone", json!({"key": "nap"})).await;
    let second = TestPlatform::setup().settings(|s| s.node = "a".into()).on_ledger_of(&first).start().await;
    let anna = second.user("anna");
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Reclaimed);
    anna.start("sleep_alone", json!({"key": "nap"})).await;
}

#[tokio::test(start_paused = true)]
async fn empty_or_long_key_starts_no_task() {
    let platform = TestPlatform::start().await;
    let anna = platform.user("anna");
    for (key, fits) in [(String::new(), false), ("ä".repeat(256), true), ("ä".repeat(257), false)] {
        let reply = anna.call("sleep_alone", json!({ "key": key })).await.unwrap();
        assert_eq!(reply.result.is_success(), fits, "{} bytes", key.len());
    }
    assert_eq!(anna.access().running_tasks().await.unwrap().len(), 1);
}

/// Report a third, then sleep for a minute under a key.
#[chat_function(action_type = "write", event = "scanned", effects = ["update:scan"])]
async fn scan(ctx: Context, params: Keyed) -> Result<ActionResult> {
    ctx.background_task(|ctx| async move {
        ctx.progress(10, "Starting").await?;
        // The first report is stored at once; the next one 100 ms later.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        ctx.progress(33, "Scanning").await?;
        tokio::time::sleep(secs(60)).await;
        Ok(ActionResult::done("Scanned."))
    })
    .key(params.key)
    .await?;
    Ok(ActionResult::done("Scanning."))
}

/// How far is the scan of that key?
#[chat_function(action_type = "write", event = "asked", effects = ["update:scan"])]
async fn scan_progress(ctx: Context, params: Keyed) -> Result<ActionResult> {
    Ok(ActionResult::done(match ctx.running_task(&params.key).await? {
        Some(task) => format!("{} {:?} {:?}", task.name, task.percent, task.stage),
        None => "none".to_owned(),
    }))
}

#[tokio::test(start_paused = true)]
async fn a_handler_sees_the_running_task_of_a_key_with_its_progress() {
    let platform = TestPlatform::start().await;
    let (anna, ben) = (platform.user("anna"), platform.user("ben"));
    let ask = async |user: &imperal::testing::TestUser, key: &str| {
        user.call("scan_progress", json!({"key": key})).await.unwrap().turn.body.text
    };
    assert_eq!(ask(&anna, "site").await, "none");
    let task_id = anna.start("scan", json!({"key": "site"})).await;
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    // At once, from the report that is not stored yet, and a second later from the ledger.
    for _ in 0..2 {
        assert_eq!(ask(&anna, "site").await, r#"scan Some(33.0) Some("Scanning")"#);
        tokio::time::sleep(secs(1)).await;
    }
    assert_eq!((ask(&anna, "other").await, ask(&ben, "site").await), ("none".to_owned(), "none".to_owned()));
    let too_long = anna.call("scan_progress", json!({"key": "k".repeat(513)})).await.unwrap();
    assert_eq!(code(&too_long.turn), "INTERNAL");
    assert_eq!(anna.end_of(task_id).await.state, TaskState::Succeeded);
    assert_eq!(ask(&anna, "site").await, "none");
}
