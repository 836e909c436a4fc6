//! Asks a person before it publishes a page, and publishes it once: the task waits for days, over restarts and crashes.
//! `cargo run --example approval`; then `call publish_page title=News`, and `answer` in another terminal or the chat

use imperal::prelude::*;

imperal::extension! {
    app_id: "approval",
    name: "Page publisher",
    description: "Publishes a page once its author has approved it.",
    icon: "icon.svg",
    capabilities: ["approval:write"],
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Page {
    #[schemars(length(min = 1, max = 80))]
    title: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum Approval {
    Publish,
    Discard,
}

#[durable_task]
async fn publish(ctx: TaskContext, page: Page) -> Result<ActionResult<Page>> {
    let asked = ctx.ask("approve", format!("Publish “{}”?", page.title)).within(Duration::from_secs(172_800));
    if let Approval::Discard = asked.or(Approval::Discard).await? {
        return Ok(ActionResult::success(page, "The page stays a draft."));
    }
    // The request has the effect's key as `Idempotency-Key`. If its answer is lost, you are asked about it.
    ctx.effect("publish", async |ctx, _key| {
        Ok(ctx.http().post(surfaces::pages_url()).json(&page).send().await?.error_for_status().map(drop)?)
    })
    .await?;
    let said = format!("“{}” is published.", page.title);
    Ok(ActionResult::success(page, said))
}

/// Asks you whether to publish a page, and publishes it.
#[chat_function(action_type = "write", event = "page_published", effects = ["create:page"], data_model = Page, background)]
async fn publish_page(ctx: Context, params: Page) -> Result<ActionResult> {
    ctx.durable_task(publish::with(params)).await?;
    Ok(ActionResult::done("You will be asked."))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn publishes_what_is_approved(platform: imperal::testing::TestPlatform) {
    platform.http().post(surfaces::pages_url()).reply(imperal::testing::Reply::status(201));
    let anna = platform.user("anna");
    anna.answers("approve", "Publish");
    anna.run("publish_page", serde_json::json!({"title": "News"})).await.assert_says("“News” is published.");
    assert!(platform.http().requests()[0].header("idempotency-key").is_some());
}
