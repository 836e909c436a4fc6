//! mistakes: 3
//! A missing `Result<..>` is reported together with the other mistakes in the signature.

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
unsafe fn look(_ctx: Context, params: Params) -> ActionResult<Data> {
    ActionResult::success(Data { text: params.text }, "Found.")
}

fn main() {}
