//! An extension whose Cargo.toml renames `imperal` to `engine`. The attribute expands to paths of
//! `::imperal`, so the crate declares that name once; `extension!` needs nothing.

extern crate engine as imperal;

engine::extension! {
    app_id: "renamed-dependency",
    name: "Renamed dependency",
    description: "An extension crate that renames its dependency on the framework.",
    icon: "icon.svg",
    capabilities: ["renamed-dependency:read"],
}

mod private {
    use engine::prelude::*;

    #[derive(Deserialize, JsonSchema)]
    struct EchoParams {
        text: String,
    }

    #[derive(Serialize, JsonSchema)]
    struct Echo {
        text: String,
    }

    /// Answers what it was asked, in a crate of its own.
    #[chat_function(action_type = "read", id_projection = "text")]
    async fn echo(_ctx: Context, params: EchoParams) -> Result<ActionResult<Echo>> {
        Ok(ActionResult::success(Echo { text: params.text }, "Echoed."))
    }

    /// Echoes for as long as it takes.
    #[durable_task]
    async fn echo_on(_ctx: TaskContext, text: String) -> Result<ActionResult<Echo>> {
        Ok(ActionResult::success(Echo { text }, "Echoed."))
    }
}
