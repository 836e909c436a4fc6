//! A faulty function can still be called: one error.

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
#[chat_function(action_type = "raed")]
async fn look(ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

async fn caller(ctx: Context) -> Result<usize> {
    let answer = look(ctx, Params { text: "x".to_owned() }).await?;
    Ok(answer.data().map_or(0, |data| data.text.len()))
}

fn main() {
    let _ = caller;
}
