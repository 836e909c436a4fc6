//! The params struct and the answer are called like common types, and are structs all the same.

#![deny(warnings)]

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Value {
    text: String,
}

type ActionResult = imperal::ActionResult<Data>;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

/// Looks something up for the user.
#[chat_function(action_type = "read")]
async fn look(_ctx: Context, params: Value) -> Result<ActionResult> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
