//! `safe` on functions for which the assistant asks always, or never.
//! mistakes: 2

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: String,
}

/// Looks something up for the user.
#[chat_function(action_type = "read", safe)]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult> {
    Ok(ActionResult::done(params.text))
}

/// Removes something for the user.
#[chat_function(action_type = "destructive", event = "text.gone", effects = ["delete:text"], safe)]
async fn remove(_ctx: Context, params: Params) -> Result<ActionResult> {
    Ok(ActionResult::done(params.text))
}

fn main() {}
