//! `tracing::instrument` above the attribute expands first (P22). The warning is an error here.

#![deny(deprecated)]

use imperal::prelude::*;

#[derive(Debug, Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

#[tracing::instrument(skip(_ctx))]
/// Looks something up for the user.
#[chat_function(action_type = "read")]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
