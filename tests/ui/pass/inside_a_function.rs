//! A chat function inside another function, as in a test.

#![deny(warnings)]

use imperal::prelude::*;

fn main() {
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
    async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
        Ok(ActionResult::success(Data { text: params.text }, "Found."))
    }
}
