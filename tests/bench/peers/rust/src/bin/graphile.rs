//! `graphile_worker` behind axum: adds jobs and works them off in one process. `DATABASE_URL` and `PORT` in the
//! environment. A queue keeps no results, so `/run` waits for the handler in this process.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions, WorkerUtils,
};
use imperal_bench_peers::variable;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;

static WAITING: LazyLock<Mutex<HashMap<String, oneshot::Sender<()>>>> = LazyLock::new(Mutex::default);

#[derive(Deserialize, Serialize)]
struct Nothing {
    id: String,
}

impl TaskHandler for Nothing {
    const IDENTIFIER: &'static str = "nothing";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        if let Some(waiting) = WAITING.lock().unwrap().remove(&self.id) {
            // The caller may be gone.
            let _ = waiting.send(());
        }
        Ok::<(), String>(())
    }
}

type Answer = Result<Json<Value>, (StatusCode, String)>;

fn failed(error: impl std::fmt::Display) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

async fn start(State(utils): State<Arc<WorkerUtils>>) -> Answer {
    let id = uuid::Uuid::new_v4().to_string();
    utils.add_job(Nothing { id: id.clone() }, JobSpec::default()).await.map_err(failed)?;
    Ok(Json(json!({ "id": id })))
}

async fn run(State(utils): State<Arc<WorkerUtils>>) -> Answer {
    let id = uuid::Uuid::new_v4().to_string();
    let (send, done) = oneshot::channel();
    WAITING.lock().unwrap().insert(id.clone(), send);
    utils.add_job(Nothing { id }, JobSpec::default()).await.map_err(failed)?;
    done.await.map_err(failed)?;
    Ok(Json(json!({ "result": "done" })))
}

#[tokio::main]
async fn main() {
    let options = WorkerOptions::default()
        .database_url(&variable("DATABASE_URL"))
        .schema("graphile_worker")
        .max_pg_conn(20)
        .concurrency(16)
        .local_queue(LocalQueueConfig::default().with_size(100))
        .complete_job_batch_delay(Duration::from_millis(1))
        .define_job::<Nothing>();
    let worker = options.init().await.unwrap();
    let router = axum::Router::new()
        .route("/start/nothing", post(start))
        .route("/run/nothing", post(run))
        .with_state(Arc::new(worker.create_utils()));
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{}", variable("PORT"))).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    worker.run().await.unwrap();
}
