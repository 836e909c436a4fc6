//! A whole site: a job at the service, looked after.

use imperal::ledger::TaskState;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

use super::{Scene, answer, result, run};

#[tokio::test(start_paused = true)]
async fn a_job_is_looked_after_until_its_pages_are_there() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let begun = Instant::now();
    let (task, outcome) = run(&anna, "check_whole_site", json!({"url": "example.com", "pages": 12})).await;
    assert_eq!(task.state, TaskState::Succeeded, "{outcome:?}");
    assert!(begun.elapsed() >= Duration::from_secs(24), "twelve pages of two seconds");
    let pages = result(&outcome).data["pages"].as_array().unwrap();
    assert_eq!(pages.len(), 12);
    let scores: Vec<f64> = pages.iter().map(|page| page["performance"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted(), "the slowest first: {scores:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_the_service_gives_up_says_why() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let (_, outcome) = run(&anna, "check_whole_site", json!({"url": "broken.example.com"})).await;
    assert_eq!(outcome.body.text, "The page-speed service gave up: the site does not answer.");
}

#[tokio::test(start_paused = true)]
async fn one_job_a_site() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    anna.start("check_whole_site", json!({"url": "slow.example.com"})).await;
    let second = answer(&anna, "check_whole_site", json!({"url": "https://slow.example.com"})).await;
    assert_eq!(second.error_code.unwrap(), "ALREADY_RUNNING");
}
