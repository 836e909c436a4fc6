//! Other attributes keep their meaning; the fn stays callable.

#![deny(warnings)]

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
#[deprecated = "look elsewhere"]
#[inline]
#[must_use = "an answer"]
pub(crate) async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

#[allow(deprecated)]
async fn caller(ctx: Context) -> Result<usize> {
    let answer = look(ctx, Params { text: "x".to_owned() }).await?;
    Ok(answer.data().map_or(0, |data| data.text.len()))
}

fn main() {
    let _ = caller;
}
