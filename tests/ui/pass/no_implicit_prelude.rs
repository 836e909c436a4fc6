//! A crate without the prelude.

#![deny(warnings)]

mod types {
    use imperal::prelude::*;

    #[derive(Deserialize, JsonSchema)]
    pub struct Params {
        pub text: String,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    pub struct Data {
        pub text: String,
    }
}

#[no_implicit_prelude]
mod bare {
    use super::types::{Data, Params};
    use ::imperal::{ActionResult, Context, Result, TaskContext, chat_function, durable_task};

    ::imperal::extension! {
        app_id: "bare",
        name: "Bare crate",
        description: "Shows that nothing needs to be in scope by itself.",
        icon: "../../icon.svg",
        capabilities: ["bare:read"],
    }

    /// Looks something up for the user.
    #[chat_function(action_type = "read", id_projection = "text", data_model = Data, background)]
    async fn look(ctx: Context, params: Params) -> Result<ActionResult> {
        ctx.background_task(|_| async move {
            ::std::result::Result::Ok(ActionResult::success(Data { text: params.text }, "Found."))
        })
        .await?;
        ::std::result::Result::Ok(ActionResult::done("Looking."))
    }

    /// Looks something up for as long as it takes.
    #[durable_task]
    async fn look_on(ctx: TaskContext, data: Data) -> Result<ActionResult<Data>> {
        let text = ctx.step("text", async |_| ::std::result::Result::Ok(data.text)).await?;
        ::std::result::Result::Ok(ActionResult::success(Data { text }, "Found."))
    }

    /// Looks something up at once.
    #[chat_function(action_type = "read")]
    async fn look_now(_: Context, params: Params) -> Result<ActionResult<Data>> {
        ::std::result::Result::Ok(ActionResult::success(Data { text: params.text }, "Found."))
    }
}

fn main() {}
