//! Parameters destructured in the signature.

#![deny(warnings)]

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
#[chat_function(action_type = "read", id_projection = "text")]
async fn look(_: Context, Params { text }: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text }, "Found."))
}

/// Looks up what needs no parameters.
#[chat_function(action_type = "read")]
async fn all(_ctx: Context, NoParams {}: NoParams) -> Result<ActionResult<Vec<Data>>> {
    Ok(ActionResult::success(vec![], "Nothing."))
}

#[derive(Deserialize, JsonSchema)]
struct NoParams {}

fn main() {}
