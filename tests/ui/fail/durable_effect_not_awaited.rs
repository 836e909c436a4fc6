//! An effect is not awaited.

#![deny(unused_must_use)]

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    id: String,
}

/// Pays an order.
#[durable_task]
async fn pay(ctx: TaskContext, order: Order) -> Result<ActionResult> {
    ctx.effect("pay", async |_, key| Ok(format!("{} {key}", order.id))).repeat_safe();
    Ok(ActionResult::done("Paid."))
}

fn main() {}
