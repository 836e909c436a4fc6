//! `tracing::instrument` that skips the parameters, below and above the attribute.

#![deny(warnings)]

use imperal::prelude::*;
use tracing::instrument;

#[derive(Debug, Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

/// Looks something up for the user.
#[chat_function(action_type = "read")]
#[instrument(level = "debug", skip_all)]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

/// Looks something up for the user.
#[instrument(skip_all, fields(app = ctx.app_id()))]
#[chat_function(action_type = "read")]
async fn above(ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, ctx.function()))
}

/// Looks something up for the user.
#[instrument(skip(_ctx, params))]
#[chat_function(action_type = "read")]
async fn named(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
