//! An effect in a chat function, whose context has no rows to remember it.

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Order {
    /// The order to pay.
    order: String,
}

/// Pays an order with the stored card.
#[chat_function(action_type = "write", event = "paid", effects = ["update:order"], allow = ["V24"])]
async fn pay(ctx: Context, params: Order) -> Result<ActionResult> {
    ctx.effect("pay", async |ctx, _| {
        ctx.http().post("https://pay.example/charges").json(&params.order).send().await?.error_for_status()?;
        Ok(())
    })
    .await?;
    Ok(ActionResult::done("Paid."))
}

fn main() {}
