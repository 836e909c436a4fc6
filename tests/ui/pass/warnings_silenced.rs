//! Every warning of the attribute, silenced by its code, on the fn, or in the module.

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

/// Writes something down for the user.
#[chat_function(action_type = "write", background, allow = ["V10", "V20", "V24", "P15"])]
async fn by_code(_ctx: Context, params: Params) -> Result<ActionResult> {
    Ok(ActionResult::done(params.text))
}

/// Writes something down for the user.
#[chat_function(action_type = "write", background)]
#[allow(deprecated)]
async fn on_the_fn(_ctx: Context, params: Params) -> Result<ActionResult> {
    Ok(ActionResult::done(params.text))
}

#[allow(deprecated)]
#[chat_function(action_type = "write", background, description = "Writes something down for the user.")]
async fn before_it(_ctx: Context, params: Params) -> Result<ActionResult> {
    Ok(ActionResult::done(params.text))
}

#[allow(deprecated)]
mod quiet {
    use super::{ActionResult, Context, Params, Result, chat_function};

    /// Writes something down for the user.
    #[chat_function(
        action_type = "write",
        name = "a_name_that_is_longer_than_any_language_model_would_ever_be_shown_of_it"
    )]
    async fn in_the_module(_ctx: Context, params: Params) -> Result<ActionResult> {
        Ok(ActionResult::done(params.text))
    }

    imperal::extension! {
        app_id: "silent",
        name: "Silent crate",
        description: "Shows that every warning can be silenced.",
        icon: "../../icon.svg",
    }
}

fn main() {
    let _ = |data: Data| data.text;
}
