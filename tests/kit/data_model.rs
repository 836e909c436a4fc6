//! A task's data against the function's `data_model`.

use imperal::prelude::*;
use imperal::testing::TestPlatform;
use serde_json::json;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Summary {
    text: String,
}

/// Make a video, whose task returns data of another type.
#[chat_function(
    action_type = "write",
    event = "video_made",
    effects = ["create:video"],
    data_model = crate::Video,
    background
)]
async fn promise_a_video(ctx: Context, _params: crate::Nothing) -> Result<ActionResult> {
    ctx.background_task(|_| async { Ok(ActionResult::success(Summary { text: "Made.".to_owned() }, "Made.")) }).await?;
    Ok(ActionResult::done("Making your video…"))
}

/// Make a video, whose task returns no data.
#[chat_function(
    action_type = "write",
    event = "video_made",
    effects = ["create:video"],
    data_model = crate::Video,
    background
)]
async fn make_no_video(ctx: Context, _params: crate::Nothing) -> Result<ActionResult> {
    ctx.background_task(|_| async { Ok(ActionResult::done("There was nothing to make.")) }).await?;
    Ok(ActionResult::done("Making your video…"))
}

#[imperal::test]
async fn task_with_data_of_another_type_does_not_start(platform: TestPlatform) {
    let anna = platform.user("anna");
    let reply = anna.call("promise_a_video", json!({})).await.unwrap();
    assert_eq!(reply.result.error_code.unwrap(), "INTERNAL");
    assert_eq!(anna.transcript().await.matches("task ").count(), 0, "{}", anna.transcript().await);
}

#[imperal::test]
async fn task_without_data_starts_under_any_data_model(platform: TestPlatform) {
    platform.user("anna").run("make_no_video", json!({})).await.assert_success();
}
