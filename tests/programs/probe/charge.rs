//! A durable task with one effect: a payment.

use imperal::prelude::*;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Charge {
    /// The service that takes the money.
    url: String,
    /// Seconds until its answer no longer counts.
    timeout: u64,
}

/// Pays once, and says how that is known.
#[durable_task]
async fn pay_charge(ctx: TaskContext, charge: Charge) -> Result<ActionResult> {
    let pay = async |ctx: Context, _| {
        ctx.http().post(&charge.url).timeout(charge.timeout).send().await?.error_for_status()?;
        Ok(())
    };
    let paid = ctx.effect("pay", pay).await?;
    Ok(ActionResult::done(if paid.is_some() { "It is paid." } else { "You say that it is paid." }))
}

/// Pay in the background.
#[chat_function(action_type = "write", event = "charged", effects = ["update:probe"], background)]
async fn charge(ctx: Context, params: Charge) -> Result<ActionResult> {
    ctx.durable_task(pay_charge::with(params)).name("charge").await?;
    Ok(ActionResult::done("Paying."))
}
