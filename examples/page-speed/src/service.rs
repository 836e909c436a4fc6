//! A small page-speed service with the HTTP interface of a real one. It measures for some seconds, and its
//! reports differ by page and slightly by day. The example works without an account because of it.
//!
//! The answer depends on the host of the page: `busy.` answers 429 twice before it measures,
//! `broken.` always fails, `odd.` sends a malformed answer, `nowhere.` is not a page, `slow.` takes 50 s,
//! `nodata.` has had no visitors. A key that begins with `wrong` is refused. `PAGE_SPEED_SECONDS`
//! sets the duration of a measurement.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

type Memory = Arc<Mutex<Remembered>>;

#[derive(Default)]
struct Remembered {
    asked: HashMap<String, u32>,
    jobs: HashMap<String, JobRow>,
}

struct JobRow {
    site: String,
    pages: u32,
    begun: Instant,
}

/// Starts the service on loopback, on a free port, and returns its base URL.
pub(crate) async fn start() -> std::io::Result<String> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let base = format!("http://{}", listener.local_addr()?);
    let app = Router::new()
        .route("/pagespeed", get(measure))
        .route("/pagespeed/jobs", post(start_job))
        .route("/pagespeed/jobs/{job_id}", get(job).delete(stop_job))
        .with_state(Memory::default());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(base)
}

async fn measure(State(memory): State<Memory>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
    if let Some(refusal) = refusal(value("key")) {
        return refusal;
    }
    let url = value("url").to_owned();
    let host = host(&url);
    let times = {
        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        let times = memory.asked.entry(url.clone()).or_default();
        *times += 1;
        *times
    };
    match host {
        h if h.starts_with("nowhere.") => return failure(StatusCode::BAD_REQUEST, "the page cannot be reached"),
        h if h.starts_with("broken.") => return failure(StatusCode::INTERNAL_SERVER_ERROR, "measuring failed"),
        h if h.starts_with("busy.") && times % 3 != 0 => return failure(StatusCode::TOO_MANY_REQUESTS, "slow down"),
        h if h.starts_with("odd.") => return "<html>maintenance</html>".into_response(),
        _ => {}
    }
    tokio::time::sleep(measuring_time(host)).await;
    let categories: Vec<&str> =
        pairs.iter().filter(|(key, _)| key == "category").map(|(_, value)| value.as_str()).collect();
    json_answer(StatusCode::OK, &report(&url, value("strategy"), &categories, times))
}

fn report(url: &str, strategy: &str, categories: &[&str], times: u32) -> Value {
    let base = noise(&[url, strategy]);
    let today = noise(&[url, strategy, &times.to_string()]);
    // Between 0.35 and 0.98, a little different each time.
    let quality = (0.35 + 0.6 * base + 0.16 * (today - 0.5)).clamp(0.05, 0.98);
    let slowness = 1.0 - quality;
    let score = |salt: &str| hundredths(if salt == "performance" { quality } else { 0.6 + 0.4 * noise(&[url, salt]) });
    let categories = if categories.is_empty() { &["performance"][..] } else { categories };
    let categories: HashMap<&str, Value> =
        categories.iter().map(|name| (*name, json!({"title": name, "score": score(name)}))).collect();
    let saving = |title: &str, most: f64| {
        let saves = (most * slowness * noise(&[url, title])).round();
        json!({"title": title, "score": if saves > 150.0 { 0.4 } else { 0.95 }, "details": {"overallSavingsMs": saves}})
    };
    let mut answer = json!({
        "lighthouseResult": {
            "categories": categories,
            "audits": {
                "largest-contentful-paint": {"title": "Largest Contentful Paint", "numericValue": 900.0 + 6200.0 * slowness},
                "cumulative-layout-shift": {"title": "Cumulative Layout Shift", "numericValue": 0.4 * slowness * noise(&[url, "cls"])},
                "total-blocking-time": {"title": "Total Blocking Time", "numericValue": 900.0 * slowness * slowness},
                "uses-optimized-images": saving("Encode images efficiently", 2600.0),
                "unused-javascript": saving("Reduce unused JavaScript", 1900.0),
                "render-blocking-resources": saving("Eliminate render-blocking resources", 1400.0),
                "uses-text-compression": saving("Enable text compression", 800.0),
            },
        },
    });
    if !host(url).starts_with("nodata.") {
        answer["loadingExperience"] = json!({"metrics": {
            "LARGEST_CONTENTFUL_PAINT_MS": {"percentile": (800.0 + 5200.0 * slowness).round()},
            "CUMULATIVE_LAYOUT_SHIFT_SCORE": {"percentile": (35.0 * slowness * noise(&[url, "cls"])).round()},
            "INTERACTION_TO_NEXT_PAINT": {"percentile": (90.0 + 600.0 * slowness * slowness).round()},
        }});
    }
    answer
}

