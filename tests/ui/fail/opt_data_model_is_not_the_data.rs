//! `data_model` with another type than the data in the return type.

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Other {
    text: String,
}

/// Looks something up for the user.
#[chat_function(action_type = "read", data_model = Other)]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
