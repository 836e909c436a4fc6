//! Steps of many items are not awaited.

#![deny(unused_must_use)]

use imperal::prelude::*;

/// Draws the images of a package.
#[durable_task]
async fn draw(ctx: TaskContext, roles: Vec<String>) -> Result<ActionResult> {
    ctx.fan_out_steps("image", &roles, async |_, role| Ok(role.len())).at_most(2);
    Ok(ActionResult::done("Drawn."))
}

fn main() {}
