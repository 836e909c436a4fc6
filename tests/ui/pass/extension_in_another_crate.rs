//! Two extensions in one binary: this crate, and one from `extensions!`.

#![deny(warnings)]

use imperal::prelude::*;

imperal::extensions![imperal_tests_renamed_dependency];

imperal::extension! {
    app_id: "this-crate",
    name: "This crate",
    description: "An extension beside which another one is linked.",
    icon: "../../icon.svg",
    capabilities: ["this-crate:read"],
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

fn main() {}
