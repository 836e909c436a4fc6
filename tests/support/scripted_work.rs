//! What a test gives its handler or its durable task to do, as a state of the platform. `documents` and `files` include
//! this file: an extension's functions belong to its own crate.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use imperal::ids::TaskId;
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestSetup, TestUser};
use serde_json::json;

type Work = Pin<Box<dyn Future<Output = Result<ActionResult>> + Send>>;

/// What the handler of a test does.
#[derive(Clone)]
pub(crate) struct InHandler(Arc<dyn Fn(Context) -> Work + Send + Sync>);

/// What the durable task of a test does.
#[derive(Clone)]
pub(crate) struct InTask(Arc<dyn Fn(TaskContext, Log) -> Work + Send + Sync>);

/// What happened how often, kept outside of the process that crashes.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<BTreeMap<String, u32>>>);

impl Log {
    /// Notes that something happened. Returns how often it has.
    pub(crate) fn note(&self, what: &str) -> u32 {
        let mut counts = self.0.lock().unwrap();
        let count = counts.entry(what.to_owned()).or_default();
        *count += 1;
        *count
    }

    pub(crate) fn count(&self, what: &str) -> u32 {
        self.0.lock().unwrap().get(what).copied().unwrap_or_default()
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Serialize, Deserialize)]
struct Input {}

/// Run the test's handler.
#[chat_function(action_type = "write", event = "worked", effects = ["update:work"])]
async fn handle(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let work = ctx.state::<InHandler>()?.clone();
    (work.0)(ctx).await
}

#[durable_task]
async fn scripted(ctx: TaskContext, _input: Input) -> Result<ActionResult> {
    let (work, log) = (ctx.state::<InTask>()?.clone(), ctx.state::<Log>()?.clone());
    log.note("attempt");
    (work.0)(ctx, log).await
}

/// Start the test's durable task.
#[chat_function(action_type = "write", event = "worked", effects = ["update:work"])]
async fn start(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.durable_task(scripted::with(Input {})).name("The work").await?;
    Ok(ActionResult::done("started"))
}

pub(crate) fn handler<F, Fut>(work: F) -> TestSetup
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ActionResult>> + Send + 'static,
{
    TestPlatform::setup().state(InHandler(Arc::new(move |ctx| Box::pin(work(ctx)))))
}

/// Runs a handler once for anna, who must get its answer.
pub(crate) async fn handled<F, Fut>(work: F) -> TestUser
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    handled_with(work, |_| {}).await
}

pub(crate) async fn handled_with<F, Fut>(work: F, settings: impl FnOnce(&mut imperal::platform::Settings)) -> TestUser
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let work = Arc::new(work);
    let platform = handler(move |ctx| {
        let work = work.clone();
        async move { work(ctx).await.map(|()| ActionResult::done("done")) }
    });
    let platform = platform.settings(settings).start().await;
    let anna = platform.user("anna");
    let reply = anna.call("handle", json!({})).await.unwrap();
    assert_eq!(reply.turn.body.text, "done", "{:?}", reply.turn.body);
    anna
}

pub(crate) async fn task<F, Fut>(work: F) -> (TestPlatform, TestUser, Log)
where
    F: Fn(TaskContext, Log) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ActionResult>> + Send + 'static,
{
    let log = Log::default();
    let setup = TestPlatform::setup().state(InTask(Arc::new(move |ctx, log| Box::pin(work(ctx, log)))));
    let platform = setup.state(log.clone()).start().await;
    let anna = platform.user("anna");
    (platform, anna, log)
}

pub(crate) async fn start_task(anna: &TestUser) -> TaskId {
    anna.start("start", json!({})).await
}
