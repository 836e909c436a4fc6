//! Several parameters instead of a struct.

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
async fn look_it_up(_ctx: Context, text: &str, tags: Vec<String>, limit: Option<u32>) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: text.to_owned() }, "Found."))
}

fn main() {}
