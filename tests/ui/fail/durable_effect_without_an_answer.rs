//! A plain effect may be done without a value: the body has to say what it does then.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    id: String,
}

/// Pays an order.
#[durable_task]
async fn pay(ctx: TaskContext, order: Order) -> Result<ActionResult> {
    let receipt: String = ctx.effect("pay", async |_, key| Ok(format!("{} {key}", order.id))).await?;
    Ok(ActionResult::done(receipt))
}

fn main() {}
