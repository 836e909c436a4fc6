//! The value of an effect has neither `Serialize` nor `Deserialize`.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    id: String,
}

struct Receipt {
    id: String,
}

/// Pays an order.
#[durable_task]
async fn pay(ctx: TaskContext, order: Order) -> Result<ActionResult> {
    let receipt = ctx.effect("pay", async |_, _| Ok(Receipt { id: order.id.clone() })).repeat_safe().await?;
    Ok(ActionResult::done(receipt.id))
}

fn main() {}
