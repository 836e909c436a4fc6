//! The authors' test kit: `#[imperal::test]`, scripted HTTP, crashes, cancels at any point.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]
#![allow(deprecated, reason = "the results of test functions need no data_model")]

mod data_model;
mod failing;
mod http;
mod platform;
mod recording;
mod state;

use imperal::context::{JobStatus, Retry};
use imperal::prelude::*;

imperal::extension! {
    app_id: "kit",
    name: "Videos",
    description: "Makes videos with an external service, and greets its users.",
    icon: "icon.svg",
    capabilities: ["kit:write"],
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Address {
    url: String,
    /// Seconds.
    #[serde(default)]
    timeout: Option<u64>,
    #[serde(default)]
    body: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema, Debug, PartialEq)]
struct Video {
    url: String,
}

/// Make a video with the service.
#[chat_function(action_type = "write", event = "video_made", effects = ["create:video"], data_model = Video)]
async fn make_video(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|ctx| async move {
        ctx.progress(5, "Asking for a video").await?;
        let asked = ctx.http().post("https://video.example/v1/jobs").json(&serde_json::json!({"seconds": 30}));
        let job: serde_json::Value =
            asked.idempotency_key("video-1").retry(Retry::backoff(4)).send().await?.error_for_status()?.json()?;
        let job = format!("https://video.example/v1/jobs/{}", job["id"]);
        let cancel = job.clone();
        let url = ctx
            .poll(async || {
                let job: serde_json::Value = ctx.http().get(&job).send().await?.error_for_status()?.json()?;
                Ok(match job["video"].as_str() {
                    Some(url) => JobStatus::Done(url.to_owned()),
                    None => JobStatus::at(job["percent"].as_f64().unwrap_or_default(), "Rendering"),
                })
            })
            .every(Duration::from_secs(30))
            .progress(10..=90)
            .on_cancel(move |ctx| async move {
                ctx.http().delete(cancel).timeout(5).send().await?;
                Ok(())
            })
            .await?;
        ctx.deliver_chat_message("Nearly there.").await?;
        ctx.progress(95, "Saving").await?;
        Ok(ActionResult::success(Video { url }, "Your video is ready."))
    })
    .name("Video")
    .key("video")
    .long_running(true)
    .await?;
    Ok(ActionResult::done("Making your video…"))
}

/// Fetch a page and say what came of it.
#[chat_function(action_type = "write", event = "fetched", effects = ["update:page"])]
async fn fetch(ctx: Context, params: Address) -> Result<ActionResult> {
    let asked = match params.body {
        Some(body) => ctx.http().post(&params.url).body(body),
        None => ctx.http().get(&params.url),
    };
    let sent = asked.header("x-client", "kit").timeout(params.timeout.unwrap_or(30)).send().await;
    Ok(ActionResult::done(match sent {
        Ok(answer) => format!("{} {}", answer.status().as_u16(), String::from_utf8_lossy(answer.bytes())),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }))
}

/// Break, and tell only the log how.
#[chat_function(action_type = "write", event = "broken", effects = ["update:page"])]
async fn break_inside(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    let log = ctx.clone();
    ctx.blocking(move |_| {
        log.log().info("turning the drum");
        Ok(())
    })
    .await?;
    Err(Error::internal("the drum is stuck"))
}

/// Fail in the background with words of its own.
#[chat_function(action_type = "write", event = "failed", effects = ["update:page"])]
async fn fail(ctx: Context, _params: Nothing) -> Result<ActionResult> {
    ctx.background_task(|_| async { Ok(<ActionResult>::error("NO_PAPER", "The printer has no paper.")) })
        .name("Print")
        .await?;
    Ok(ActionResult::done("Printing…"))
}
