//! The attribute is on an associated fn.
//! one more error: the macro cannot see that it is in an `impl`, so the compiler reports both errors

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

struct Service;

impl Service {
    /// Looks something up for the user.
    #[chat_function(action_type = "read")]
    async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
        Ok(ActionResult::success(Data { text: params.text }, "Found."))
    }
}

fn main() {}
