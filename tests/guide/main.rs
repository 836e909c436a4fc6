//! The code of `docs/testing.md` and of the README's testing section as tests.
//!
//! The last test finds each of their snippets in this file, line by line.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "a short example without data_model")]

use imperal::context::JobStatus;
use imperal::ledger::TaskState;
use imperal::prelude::*;
use imperal::testing::{Reply, TestPlatform, TestSetup};
use serde_json::json;

imperal::extension! {
    app_id: "videos",
    name: "Video maker",
    description: "Makes videos with a rendering service and posts them in the chat.",
    icon: "icon.svg",
    capabilities: ["videos:write"],
}

#[derive(Deserialize, JsonSchema)]
struct VideoParams {
    /// What the video shows.
    about: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Video {
    url: String,
}

#[derive(Deserialize)]
struct Job {
    id: u64,
    percent: f64,
    url: Option<String>,
}

/// Make a video in the background and post it in the chat.
#[chat_function(action_type = "write", event = "video_made", effects = ["create:video"], data_model = Video)]
async fn make_video(ctx: Context, params: VideoParams) -> Result<ActionResult> {
    let key = format!("video:{}", params.about);
    ctx.background_task(|ctx| async move {
        ctx.progress(5, "Asking the service").await?;
        let jobs = "https://render.example/jobs";
        let job: Job = ctx.http().post(jobs).body(params.about).send().await?.error_for_status()?.json()?;
        let (job, cancel) = (format!("{jobs}/{}", job.id), format!("{jobs}/{}", job.id));
        let url = ctx
            .poll(async || {
                let job: Job = ctx.http().get(&job).send().await?.error_for_status()?.json()?;
                Ok(job.url.map_or(JobStatus::at(job.percent, "Rendering"), JobStatus::Done))
            })
            .every(Duration::from_secs(60))
            .progress(10..=90)
            .on_cancel(move |ctx| async move {
                ctx.http().delete(cancel).timeout(5).send().await?;
                Ok(())
            })
            .await?;
        Ok(ActionResult::success(Video { url }, "Your video is ready."))
    })
    .key(key)
    .long_running(true)
    .await?;
    Ok(ActionResult::done("Making your video…"))
}

/// Has three scenes rendered, each in a step.
#[durable_task]
async fn film(ctx: TaskContext, about: String) -> Result<ActionResult> {
    for scene in 1..=3 {
        let order = ctx.step(("scene", scene), async |ctx| {
            let order = ctx.http().post("https://render.example/scenes").json(&(&about, scene)).timeout(120);
            order.send().await?.error_for_status()?;
            Ok(())
        });
        order.await?;
    }
    Ok(ActionResult::done("Your film is ready."))
}

/// Make a film of three scenes in the background.
#[chat_function(action_type = "write", event = "film_made", effects = ["create:film"])]
async fn make_film(ctx: Context, params: VideoParams) -> Result<ActionResult> {
    ctx.durable_task(film::with(params.about)).long_running(true).await?;
    Ok(ActionResult::done("Making your film…"))
}

struct Greeting(&'static str);

/// Greet in the words that were set up.
#[chat_function(action_type = "write", event = "greeted", effects = ["create:greeting"])]
async fn greet(ctx: Context, _params: VideoParams) -> Result<ActionResult> {
    ctx.background_task(|ctx| async move {
        let Greeting(words) = ctx.state::<Greeting>()?;
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(ActionResult::done(*words))
    })
    .await?;
    Ok(ActionResult::done("Soon."))
}

/// Chapters that are written, one file per book in the data folder.
struct Shelf(std::path::PathBuf);

impl Shelf {
    fn open(folder: &std::path::Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder.join("shelf"))?;
        Ok(Self(folder.join("shelf")))
    }

    fn chapters(&self, book: &str) -> usize {
        std::fs::read_to_string(self.0.join(book)).map_or(0, |text| text.lines().count())
    }

    fn write(&self, book: &str, chapter: usize) -> std::io::Result<()> {
        std::fs::write(self.0.join(book), "chapter\n".repeat(chapter))
    }
}

/// Write a book of three chapters, a minute each, and go on where an earlier run ended.
#[chat_function(action_type = "write", event = "book_written", effects = ["create:book"])]
async fn write_book(ctx: Context, params: VideoParams) -> Result<ActionResult> {
    ctx.background_task(|ctx| async move {
        let shelf = ctx.state::<Shelf>()?;
        let before = shelf.chapters(&params.about);
        for chapter in before + 1..=3 {
            ctx.progress(30 * chapter, format!("Chapter {chapter}")).await?;
            shelf.write(&params.about, chapter)?;
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        Ok(ActionResult::done(format!("{before} of 3 chapters were written before")))
    })
    .long_running(true)
    .await?;
    Ok(ActionResult::done("Writing…"))
}

/// A rendering service whose job is done after three looks.
fn service(platform: &TestPlatform) {
    let http = platform.http();
    let job = |percent: u32, url: Option<&str>| Reply::json(json!({"id": 7, "percent": percent, "url": url}));
    http.post("https://render.example/jobs").reply(job(0, None));
    http.get("https://render.example/jobs/7").replies([job(10, None), job(60, None), job(100, Some("v.mp4"))]);
}

#[imperal::test]
async fn a_video_is_made_in_the_background(platform: TestPlatform) {
    service(&platform);
    let anna = platform.user("anna");
    let reply = anna.call("make_video", json!({"about": "cats"})).await.unwrap();
    assert_eq!(reply.turn.body.text, "Making your video…");

    let task = anna.access().running_tasks().await.unwrap()[0].task_id;
    let outcome = anna.outcome(task).await;
    outcome.assert_success().assert_says("ready");
    assert_eq!(outcome.data::<Video>().url, "v.mp4");
}

#[imperal::test]
async fn the_service_is_asked_for_what_the_user_wants(platform: TestPlatform) {
    service(&platform);
    platform.user("anna").run("make_video", json!({"about": "cats"})).await.assert_success();

    let sent = platform.http().requests();
    assert_eq!((sent[0].method.as_str(), sent[0].text()), ("POST", "cats"));
    assert_eq!(sent.len(), 4, "one order, three looks");
}

#[imperal::test]
async fn a_service_that_fails_is_an_error_that_can_be_tried_again(platform: TestPlatform) {
    platform.http().post("https://render.example/*").reply(Reply::status(503).after(Duration::from_secs(20)));
    let outcome = platform.user("anna").run("make_video", json!({"about": "cats"})).await;
    outcome.assert_state(TaskState::Failed).assert_code("BACKEND_5XX");
}

#[imperal::test]
async fn a_service_that_never_finishes_is_stopped_at_the_cap(platform: TestPlatform) {
    let http = platform.http();
    http.any("https://render.example/*").reply(Reply::json(json!({"id": 7, "percent": 1})));
    let anna = platform.user("anna");
    let task = anna.start("make_video", json!({"about": "cats"})).await;
    platform.pass(Duration::from_secs(1799)).await;
    assert_eq!(anna.access().running_tasks().await.unwrap().len(), 1);
    anna.outcome(task).await.assert_state(TaskState::TimedOut).assert_code("BACKEND_TIMEOUT");
}

#[imperal::test]
async fn wherever_the_user_cancels_the_job_is_cancelled_too(platform: TestPlatform) {
    let http = platform.http();
    http.post("https://render.example/jobs").reply(Reply::json(json!({"id": 7, "percent": 0})));
    let looks = [20, 60, 90].map(|percent| Reply::json(json!({"id": 7, "percent": percent})));
    let done = Reply::json(json!({"id": 7, "percent": 100, "url": "v.mp4"}));
    http.get("*/jobs/7").replies([&looks[..], &[done]].concat());
    http.get("*/jobs/7").reply(Reply::json(json!({"id": 7, "percent": 50})));
    let cancels = http.delete("*/jobs/7").reply(Reply::status(204));

    let anna = platform.user("anna");
    let outcome = anna.run_and_cancel_when("make_video", json!({"about": "cats"}), |said| said.percent >= 50.0).await;
    outcome.assert_state(TaskState::Cancelled);
    assert_eq!(cancels.calls(), 1);
}

#[imperal::test]
async fn a_cancel_is_heard_at_every_progress(platform: TestPlatform) {
    let http = platform.http();
    http.post("*/jobs").reply(Reply::json(json!({"id": 7, "percent": 0})));
    http.get("*/jobs/7").reply(Reply::json(json!({"id": 7, "percent": 50, "url": "v.mp4"})));
    platform
        .user("anna")
        .cancel_at_each_progress("make_video", json!({"about": "cats"}), async |run| {
            assert!(run.task.percent.is_some(), "{}", run.transcript);
        })
        .await;
}

#[imperal::test]
async fn each_chapter_can_be_cancelled(setup: TestSetup) {
    let platform = setup.state_in(Shelf::open).start().await;
    let book = async |run| json!({"about": format!("book {run}")});
    let anna = platform.user("anna");
    anna.cancel_at_each_progress_with("write_book", book, async |run| {
        run.assert_says("cancelled");
    })
    .await;
}

#[imperal::test]
async fn chapters_survive_a_crash(setup: TestSetup) {
    let platform = setup.state_in(Shelf::open).start().await;
    let anna = platform.user("anna");
    let task = anna.start("write_book", json!({"about": "cats"})).await;
    platform.pass(Duration::from_secs(90)).await;
    platform.crash().await;
    anna.outcome(task).await.assert_state(TaskState::Reclaimed);
    anna.run("write_book", json!({"about": "cats"})).await.assert_says("2 of 3 chapters were written before");
}

#[imperal::test]
async fn a_crash_ends_the_task_and_the_next_one_may_start(platform: TestPlatform) {
    service(&platform);
    let anna = platform.user("anna");
    let task = anna.start("make_video", json!({"about": "cats"})).await;
    platform.pass(Duration::from_secs(90)).await;

    platform.crash().await;

    anna.outcome(task).await.assert_state(TaskState::Reclaimed).assert_code("INTERRUPTED");
    anna.run("make_video", json!({"about": "cats"})).await.assert_success();
}

#[imperal::test]
async fn a_crash_repeats_one_scene(platform: TestPlatform) {
    let minute = Reply::status(200).after(Duration::from_secs(60));
    let scenes = platform.http().post("https://render.example/scenes").reply(minute);
    let anna = platform.user("anna");
    let film = anna.start("make_film", json!({"about": "cats"})).await;
    platform.pass(Duration::from_secs(90)).await;

    platform.crash().await;

    anna.outcome(film).await.assert_success();
    assert_eq!(scenes.calls(), 4, "three scenes, and the second a second time");
    let sent = platform.http().requests();
    let key = |at: usize| sent[at].header("idempotency-key").unwrap();
    assert_eq!(key(1), key(2), "the service can recognise the repeated order");
    assert_ne!(key(0), key(1));
}

#[imperal::test]
async fn a_deploy_repeats_no_scene(platform: TestPlatform) {
    let seconds = Reply::status(200).after(Duration::from_secs(5));
    let scenes = platform.http().post("https://render.example/scenes").reply(seconds);
    let anna = platform.user("anna");
    let film = anna.start("make_film", json!({"about": "cats"})).await;
    platform.pass(Duration::from_secs(8)).await;

    platform.deploy().await;

    anna.outcome(film).await.assert_success();
    assert_eq!(scenes.calls(), 3);
}

#[imperal::test]
async fn the_film_is_made_wherever_the_process_dies(platform: TestPlatform) {
    platform.http().post("https://render.example/scenes").reply(Reply::status(200));
    let film = async |run| json!({"about": format!("film {run}")});
    let anna = platform.user("anna");
    anna.crash_at_each_step("make_film", film, async |run| {
        run.assert_says("Your film is ready.");
    })
    .await;
}

#[imperal::test]
async fn one_video_of_a_kind_at_a_time_for_each_user(platform: TestPlatform) {
    platform.http().any("*").reply(Reply::hang());
    let (anna, ben) = (platform.user("anna"), platform.user("ben"));
    anna.start("make_video", json!({"about": "cats"})).await;
    let second = anna.call("make_video", json!({"about": "cats"})).await.unwrap();
    assert_eq!(second.result.error_code.unwrap(), "ALREADY_RUNNING");
    ben.start("make_video", json!({"about": "cats"})).await;
    assert!(!ben.transcript().await.contains("running already"));
}

#[imperal::test]
async fn state_and_settings_are_given_before_the_start(setup: TestSetup) {
    let setup = setup.state(Greeting("Hello."));
    let platform = setup.settings(|settings| settings.task_cap = Duration::from_secs(30)).start().await;
    let outcome = platform.user("anna").run("greet", json!({"about": ""})).await;
    outcome.assert_state(TaskState::TimedOut);
}

#[imperal::test]
async fn what_the_real_service_said_once(setup: TestSetup) {
    let platform = setup.recording("recordings/make_video.json").start().await;
    platform.user("anna").run("make_video", json!({"about": "cats"})).await.assert_success();
}

/// A snippet's lines without their indentation and without `use` lines.
fn bare(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("use ")).collect()
}

#[test]
fn every_snippet_is_one_of_these_tests() {
    let here = bare(include_str!("main.rs"));
    let readme = include_str!("../../README.md").split("## Testing an extension").nth(1).unwrap_or_default();
    let mut snippets = 0;
    for page in [include_str!("../../docs/testing.md"), readme.split("\n## ").next().unwrap_or_default()] {
        for snippet in page.split("```rust").skip(1) {
            let snippet = bare(snippet.split("```").next().unwrap_or_default().trim_start_matches(",no_run"));
            let found = here.windows(snippet.len()).any(|lines| lines == snippet);
            assert!(found, "no test is\n{}", snippet.join("\n"));
            snippets += 1;
        }
    }
    assert!(snippets >= 9, "found {snippets} only");
}
