//! The attribute is on a method without a body.

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

#[allow(async_fn_in_trait)]
pub trait Service {
    /// Looks something up for the user.
    #[chat_function(action_type = "read")]
    async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>>;
}

fn main() {}
