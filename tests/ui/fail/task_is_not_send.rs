//! The work holds a value that is not `Send`.

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
        let shared = std::rc::Rc::new(params.text);
        ctx.progress(50, "Looking").await?;
        Ok(ActionResult::success(Data { text: shared.to_string() }, "Found."))
    })
    .await?;
    Ok(ActionResult::done("Looking…"))
}

fn main() {}
