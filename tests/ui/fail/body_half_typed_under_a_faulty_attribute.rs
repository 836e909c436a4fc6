//! A faulty attribute does not hide errors in the body.
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
#[chat_function(action_type = "re")]
async fn look(ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    let words = params.te.split(' ');
    ctx.progress(50, "Looking").await?;
    Ok(ActionResult::success(Data { text: words.collect() }, "Found."))
}

fn main() {}
