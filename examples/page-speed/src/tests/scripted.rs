//! Requests to the service and their number, with scripted HTTP.

use std::time::Duration;

use imperal::ledger::TaskState;
use imperal::testing::{Reply, TestPlatform, TestSetup, TestUser};
use serde_json::{Value, json};

use crate::speed_api::SpeedApi;
use crate::store::Clock;

const SERVICE: &str = "https://speed.example";

/// A platform with a scripted service, and a user with a key.
async fn scripted(setup: TestSetup) -> (TestPlatform, TestUser) {
    let platform = setup.state(SpeedApi::at(Some(SERVICE.to_owned()))).state(Clock::of_the_system()).start().await;
    platform.http().get(format!("{SERVICE}/pagespeed*")).query("url", "https://example.com").reply(report(0.9));
    let anna = platform.user("anna");
    anna.call("connect_pagespeed", json!({"api_key": "a-key-that-works"})).await.unwrap();
    (platform, anna)
}

fn report(performance: f64) -> Reply {
    Reply::json(json!({"lighthouseResult": {"categories": {"performance": {"score": performance}}, "audits": {}}}))
}

fn page() -> Value {
    json!({"url": "shop.example"})
}

#[imperal::test]
async fn a_busy_service_gets_three_attempts(setup: TestSetup) {
    let (platform, anna) = scripted(setup).await;
    let pages = platform.http().get(format!("{SERVICE}/pagespeed*")).query("url", "https://shop.example");
    let pages = pages.replies([Reply::status(429), Reply::status(429), report(0.7)]);
    let outcome = anna.run("check_site_speed", page()).await;
    outcome.assert_success().assert_says("Performance 70/100");
    assert_eq!(pages.calls(), 3);
    let stages: Vec<String> = anna.progress_of(outcome.task.task_id).into_iter().map(|said| said.message).collect();
    assert_eq!(
        stages,
        ["Measuring https://shop.example", "Waiting 3 s, then attempt 2 of 3", "Waiting 6 s, then attempt 3 of 3"]
    );
    assert_eq!(super::rows(&anna).await.len(), 1);
}

#[imperal::test]
async fn only_429_and_500_are_retried(setup: TestSetup) {
    let (platform, anna) = scripted(setup).await;
    for (status, calls, code) in [
        (400, 1, "BAD_URL"),
        (403, 1, "KEY_INVALID"),
        (429, 3, "RATE_LIMITED"),
        (500, 3, "THROTTLED"),
        (503, 1, "PROVIDER_ERROR"),
    ] {
        let url = format!("{status}.example");
        let asked = platform.http().get(format!("{SERVICE}/pagespeed*")).query("url", &format!("https://{url}"));
        let asked = asked.reply(Reply::status(status));
        anna.run("check_site_speed", json!({"url": url})).await.assert_code(code);
        assert_eq!(asked.calls(), calls, "{status}");
    }
}

#[imperal::test]
async fn a_check_cancelled_between_attempts_leaves_no_row(setup: TestSetup) {
    let (platform, anna) = scripted(setup).await;
    let pages = platform.http().get(format!("{SERVICE}/pagespeed*")).query("url", "https://shop.example");
    pages.reply(Reply::status(429));
    anna.run("check_site_speed", page()).await.assert_code("RATE_LIMITED");
    let before = super::rows(&anna).await.len();
    let outcome = anna.run_and_cancel_when("check_site_speed", page(), |said| said.message.contains("Waiting 6")).await;
    outcome.assert_state(TaskState::Cancelled);
    assert_eq!(super::rows(&anna).await.len(), before);
}

#[imperal::test]
async fn a_crash_during_a_check_leaves_one_turn_and_no_row(setup: TestSetup) {
    let (platform, anna) = scripted(setup).await;
    let pages = platform.http().get(format!("{SERVICE}/pagespeed*")).query("url", "https://shop.example");
    let pages = pages.reply(Reply::hang());
    let task = anna.start("check_site_speed", page()).await;
    platform.pass(Duration::from_secs(20)).await;
    assert_eq!(pages.running(), 1);
    platform.crash().await;
    anna.outcome(task).await.assert_state(TaskState::Reclaimed).assert_code("INTERRUPTED");
    assert_eq!(anna.outcomes(task).await.len(), 1);
    assert_eq!(super::rows(&anna).await.len(), 0);
}

#[imperal::test]
async fn a_cancel_stops_the_job_once(setup: TestSetup) {
    let (platform, anna) = scripted(setup).await;
    let http = platform.http();
    let job = json!({"job_id": "job-7", "state": "running", "done": 2, "total": 10});
    http.post(format!("{SERVICE}/pagespeed/jobs")).reply(Reply::json(&job));
    let looks = http.get(format!("{SERVICE}/pagespeed/jobs/job-7*")).reply(Reply::json(&job));
    let stops = http.delete(format!("{SERVICE}/pagespeed/jobs/job-7*")).reply(Reply::status(204));
    let at = |said: &imperal::testing::Report| said.message == "2 of 10 pages";
    let outcome = anna.run_and_cancel_when("check_whole_site", json!({"url": "shop.example"}), at).await;
    outcome.assert_state(TaskState::Cancelled);
    assert_eq!((looks.calls(), stops.calls()), (1, 1));
}

#[imperal::test]
async fn neither_a_crash_nor_a_deploy_starts_a_second_job(setup: TestSetup) {
    let (platform, anna) = scripted(setup).await;
    let http = platform.http();
    let job = |done: u32, state: &str| {
        let page = json!({"url": "https://shop.example", "performance": 0.5, "lcp_ms": 2000});
        Reply::json(json!({"job_id": "job-7", "state": state, "done": done, "total": 10, "pages": [page]}))
    };
    let starts = http.post(format!("{SERVICE}/pagespeed/jobs")).reply(job(0, "running"));
    let looks = (1..10).map(|done| job(done, "running")).chain([job(10, "done")]);
    http.get(format!("{SERVICE}/pagespeed/jobs/job-7*")).replies(looks);
    let task = anna.start("check_whole_site", json!({"url": "shop.example"})).await;
    platform.pass(Duration::from_secs(5)).await;
    platform.crash().await;
    platform.pass(Duration::from_secs(5)).await;
    platform.deploy().await;
    anna.outcome(task).await.assert_success();
    assert_eq!(starts.calls(), 1);
    assert!(!anna.transcript().await.contains("a-key-that-works"));
}
