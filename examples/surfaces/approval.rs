//! Asks a person before it publishes: the task waits for days, over restarts, and goes on by itself if nobody answers.
//! `cargo run --example approval`; then `call publish_page title=News`, and `answer` in another terminal or the chat

use imperal::prelude::*;

imperal::extension! {
    app_id: "approval",
    name: "Page publisher",
    description: "Prepares a page and publishes it once its author has approved it.",
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
    /// Everybody can read it at once.
    Publish,
    /// It stays a draft.
    Discard,
}

#[durable_task]
async fn publish(ctx: TaskContext, page: Page) -> Result<ActionResult<Page>> {
    let text = ctx.step("write", async |_| Ok(format!("All about {}.", page.title))).await?;
    let words = ctx.step("check", async |_| Ok(text.split_whitespace().count())).await?;
    let question = format!("Publish “{}”, {words} words?", page.title);
    let two_days = Duration::from_secs(2 * 24 * 3600);
    let said = match ctx.ask("approve", question).within(two_days).or(Approval::Discard).await? {
        // The step stands for the request that publishes the page.
        Approval::Publish => ctx.step("publish", async |_| Ok(format!("“{}” is published.", page.title))).await?,
        Approval::Discard => format!("“{}” stays a draft.", page.title),
    };
    Ok(ActionResult::success(page, said))
}

/// Prepares a page, asks you, and publishes it.
#[chat_function(action_type = "write", event = "page_published", effects = ["create:page"], data_model = Page, background)]
async fn publish_page(ctx: Context, params: Page) -> Result<ActionResult> {
    ctx.durable_task(publish::with(params)).await?;
    Ok(ActionResult::done("Writing the page; you will be asked."))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn publishes_what_is_approved(platform: imperal::testing::TestPlatform) {
    let anna = platform.user("anna");
    anna.answers("approve", "Publish");
    anna.run("publish_page", serde_json::json!({"title": "News"})).await.assert_says("“News” is published.");
}
