//! Doc comments of every kind, before and after the attribute.

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

macro_rules! text {
    () => {
        "Looks up what a macro says about it."
    };
}

#[doc = "Looks something up for the user,"]
#[chat_function(action_type = "read")]
/// in two places.
#[inline]
#[doc(alias = "find")]
/// - one
async fn around(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

/**
 * Looks something up,
 * said in a block.
 *
 * # Errors
 * None.
 */
#[chat_function(action_type = "read")]
async fn block(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

#[doc = text!()]
#[chat_function(action_type = "read")]
async fn computed(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
