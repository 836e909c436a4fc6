//! A small image service with the HTTP interface of a real one. It paints a landscape for each prompt, after some
//! seconds. The example works without an account because of it.
//!
//! A key that begins with `wrong` is refused. The second job whose prompt has `lightning` in it fails. `MEDIA_SECONDS`
//! sets the duration of a job. `/v1/creations/recent` lists the jobs, so that a test can count them.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flate2::{Compression, Crc, write::ZlibEncoder};
use serde_json::{Value, json};
use tokio::time::Instant;

#[derive(Clone)]
struct Service {
    base: String,
    /// The number of the first job. It differs between processes.
    first: usize,
    jobs: Arc<Mutex<Vec<Job>>>,
}

struct Job {
    idempotency_key: String,
    prompt: String,
    begun: Instant,
}

/// Starts the service on loopback, on a free port, and returns its base URL.
pub(crate) async fn start() -> std::io::Result<String> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let base = format!("http://{}", listener.local_addr()?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let first = usize::try_from(now.as_millis() % 1_000_000).unwrap_or_default();
    let app = Router::new()
        .route("/v1/ai/mystic", post(begin))
        .route("/v1/ai/mystic/{job}", get(status))
        .route("/v1/creations/recent", get(recent))
        .route("/img/{file}", get(image))
        .with_state(Service { base: base.clone(), first, jobs: Arc::default() });
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(base)
}

async fn begin(State(service): State<Service>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refusal) = refusal(&headers) {
        return refusal;
    }
    let Ok(order) = serde_json::from_slice::<Value>(&body) else {
        return answer(StatusCode::BAD_REQUEST, &json!({"message": "the job is not JSON"}));
    };
    let job = Job {
        idempotency_key: value(&headers, "idempotency-key").to_owned(),
        prompt: order["prompt"].as_str().unwrap_or_default().to_owned(),
        begun: Instant::now(),
    };
    let mut jobs = service.jobs.lock().unwrap_or_else(PoisonError::into_inner);
    jobs.push(job);
    let id = service.first + jobs.len() - 1;
    answer(StatusCode::OK, &json!({"data": {"task_id": id.to_string(), "status": "CREATED"}}))
}

async fn status(State(service): State<Service>, Path(id): Path<String>) -> Response {
    let jobs = service.jobs.lock().unwrap_or_else(PoisonError::into_inner);
    let at = id.parse::<usize>().ok().and_then(|id| id.checked_sub(service.first));
    // A job of an earlier process has ended.
    let job = at.and_then(|at| Some((at, jobs.get(at)?)));
    let fails = |(at, job): (usize, &Job)| {
        let lightning = jobs.iter().take(at + 1).filter(|job| job.prompt.contains("lightning")).count();
        job.prompt.contains("lightning") && lightning == 2
    };
    let data = if job.is_some_and(|(_, job)| job.begun.elapsed() < seconds()) {
        json!({"task_id": id, "status": "IN_PROGRESS", "generated": []})
    } else if job.is_some_and(fails) {
        json!({"task_id": id, "status": "FAILED", "generated": []})
    } else {
        json!({"task_id": id, "status": "COMPLETED", "generated": [format!("{}/img/{id}.png", service.base)]})
    };
    answer(StatusCode::OK, &json!({ "data": data }))
}

/// The jobs, or the one of an idempotency key.
async fn recent(
    State(service): State<Service>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = refusal(&headers) {
        return refusal;
    }
    let wanted = query.iter().find(|(name, _)| name == "idempotency_key").map(|(_, key)| key);
    let jobs = service.jobs.lock().unwrap_or_else(PoisonError::into_inner);
    let numbered =
        (service.first..).zip(jobs.iter()).filter(|(_, job)| wanted.is_none_or(|key| *key == job.idempotency_key));
    let rows: Vec<Value> =
        numbered.map(|(number, job)| json!({"task_id": number.to_string(), "prompt": job.prompt})).collect();
    answer(StatusCode::OK, &json!({ "data": rows }))
}

/// `7.png`: the image of the seventh job.
async fn image(Path(file): Path<String>) -> Response {
    let seed = file.strip_suffix(".png").and_then(|job| job.parse().ok());
    match seed.map(png) {
        Some(Ok(bytes)) => ([(header::CONTENT_TYPE, "image/png")], bytes).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Hills under a sky, in colours that depend on the seed.
fn png(seed: u32) -> std::io::Result<Vec<u8>> {
    let (width, height) = (640_u32, 400_u32);
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::fast());
    for y in 0..height {
        // Each row begins with its filter: none.
        let mut row = vec![0_u8];
        row.extend((0..width).map(|x| {
            let hill = |level: u32, steep: u32| {
                let wave = (x * steep * 100 / width + seed % 100 * 37 * steep) % 200;
                y * 100 / height > level - wave.abs_diff(100) / (3 + steep)
            };
            u8::from(hill(62, 1)) + u8::from(hill(80, 3))
        }));
        rows.write_all(&row)?;
    }
    let shade = |at: u32| u8::try_from(seed % 100 * 47 % 90 + at).unwrap_or(u8::MAX);
    let palette = [190, 215, shade(150), shade(70), 130, 110, 40, shade(50), 70];
    let size = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 3, 0, 0, 0]].concat();
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", size), (b"PLTE", palette.to_vec()), (b"IDAT", rows.finish()?), (b"IEND", Vec::new())]
    {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(&data);
        file.extend(u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
        file.extend(kind.iter().chain(&data).chain(&crc.sum().to_be_bytes()));
    }
    Ok(file)
}

fn seconds() -> Duration {
    let set = std::env::var("MEDIA_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    set.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(Duration::from_secs(5))
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn refusal(headers: &HeaderMap) -> Option<Response> {
    let key = value(headers, "x-api-key");
    let refused = || answer(StatusCode::FORBIDDEN, &json!({"message": "the key is not valid"}));
    (key.is_empty() || key.starts_with("wrong")).then(refused)
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
