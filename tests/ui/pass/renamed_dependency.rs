//! Cargo.toml renames `imperal`; another item has that name here.

#![deny(warnings)]

extern crate core as imperal;
extern crate imperal as renamed;

use renamed::prelude::*;

renamed::extension! {
    app_id: "renamed",
    name: "Renamed crate",
    description: "Knows the framework by another name, and another crate by its name.",
    icon: "../../icon.svg",
    capabilities: ["renamed:write"],
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
#[chat_function(
    crate = renamed,
    action_type = "write",
    event = "looked",
    effects = ["update:text"],
    id_projection = "text",
    data_model = Data
)]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult> {
    Ok(ActionResult::done(params.text))
}

/// Works something out for the user.
#[durable_task(crate = renamed)]
async fn work(_ctx: TaskContext, data: Data) -> Result<ActionResult> {
    Ok(ActionResult::done(data.text))
}

fn main() {
    let _ = work::with(Data { text: "a".to_owned() });
    assert!(imperal::mem::size_of::<u8>() == 1);
}
