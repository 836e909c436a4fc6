//! Waits in the background until a web page is up: checks it every 5 s, for at most ten minutes.
//! `cargo run --example poll -- call wait_for url=https://example.com --follow`

use imperal::context::JobStatus;
use imperal::prelude::*;

imperal::extension! {
    app_id: "poll",
    name: "Deploy watcher",
    description: "Waits until a web page answers with success and then says so in the chat.",
    icon: "icon.svg",
    capabilities: ["poll:write"],
}

#[derive(Deserialize, JsonSchema)]
struct WaitParams {
    #[schemars(url)]
    url: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Page {
    status: u16,
}

/// Waits up to ten minutes until a web page answers with success.
#[chat_function(action_type = "write", event = "page_up", effects = ["create:notice"], data_model = Page, background)]
async fn wait_for(ctx: Context, params: WaitParams) -> Result<ActionResult> {
    ctx.background_task(move |ctx| async move {
        let status = ctx
            .poll(async || {
                let status = ctx.http().get(&params.url).timeout(10).send().await?.status();
                Ok(if status.is_success() { JobStatus::Done(status) } else { JobStatus::Pending })
            })
            .every(Duration::from_secs(5))
            .within(Duration::from_secs(600))
            // A page that is down fails the check: only `within` ends the wait.
            .tolerating(u32::MAX)
            .await?;
        Ok(ActionResult::success(Page { status: status.as_u16() }, format!("The page answers {status}.")))
    })
    .long_running(true)
    .await?;
    Ok(ActionResult::done("Watching the page…"))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn waits_until_the_page_is_up(platform: imperal::testing::TestPlatform) {
    use imperal::testing::Reply;
    let down = [Reply::connect_error(), Reply::connect_error(), Reply::connect_error(), Reply::connect_error()];
    platform.http().get("https://a.example").replies(down.into_iter().chain([503, 200].map(Reply::status)));
    let outcome = platform.user("anna").run("wait_for", serde_json::json!({"url": "https://a.example"})).await;
    outcome.assert_success().assert_says("200 OK");
}
