//! Files of extensions: what handlers and steps may write, which parameters name a file, who sees it, what is left after
//! a crash.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod handlers;
mod parameters;
mod steps;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use imperal::ids::TaskId;
use imperal::prelude::*;
use imperal::testing::{TestPlatform, TestSetup, TestUser};
use serde_json::json;

imperal::extension! {
    app_id: "files",
    name: "Files",
    description: "Keeps the files that a test gives it, and reads those of a call.",
    icon: "icon.svg",
    capabilities: ["files:write"],
}

type Work = Pin<Box<dyn Future<Output = Result<ActionResult>> + Send>>;

/// What the handler of a test does.
#[derive(Clone)]
struct InHandler(Arc<dyn Fn(Context) -> Work + Send + Sync>);

/// What the durable task of a test does.
#[derive(Clone)]
struct InTask(Arc<dyn Fn(TaskContext, Log) -> Work + Send + Sync>);

/// What happened how often, kept outside of the process that crashes.
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
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

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

#[derive(Deserialize, JsonSchema)]
struct ReadParams {
    /// The file.
    file: FileRef,
    /// More files, of which some may be missing.
    #[serde(default)]
    more: Vec<Option<FileRef>>,
    /// A picture.
    #[schemars(extend("contentMediaType" = "image/*"))]
    picture: Option<FileRef>,
}

#[derive(Serialize, JsonSchema)]
struct Read {
    files: Vec<FileRef>,
    text: String,
}

/// Read the files of a call.
#[chat_function(action_type = "read")]
async fn read_files(ctx: Context, params: ReadParams) -> Result<ActionResult<Read>> {
    let files: Vec<_> =
        [params.file].into_iter().chain(params.more.into_iter().flatten()).chain(params.picture).collect();
    let mut text = String::new();
    for file in &files {
        text.push_str(&String::from_utf8_lossy(&ctx.files().get(file).await?));
    }
    Ok(ActionResult::success(Read { files, text: text.clone() }, text))
}

fn handler<F, Fut>(work: F) -> TestSetup
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<ActionResult>> + Send + 'static,
{
    TestPlatform::setup().state(InHandler(Arc::new(move |ctx| Box::pin(work(ctx)))))
}

/// Runs a handler once for anna, who must get its answer.
async fn handled<F, Fut>(work: F) -> TestUser
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    handled_with(work, |_| {}).await
}

async fn handled_with<F, Fut>(work: F, settings: impl FnOnce(&mut imperal::platform::Settings)) -> TestUser
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

async fn task<F, Fut>(work: F) -> (TestPlatform, TestUser, Log)
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

async fn start_task(anna: &TestUser) -> TaskId {
    anna.start("start", json!({})).await
}

fn names(files: &[FileRef]) -> Vec<&str> {
    files.iter().map(|file| &*file.name).collect()
}