#[derive(Deserialize)]
struct NewJob {
    key: String,
    url: String,
    pages: u32,
}

async fn start_job(State(memory): State<Memory>, body: Bytes) -> Response {
    let Ok(new) = serde_json::from_slice::<NewJob>(&body) else {
        return failure(StatusCode::BAD_REQUEST, "the job is not the expected JSON");
    };
    if let Some(refusal) = refusal(&new.key) {
        return refusal;
    }
    let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    let job_id = format!("job-{}", memory.jobs.len() + 1);
    let row = JobRow { site: new.url.trim_end_matches('/').to_owned(), pages: new.pages, begun: Instant::now() };
    let answer = json!({"job_id": job_id, "state": "running", "done": 0, "total": row.pages});
    memory.jobs.insert(job_id, row);
    json_answer(StatusCode::ACCEPTED, &answer)
}

async fn job(State(memory): State<Memory>, Path(job_id): Path<String>) -> Response {
    let memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(row) = memory.jobs.get(&job_id) else {
        return failure(StatusCode::NOT_FOUND, "there is no such job");
    };
    if host(&row.site).starts_with("broken.") {
        let failed = json!({"job_id": job_id, "state": "failed", "error": "the site does not answer"});
        return json_answer(StatusCode::OK, &failed);
    }
    let each = measuring_time(host(&row.site)) / 3;
    let done = row.begun.elapsed().as_millis() / each.as_millis().max(1);
    let pages: Vec<Value> = PATHS.iter().cycle().take(row.pages as usize).enumerate().map(|(at, path)| {
        let page = if at < PATHS.len() { format!("{}{path}", row.site) } else { format!("{}{}/{at}", row.site, path.trim_end_matches('/')) };
        let quality = 0.3 + 0.68 * noise(&[&page]);
        json!({"url": page, "performance": hundredths(quality), "lcp_ms": (900.0 + 6200.0 * (1.0 - quality)).round()})
    }).collect();
    let over = done >= u128::from(row.pages);
    let state = if over {
        json!({"job_id": job_id, "state": "done", "done": row.pages, "total": row.pages, "pages": pages})
    } else {
        json!({"job_id": job_id, "state": "running", "done": u64::try_from(done).unwrap_or(0), "total": row.pages})
    };
    json_answer(StatusCode::OK, &state)
}

async fn stop_job(State(memory): State<Memory>, Path(job_id): Path<String>) -> StatusCode {
    let stopped = memory.lock().unwrap_or_else(PoisonError::into_inner).jobs.remove(&job_id);
    if stopped.is_some() { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

const PATHS: [&str; 8] = ["/", "/about", "/pricing", "/blog", "/blog/launch", "/docs", "/contact", "/careers"];

fn refusal(key: &str) -> Option<Response> {
    (key.is_empty() || key.starts_with("wrong")).then(|| failure(StatusCode::FORBIDDEN, "the key is not valid"))
}

fn failure(status: StatusCode, message: &str) -> Response {
    json_answer(status, &json!({"error": {"code": status.as_u16(), "message": message}}))
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#', ':']).next().unwrap_or_default()
}

fn measuring_time(host: &str) -> Duration {
    if host.starts_with("slow.") {
        return Duration::from_secs(50);
    }
    let set = std::env::var("PAGE_SPEED_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    set.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(Duration::from_secs(6))
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// A number from 0 to 1, equal for equal texts (FNV-1a).
fn noise(texts: &[&str]) -> f64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    f64::from(u32::try_from(mixed >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}
