//! A mistake in the options does not hide a wrong type.
//! mistakes: 2

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
#[chat_function(action_type = "raed")]
async fn look(_ctx: Context, params: Params) -> bool {
    params.text.is_empty()
}

fn main() {}
