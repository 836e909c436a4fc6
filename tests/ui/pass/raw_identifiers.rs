//! Keywords as names.

#![deny(warnings)]
#![allow(non_camel_case_types)]

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct r#struct {
    r#type: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct r#enum {
    r#type: String,
}

/// Looks something up for the user.
#[chat_function(action_type = "read", id_projection = "type")]
async fn r#match(_ctx: Context, r#in: r#struct) -> Result<ActionResult<r#enum>> {
    Ok(ActionResult::success(r#enum { r#type: r#in.r#type }, "Found."))
}

fn main() {}
