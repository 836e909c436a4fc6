//! Signatures over many lines, with attributes, comments and paths.

#![deny(warnings)]

use imperal::prelude::*;

mod deep {
    pub mod down {
        use imperal::prelude::*;

        #[derive(Deserialize, JsonSchema)]
        pub struct ParametersWithALongName {
            pub text: String,
        }

        #[derive(Serialize, Deserialize, JsonSchema)]
        pub struct DataWithALongName<T> {
            pub items: Vec<T>,
        }
    }
}

type Reply<T> = std::result::Result<imperal::ActionResult<T>, imperal::Error>;

/// Looks something up for the user.
#[chat_function(
    action_type = "read",
    description = "Looks something up for the user, said at length.",
    event = "notes.looked_up",
    effects = [
        "read:text",
        "read:index",
    ],
    data_model = deep::down::DataWithALongName<std::collections::BTreeMap<String, Vec<u8>>>,
    chain_callable = true,
)]
pub(crate) async fn look_something_up_for_the_user(
    // the surfaces
    #[allow(unused_variables)] ctx: imperal::Context,
    /* the input */
    #[allow(unused_mut)] mut params: crate::deep::down::ParametersWithALongName,
) -> std::result::Result<
    imperal::ActionResult<crate::deep::down::DataWithALongName<std::collections::BTreeMap<String, Vec<u8>>>>,
    imperal::Error,
> {
    let items = vec![[(params.text, vec![1])].into()];
    Ok(ActionResult::success(deep::down::DataWithALongName { items }, "Found."))
}

/// Looks up what an alias hides.
#[chat_function(action_type = "read")]
async fn aliased(_ctx: Context, _: deep::down::ParametersWithALongName) -> Reply<Vec<(u8, Option<String>)>> {
    Ok(ActionResult::success(vec![(1, None)], "Found."))
}

fn main() {}
