//! DBOS Transact for Rust behind axum. `DATABASE_URL`, `PORT` and `EXECUTOR` in the environment.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use dbos::{Config, DBOS, WorkflowRef};
use imperal_bench_peers::{unix_micros, variable};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

type Outcome = dbos::Result<String>;
type Work = WorkflowRef<Job, String, dbos::EngineOnly>;

/// As the job of the other sides.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Job {
    count: u32,
    name: String,
    service: String,
}

async fn ask(url: String) -> dbos::Result<()> {
    let answer = reqwest::get(url).await.map_err(|error| dbos::Error::Config(error.to_string()))?;
    answer.error_for_status().map_err(|error| dbos::Error::Config(error.to_string()))?;
    Ok(())
}

async fn nothing(_: Job) -> Outcome {
    Ok("done".to_owned())
}

async fn count(job: Job) -> Outcome {
    let mut sum = 0;
    for number in 0..job.count {
        sum += dbos::step("count", || async move { dbos::Result::Ok(number) }).await?;
    }
    Ok(format!("sum {sum}"))
}

async fn travel(job: Job) -> Outcome {
    for step in 1..=5 {
        if step == 4 {
            dbos::sleep::<dbos::EngineOnly>(Duration::from_secs(3)).await?;
        }
        let url = format!("{}/{}/{step}", job.service, job.name);
        dbos::step("ask", || ask(url.clone())).await?;
    }
    Ok("done".to_owned())
}

async fn rest(_: Job) -> Outcome {
    dbos::sleep::<dbos::EngineOnly>(Duration::from_secs(3600)).await?;
    Ok("done".to_owned())
}

async fn report(job: Job) -> Outcome {
    for number in 0..job.count {
        tokio::time::sleep(Duration::from_millis(150)).await;
        dbos::set_event(&format!("p{number}"), &format!("at={};", unix_micros())).await?;
    }
    Ok("done".to_owned())
}

struct App {
    dbos: DBOS,
    works: Vec<(&'static str, Work)>,
}

type Answer = Result<Json<Value>, (StatusCode, String)>;

fn failed(error: impl std::fmt::Display) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

impl App {
    fn work(&self, name: &str) -> Result<&Work, (StatusCode, String)> {
        let found = self.works.iter().find(|(known, _)| *known == name);
        found.map(|(_, work)| work).ok_or((StatusCode::NOT_FOUND, name.to_owned()))
    }
}

async fn start(State(app): State<Arc<App>>, Path(name): Path<String>, Json(job): Json<Job>) -> Answer {
    let handle = app.work(&name)?.start(job).await.map_err(failed)?;
    Ok(Json(json!({ "id": handle.workflow_id() })))
}

async fn run(State(app): State<Arc<App>>, Path(name): Path<String>, Json(job): Json<Job>) -> Answer {
    let result = app.work(&name)?.run(job).await.map_err(failed)?;
    Ok(Json(json!({ "result": result })))
}

async fn status(State(app): State<Arc<App>>, Path(id): Path<String>) -> Answer {
    let handle = app.dbos.retrieve_workflow::<String, dbos::EngineOnly>(&id).map_err(failed)?;
    Ok(Json(json!({ "status": format!("{:?}", handle.status().await.map_err(failed)?) })))
}

async fn event(State(app): State<Arc<App>>, Path((id, key)): Path<(String, String)>) -> Answer {
    let value = app.dbos.get_event::<String>(&id, &key, Duration::from_secs(10)).await.map_err(failed)?;
    Ok(Json(json!({ "value": value })))
}

#[tokio::main]
async fn main() {
    let config = Config {
        app_version: Some("1".to_owned()),
        executor_id: std::env::var("EXECUTOR").ok(),
        ..Config::new("bench", variable("DATABASE_URL"))
    };
    let dbos = DBOS::new(config);
    let works = vec![
        ("nothing", dbos.register_workflow("nothing", nothing).unwrap()),
        ("count", dbos.register_workflow("count", count).unwrap()),
        ("travel", dbos.register_workflow("travel", travel).unwrap()),
        ("rest", dbos.register_workflow("rest", rest).unwrap()),
        ("report", dbos.register_workflow("report", report).unwrap()),
    ];
    dbos.launch().await.unwrap();
    let router = axum::Router::new()
        .route("/start/{name}", post(start))
        .route("/run/{name}", post(run))
        .route("/status/{id}", get(status))
        .route("/event/{id}/{key}", get(event))
        .with_state(Arc::new(App { dbos, works }));
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{}", variable("PORT"))).await.unwrap();
    axum::serve(listener, router).await.unwrap();
}
