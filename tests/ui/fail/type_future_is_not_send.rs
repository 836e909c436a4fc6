//! A value that is not `Send` lives across an await.

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
    let shared = std::rc::Rc::new(params.text);
    ctx.progress(50, "Looking").await?;
    Ok(ActionResult::success(Data { text: shared.to_string() }, "Found."))
}

fn main() {}
