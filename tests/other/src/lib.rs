//! An extension whose Cargo.toml renames `imperal` to `engine`. One line gives the attribute its
//! `::imperal` back; `extension!` needs nothing.

extern crate engine as imperal;

engine::extension! {
    app_id: "other-crate",
    name: "Other crate",
    description: "An extension crate that knows the framework by another name.",
    icon: "icon.svg",
    capabilities: ["other-crate:read"],
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
}
