//! A retried step of a plain context.

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    package: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Package {
    images: u32,
}

/// Counts the images of a package.
#[chat_function(action_type = "read")]
async fn count(ctx: Context, params: Params) -> Result<ActionResult<Package>> {
    let retry = imperal::context::StepRetry::backoff(3);
    let images = ctx.retrying(retry).step("count", async |_| Ok(params.package.parse()?)).await?;
    Ok(ActionResult::success(Package { images }, "Counted."))
}

fn main() {}
