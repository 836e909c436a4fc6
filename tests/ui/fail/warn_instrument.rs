//! `tracing::instrument` records the parameters (P22). The warning is an error here.

#![deny(deprecated)]

use imperal::prelude::*;
use tracing::instrument;

#[derive(Debug, Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

/// Looks something up for the user.
#[chat_function(action_type = "read")]
#[instrument(skip(_ctx))]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
