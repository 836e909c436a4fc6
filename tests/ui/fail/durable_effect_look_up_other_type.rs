//! The look-up of an effect finds another type than the effect returns.

use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    id: String,
}

/// Pays an order.
#[durable_task]
async fn pay(ctx: TaskContext, order: Order) -> Result<ActionResult> {
    let receipt: String = ctx
        .effect("pay", async |_, key| Ok(format!("{} {key}", order.id)))
        .look_up(async |_, key| Ok(Some(key)))
        .await?;
    Ok(ActionResult::done(receipt))
}

fn main() {}
