//! The work has no final value (P2).

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

/// Looks something up for the user.
#[chat_function(action_type = "write", event = "looked", effects = ["read:text"], data_model = Data)]
async fn look(ctx: Context, params: Params) -> Result<ActionResult> {
    ctx.background_task(|ctx| async move {
        ctx.log().info("Looking");
    })
    .await?;
    Ok(ActionResult::done("Looking…"))
}

fn main() {}
