//! A faulty signature does not hide errors in the body.
//! mistakes: 2

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
async fn look(ctx: Context, params: Params, limit: usize) -> Result<ActionResult<Data>> {
    let words = params.te.split(' ').take(limit);
    ctx.progress(50, "Looking").await?;
    Ok(ActionResult::success(Data { text: words.collect() }, "Found."))
}

fn main() {}
