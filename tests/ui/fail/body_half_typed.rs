//! An incomplete body: the compiler knows the types in it.

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
    let words = params.te.split(' ');
    ctx.progress(50, "Looking").await?;
    Ok(ActionResult::success(Data { text: words.collect() }, "Found."))
}

fn main() {}
