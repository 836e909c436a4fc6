//! Forbidden lints do not conflict with the expansions' own `allow`s.

#![forbid(unsafe_code, deprecated, missing_docs, unreachable_pub, unused_variables)]

use imperal::prelude::*;

imperal::extension! {
    app_id: "strict",
    name: "Strict crate",
    description: "Shows that forbidden lints get along with the macros.",
    icon: "../../icon.svg",
    capabilities: ["strict:read"],
}

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
async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

/// Works something out for the user.
#[durable_task]
pub async fn work(_ctx: TaskContext, text: String) -> Result<ActionResult> {
    Ok(ActionResult::done(text))
}

fn main() {}
