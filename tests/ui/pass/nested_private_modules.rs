//! Private functions and types anywhere in the crate.

#![deny(warnings)]

mod outer {
    mod types {
        use imperal::prelude::*;

        #[derive(Deserialize, JsonSchema)]
        pub(super) struct Params {
            pub(super) text: String,
        }
    }

    mod inner {
        mod innermost {
            use super::super::types;
            use imperal::prelude::*;

            #[derive(Serialize, Deserialize, JsonSchema)]
            struct Data {
                text: String,
            }

            /// Looks something up for the user.
            #[chat_function(action_type = "read", id_projection = "text")]
            async fn look(_ctx: Context, params: types::Params) -> Result<ActionResult<Data>> {
                Ok(ActionResult::success(Data { text: params.text }, "Found."))
            }
        }
    }
}

fn main() {}
