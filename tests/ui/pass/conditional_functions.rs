//! `cfg` before and after the attribute: a function that is left out is not registered.

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
#[cfg(not(doctest))]
#[chat_function(action_type = "read")]
async fn before_on(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

/// Looks something up for the user.
#[cfg(doctest)]
#[chat_function(action_type = "read")]
async fn before_off(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

/// Looks something up for the user.
#[chat_function(action_type = "read")]
#[cfg(not(doctest))]
async fn behind_on(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

/// Looks something up for the user.
#[chat_function(action_type = "read")]
#[cfg(doctest)]
async fn behind_off(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

/// Looks something up for the user.
#[cfg_attr(all(), chat_function(action_type = "read"))]
async fn by_attr(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

fn main() {}
