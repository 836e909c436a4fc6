//! Every way to write an effect of a durable task; `?` infers its error type.

#![deny(warnings)]

use imperal::context::{EffectAnswer, EffectKey};
use imperal::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    id: String,
    lines: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct Receipt {
    id: String,
}

async fn charge(ctx: &Context, order: &Order, key: &EffectKey) -> Result<Receipt> {
    let request = ctx.http().post("https://pay.example/charges").json(order).header("x-key", key);
    Ok(request.send().await?.error_for_status()?.json()?)
}

async fn look(ctx: &Context, key: &str) -> Result<Option<Receipt>> {
    let found = ctx.http().get("https://pay.example/charges").query(&[("key", key)]).send().await?;
    Ok(found.error_for_status()?.json::<Vec<Receipt>>()?.pop())
}

/// A helper takes the context of the task.
async fn ship(ctx: &TaskContext, order: &Order) -> Result<()> {
    for (at, line) in order.lines.iter().enumerate() {
        ctx.effect(("ship", at), async |ctx, _| {
            ctx.http().put(format!("https://ship.example/{line}")).send().await?.error_for_status()?;
            Ok(())
        })
        .repeat_safe()
        .await?;
    }
    Ok(())
}

/// Pays an order and ships it.
#[durable_task]
async fn pay(ctx: TaskContext, order: Order) -> Result<ActionResult> {
    let first: Option<Receipt> = ctx.effect("pay", async |ctx, key| charge(&ctx, &order, &key).await).await?;
    let safe: Receipt = ctx.effect("safe", async |ctx, key| charge(&ctx, &order, &key).await).repeat_safe().await?;
    let looked_up = ctx
        .effect("looked up", async |ctx, key| charge(&ctx, &order, &key).await)
        .look_up(async |ctx, key| look(&ctx, key.as_ref()).await)
        .await?;
    // A closure that returns a block, and a number from a parse.
    let block = ctx.effect("block", |_, key| async move { Ok(key.as_str().len()) }).repeat_safe().await?;
    let parsed = ctx.effect("parsed", async |_, _| Ok(order.id.parse::<u32>()?)).await;
    let declined: Result<Option<()>> =
        ctx.effect("declined", async |_, _| Err(Error::user("DECLINED", "The card was declined.").not_done())).await;
    let (left, right) = tokio::join!(
        ctx.effect(("both", 1), async |_, _| Ok(1)).into_future(),
        ctx.effect(("both", 2), async |_, _| Ok(2)).repeat_safe().into_future(),
    );
    ship(&ctx, &order).await?;
    let ids = [first.map(|receipt| receipt.id).unwrap_or_default(), safe.id, looked_up.id].join(" ");
    let told = format!("{ids} {block} {parsed:?} {declined:?} {left:?} {right:?} {:?}", EffectAnswer::Done);
    Ok(ActionResult::done(told))
}

fn main() {}
