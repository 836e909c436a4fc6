//! A whole site: a job at the service, polled until its end.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use imperal::ledger::TaskState;
use serde_json::json;
use tokio::time::Instant;

use super::{Scene, answer, result, run};
use crate::service;

#[tokio::test(start_paused = true)]
async fn a_job_is_polled_until_its_end() {
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
async fn a_failed_job_has_its_reason() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    let (_, outcome) = run(&anna, "check_whole_site", json!({"url": "broken.example.com"})).await;
    assert_eq!(outcome.body.text, "The page-speed service gave up: the site does not answer.");
}

#[tokio::test(start_paused = true)]
async fn a_site_has_one_job_at_a_time() {
    let scene = Scene::start().await;
    let anna = scene.connected("anna").await;
    anna.start("check_whole_site", json!({"url": "slow.example.com"})).await;
    let second = answer(&anna, "check_whole_site", json!({"url": "https://slow.example.com"})).await;
    assert_eq!(second.error_code.unwrap(), "ALREADY_RUNNING");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_cancels_the_job() {
    let service = service::start().await.unwrap();
    let scene = Scene::at(&service).await;
    let anna = scene.connected("anna").await;
    let task = anna.start("check_whole_site", json!({"url": "slow.example.com"})).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(job_status(&service).await.contains("\"state\":\"running\""));
    let asked = Instant::now();
    anna.cancel(task).await;
    assert_eq!(anna.end_of(task).await.state, TaskState::Cancelled);
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert!(job_status(&service).await.starts_with("HTTP/1.0 404"), "it is gone");
}

/// The service's answer about its first job.
async fn job_status(service: &str) -> String {
    let address = service.trim_start_matches("http://").to_owned();
    let ask = move || {
        let mut line = TcpStream::connect(address)?;
        line.write_all(b"GET /pagespeed/jobs/job-1 HTTP/1.0\r\n\r\n")?;
        std::io::read_to_string(line)
    };
    tokio::task::spawn_blocking(ask).await.unwrap().unwrap()
}
