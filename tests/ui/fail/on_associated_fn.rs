//! The attribute stands on an associated fn.
//! one more error: no macro can see that it stands in an `impl`, so both errors are the compiler's own

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
