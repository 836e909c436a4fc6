//! No parameters.

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
async fn look() -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: "x".to_owned() }, "Found."))
}

fn main() {}
