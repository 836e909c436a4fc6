//! Structs with the names of common types as parameters and data.

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
