//! Functions from a `macro_rules!` macro, one of them with `crate = $crate`.

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

macro_rules! lookups {
    ($($(#[$doc:meta])* $name:ident: $params:ty => $data:ty, $effect:literal;)*) => {$(
        $(#[$doc])*
        #[chat_function(action_type = "read", effects = [$effect], data_model = $data)]
        async fn $name(_ctx: Context, params: $params) -> Result<ActionResult<$data>> {
            Ok(ActionResult::success(Data { text: params.text }, "Found."))
        }
    )*};
}

lookups! {
    /// Looks something up for the user.
    first: Params => Data, "read:first";
    /// Looks something else up for the user.
    second: Params => Data, "read:second";
}

macro_rules! described {
    ($name:ident, $text:expr) => {
        #[doc = $text]
        #[chat_function(action_type = "read")]
        async fn $name(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
            Ok(ActionResult::success(Data { text: params.text }, "Found."))
        }
    };
}

described!(third, "Looks a third thing up for the user.");

fn main() {}
