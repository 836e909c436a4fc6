//! serde's name of a field is the name in the schema and in the projection.

#![deny(warnings)]

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Params {
    row_id: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

/// Looks something up for the user.
#[chat_function(action_type = "read", id_projection = "rowId")]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.row_id }, "Found."))
}

fn main() {}
