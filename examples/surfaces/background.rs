//! Acknowledges at once, works in the background, and posts the outcome.
//! `cargo run --example background -- call brew cups=3 --follow`

use imperal::prelude::*;

imperal::extension! {
    app_id: "background",
    name: "Tea kitchen",
    description: "Brews tea in the background and reports every cup that is ready.",
    icon: "icon.svg",
    capabilities: ["background:write"],
}

#[derive(Deserialize, JsonSchema)]
struct BrewParams {
    #[schemars(range(min = 1, max = 20))]
    cups: u32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Tea {
    cups: u32,
}

/// Brews cups of tea in the background.
#[chat_function(action_type = "write", event = "tea_ready", effects = ["create:tea"], data_model = Tea, background)]
async fn brew(ctx: Context, params: BrewParams) -> Result<ActionResult> {
    let cups = params.cups;
    // The task is on disk when this await returns.
    ctx.background_task(move |ctx| async move {
        for cup in 0..cups {
            // Tells the user, counts as a sign of life, and returns an error after a cancel.
            ctx.progress(100 * cup / cups, format!("Cup {} of {cups}", cup + 1)).await?;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        Ok(ActionResult::success(Tea { cups }, format!("{cups} cups are ready.")))
    })
    .await?;
    Ok(ActionResult::done("Putting the kettle on…"))
}

fn main() -> ExitCode {
    imperal::run()
}

#[cfg(test)]
#[imperal::test]
async fn brews_every_cup(platform: imperal::testing::TestPlatform) {
    let outcome = platform.user("anna").run("brew", serde_json::json!({"cups": 3})).await;
    assert_eq!(outcome.assert_success().data::<Tea>().cups, 3);
}
