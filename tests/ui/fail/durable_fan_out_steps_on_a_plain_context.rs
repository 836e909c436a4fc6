//! Steps of many items in a chat function, whose context has no rows to remember them.

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Package {
    /// The roles to draw.
    roles: Vec<String>,
}

/// Draws the images of a package.
#[chat_function(action_type = "write", event = "drawn", effects = ["update:package"], allow = ["V24"])]
async fn draw(ctx: Context, params: Package) -> Result<ActionResult> {
    ctx.fan_out_steps("image", &params.roles, async |ctx, role| {
        ctx.http().post("https://draw.example").json(role).send().await?.error_for_status()?;
        Ok(())
    })
    .await?;
    Ok(ActionResult::done("Drawn."))
}

fn main() {}
