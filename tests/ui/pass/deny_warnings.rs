//! The expansions cause no warning of any lint group.

#![deny(warnings)]
#![deny(future_incompatible, keyword_idents, let_underscore, nonstandard_style, refining_impl_trait, rust_2018_idioms)]
#![deny(rust_2021_compatibility, rust_2024_compatibility, unused)]
#![deny(missing_docs, missing_debug_implementations, unreachable_pub, unused_qualifications, unit_bindings)]
#![deny(single_use_lifetimes, trivial_casts, unused_lifetimes, unused_results, variant_size_differences)]
#![deny(clippy::all, clippy::pedantic)]
#![forbid(unsafe_code)]

use imperal::prelude::*;

imperal::extension! {
    app_id: "quiet",
    name: "Quiet crate",
    description: "Shows that nothing is warned about in what the macros write.",
    icon: "../../icon.svg",
    capabilities: ["quiet:read"],
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
#[chat_function(action_type = "read", id_projection = "text")]
async fn look(_ctx: Context, params: Params) -> Result<ActionResult<Data>> {
    Ok(ActionResult::success(Data { text: params.text }, "Found."))
}

/// Writes something down for the user.
#[chat_function(
    action_type = "destructive",
    event = "written",
    effects = ["update:text"],
    data_model = Data,
    background,
    long_running,
)]
async fn write(ctx: Context, params: Params) -> Result<ActionResult> {
    let task = ctx
        .background_task(|_| async move { Ok(ActionResult::success(Data { text: params.text }, "Written.")) })
        .name("write")
        .long_running(true)
        .await?;
    Ok(ActionResult::done(format!("Writing as {task}.")))
}

fn main() {}
