//! A body that is not valid Rust yet: only the parser reports an error.

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
#[chat_function(action_type = "read")]
async fn look(ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    let words = ;
    ctx.progress(50, "Looking").await?;
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
