//! The author's names equal names in the expansion.

#![deny(warnings)]
#![allow(non_camel_case_types)]

use imperal::prelude::*;

mod handler {
    use super::*;

    #[derive(Deserialize, JsonSchema)]
    pub struct ChatHandler {
        pub params: String,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Handler {
        pub ctx: String,
    }
}

/// Looks something up for the user.
#[chat_function(action_type = "read", id_projection = "params")]
async fn call(ctx: Context, params: handler::ChatHandler) -> Result<ActionResult<handler::Handler>> {
    ctx.log().info("called");
    Ok(ActionResult::success(handler::Handler { ctx: params.params }, "Found."))
}

/// Looks something else up for the user.
#[chat_function(action_type = "read")]
async fn ctx(_: Context, _: handler::ChatHandler) -> Result<ActionResult<handler::Handler>> {
    Ok(ActionResult::error("NOT_FOUND", "Nothing."))
}

/// Looks a third thing up for the user.
#[chat_function(action_type = "read")]
async fn params(_: Context, _: handler::ChatHandler) -> Result<ActionResult<handler::Handler>> {
    Ok(ActionResult::error("NOT_FOUND", "Nothing."))
}

mod tasks {
    use imperal::prelude::*;

    #[durable_task]
    pub(super) async fn input(_ctx: TaskContext, input: String) -> Result<ActionResult> {
        Ok(ActionResult::done(input))
    }

    #[durable_task]
    pub(super) async fn with(with: TaskContext, ctx: String) -> Result<ActionResult> {
        with.log().info("called");
        Ok(ActionResult::done(ctx))
    }
}

fn main() {
    let _ = (tasks::input::with(String::new()), tasks::with::with(String::new()));
}
