//! The platform that a test receives.

use std::sync::{Arc, Mutex};

use imperal::ledger::{AuditOutcome, TaskState};
use imperal::prelude::*;
use imperal::testing::{Reply, RuleLog, TestPlatform, TestSetup};
use serde_json::json;
use tokio::time::Instant;

use crate::Video;

/// A service that renders for 25 minutes; returns the log of its cancels.
fn service(platform: &TestPlatform) -> RuleLog {
    let http = platform.http();
    let begun = Arc::new(Mutex::new(Instant::now()));
    let since = begun.clone();
    http.post("https://video.example/v1/jobs").reply(Reply::with(move |_| {
        *since.lock().unwrap() = Instant::now();
        Reply::json(json!({"id": 7}))
    }));
    http.get("https://video.example/v1/jobs/7").reply(Reply::with(move |_| {
        let percent = begun.lock().unwrap().elapsed().as_secs() / 15;
        if percent < 98 { Reply::json(json!({ "percent": percent })) } else { Reply::json(json!({"video": "v.mp4"})) }
    }));
    http.delete("https://video.example/v1/jobs/7").reply(Reply::status(204))
}

#[imperal::test]
async fn task_of_25_minutes_ends_at_once(platform: TestPlatform) {
    let real = std::time::Instant::now();
    let (virtually, cancels) = (Instant::now(), service(&platform));
    let anna = platform.user("anna");
    let outcome = anna.run("make_video", json!({})).await;
    outcome.assert_success().assert_says("ready");
    assert_eq!(outcome.data::<Video>(), Video { url: "v.mp4".to_owned() });
    assert!(virtually.elapsed().as_secs() >= 1470 && real.elapsed().as_secs() < 60);
    assert_eq!(cancels.calls(), 0);
    assert_eq!(anna.texts().await, ["make_video", "Making your video…", "Nearly there.", "Your video is ready."]);
    anna.assert_chat_has("Nearly there.").await;
    let progress = anna.progress_of(outcome.task.task_id);
    assert!(progress.len() > 40, "none is coalesced: {}", progress.len());
    assert!(progress.windows(2).all(|two| two[0].percent <= two[1].percent), "never backwards");
    let took = outcome.task.finished_at.unwrap().duration_since(outcome.task.created_at);
    assert!(took.as_secs() >= 1470, "the ledger's times are of the test's clock: {took}");
    let injected = anna.audit().await.iter().filter(|row| row.body.action == "chat.inject").count();
    assert_eq!(injected, 2);
}

#[imperal::test]
async fn cancel_at_any_progress_cancels_the_job(platform: TestPlatform) {
    let cancels = service(&platform);
    let anna = platform.user("anna");
    let mut points = Vec::new();
    anna.cancel_at_each_progress("make_video", json!({}), async |run| {
        points.push((run.task.percent.unwrap(), cancels.calls()));
        run.assert_code("CANCELLED");
    })
    .await;
    assert!(points.len() > 40);
    // A cancel before the job started or after it finished has no job to cancel.
    assert_eq!((points[0], points[1].1), ((5.0, 0), 1));
    let (percent, calls) = *points.last().unwrap();
    assert_eq!((percent, calls), (95.0, points.len() - 2));
}

#[imperal::test]
async fn cancel_happens_exactly_at_the_chosen_progress(platform: TestPlatform) {
    service(&platform);
    let anna = platform.user("anna");
    let outcome = anna.run_and_cancel_when("make_video", json!({}), |said| said.percent >= 50.0).await;
    outcome.assert_state(TaskState::Cancelled);
    let last = anna.progress_of(outcome.task.task_id).pop().unwrap();
    assert!((50.0..52.0).contains(&last.percent), "no report after the one at 50: {}", last.percent);
}

#[imperal::test]
async fn crash_ends_work_and_users_continue(platform: TestPlatform) {
    let cancels = service(&platform);
    let (anna, ben) = (platform.user("anna"), platform.user("ben"));
    let before = anna.run("make_video", json!({})).await;
    let task = anna.start("make_video", json!({})).await;
    platform.pass(Duration::from_secs(600)).await;
    platform.crash().await;
    anna.outcome(task).await.assert_state(TaskState::Reclaimed).assert_code("INTERRUPTED");
    before.assert_success();
    // The crashed incarnation writes nothing more, and its key is free.
    platform.pass(Duration::from_secs(1800)).await;
    assert_eq!(anna.outcomes(task).await.len(), 1);
    assert_eq!(cancels.calls(), 0, "a crashed process cleans nothing up");
    anna.run("make_video", json!({})).await.assert_success();
    assert!(ben.turns().await.is_empty(), "users share nothing");
}

#[imperal::test]
async fn key_and_time_limit_hold(setup: TestSetup) {
    let platform = setup.settings(|s| s.long_task_cap = Duration::from_secs(60)).start().await;
    service(&platform);
    let anna = platform.user("anna");
    let task = anna.start("make_video", json!({})).await;
    let second = anna.call("make_video", json!({})).await.unwrap();
    assert!(second.turn.body.text.starts_with("Video is running already"), "{}", second.turn.body.text);
    anna.outcome(task).await.assert_state(TaskState::TimedOut).assert_code("BACKEND_TIMEOUT");
}

#[imperal::test(clock = "real")]
async fn real_clock_takes_real_time(platform: TestPlatform) {
    let begun = std::time::Instant::now();
    platform.pass(Duration::from_millis(30)).await;
    assert!(begun.elapsed() >= Duration::from_millis(30));
}

#[imperal::test]
async fn test_without_parameters_can_use_the_question_mark() -> Result<()> {
    let platform = TestPlatform::start().await;
    let reply = platform.user("anna").call("fail", json!({})).await?;
    assert_eq!(reply.turn.body.text, "Printing…");
    assert!(platform.user("anna").audit().await.iter().all(|row| row.body.outcome != AuditOutcome::Critical));
    Ok(())
}

#[imperal::test]
#[should_panic(expected = "on purpose")]
async fn other_attributes_are_kept(_platform: TestPlatform) {
    panic!("on purpose");
}
