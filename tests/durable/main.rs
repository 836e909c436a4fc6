//! Durable tasks on a platform in memory: what runs again and what does not, after crashes and deploys.
//!
//! Each test gives the body of its durable task to the platform as a state, so that every attempt finds it.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod answers;
mod audit;
mod cancel;
mod capacity;
mod captured;
mod crashes;
mod data_model;
mod effects;
mod fan_out_steps;
mod follow_up;
mod hand_over;
mod hazards;
mod leaving;
mod limits;
mod log;
mod messages;
mod misfits;
mod nesting;
mod questions;
mod queues;
mod replay;
mod steps;
mod stuck;
mod timeline;
mod waits;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use imperal::ids::TaskId;
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestSetup, TestUser};
use imperal_tests::eventually;
use serde_json::json;

imperal::extension! {
    app_id: "durable",
    name: "Durable",
    description: "Runs the durable work that a test gives it.",
    icon: "icon.svg",
    capabilities: ["durable:write"],
}

#[derive(Deserialize, JsonSchema)]
struct StartParams {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    queue: Option<String>,
    /// How long the call goes on after it has started the task, in seconds.
    #[serde(default)]
    linger: u64,
}

#[derive(Serialize, Deserialize)]
struct Job {
    number: u32,
}

type Work = Pin<Box<dyn Future<Output = Result<ActionResult>> + Send>>;

/// The body of the test's durable task.
#[derive(Clone)]
struct Body(Arc<dyn Fn(TaskContext, Log) -> Work + Send + Sync>);

/// The actions of a test's attempts, kept outside of the process that crashes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<BTreeMap<String, u32>>>);

impl Log {
    /// Notes that something happened. Returns how often it has.
    fn note(&self, what: &str) -> u32 {
        let mut counts = self.0.lock().unwrap();
        let count = counts.entry(what.to_owned()).or_default();
        *count += 1;
        *count
    }

    fn count(&self, what: &str) -> u32 {
        self.0.lock().unwrap().get(what).copied().unwrap_or_default()
    }

    /// How often each of these numbered things has happened.
    fn counts<const N: usize>(&self, what: &str, numbers: [u32; N]) -> [u32; N] {
        numbers.map(|number| self.count(&format!("{what} {number}")))
    }
}

/// Runs the test's body.
#[durable_task]
async fn scripted(ctx: TaskContext, _job: Job) -> Result<ActionResult> {
    let (body, log) = (ctx.state::<Body>()?.clone(), ctx.state::<Log>()?.clone());
    log.note("attempt");
    (body.0)(ctx, log).await
}

/// Start the test's durable task.
#[chat_function(action_type = "write", event = "worked", effects = ["update:work"])]
async fn start(ctx: Context, params: StartParams) -> Result<ActionResult> {
    let mut task = ctx.durable_task(scripted::with(Job { number: 7 })).name("The work").long_running(true);
    if let Some(key) = params.key {
        task = task.key(key);
    }
    if let Some(queue) = params.queue {
        task = task.queue(queue);
    }
    task.await?;
    tokio::time::sleep(Duration::from_secs(params.linger)).await;
    Ok(ActionResult::done("started"))
}

fn body<F, Fut>(body: F) -> Body
where
    F: Fn(TaskContext, Log) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ActionResult>> + Send + 'static,
{
    Body(Arc::new(move |ctx, log| Box::pin(body(ctx, log))))
}

fn setup(body: Body) -> (TestSetup, Log) {
    let log = Log::default();
    (TestPlatform::setup().state(body).state(log.clone()), log)
}

async fn platform(body: Body) -> (TestPlatform, TestUser, Log) {
    let (setup, log) = setup(body);
    let platform = setup.start().await;
    let anna = platform.user("anna");
    (platform, anna, log)
}

/// Starts the test's durable task. The tasks that it starts itself belong to the same call.
async fn start_task(anna: &TestUser) -> TaskId {
    start_with(anna, json!({})).await
}

async fn start_with(anna: &TestUser, params: serde_json::Value) -> TaskId {
    let reply = anna.call("start", params).await.unwrap();
    let tasks = anna.access().tasks_of_call(reply.call_id).await.unwrap();
    tasks.iter().find(|task| task.durable).unwrap().task_id
}

/// Waits until something has happened this often.
async fn until(log: &Log, what: &str, count: u32) {
    eventually(what, async || (log.count(what) >= count).then_some(())).await;
}
