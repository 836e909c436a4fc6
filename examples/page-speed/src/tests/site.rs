//! A whole site: a job at the service, looked after.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use imperal::ledger::TaskState;
use serde_json::json;
use tokio::time::Instant;

use super::{Scene, answer, result, run};
use crate::service;

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

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_given_up_at_the_service() {
    let service = service::start().await.unwrap();
    let scene = Scene::at(&service).await;
    let anna = scene.connected("anna").await;
    let task = anna.start("check_whole_site", json!({"url": "slow.example.com"})).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(said_of_the_job(&service).await.contains("\"state\":\"running\""));
    let asked = Instant::now();
    anna.cancel(task).await;
    assert_eq!(anna.end_of(task).await.state, TaskState::Cancelled);
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert!(said_of_the_job(&service).await.starts_with("HTTP/1.0 404"), "it is gone");
}

/// What the service answers about its first job.
async fn said_of_the_job(service: &str) -> String {
    let address = service.trim_start_matches("http://").to_owned();
    let ask = move || {
        let mut line = TcpStream::connect(address)?;
        line.write_all(b"GET /pagespeed/jobs/job-1 HTTP/1.0\r\n\r\n")?;
        std::io::read_to_string(line)
    };
    tokio::task::spawn_blocking(ask).await.unwrap().unwrap()
}
