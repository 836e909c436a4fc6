//! The data model lacks `JsonSchema`.

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Serialize)]
struct Data {
    text: String,
}

/// Looks something up for the user.
#[chat_function(action_type = "read", data_model = Data)]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult> {
    Ok(ActionResult::done("Found."))
}

fn main() {}
