//! The extension of the page's tests of durable tasks: an order that is reserved, charged and shipped.
//!
//! The charge fails until a file exists, so that a test holds the task in a step that is tried again, kills the
//! process, and lets the next attempt succeed.

use std::path::PathBuf;
use std::process::ExitCode;

use imperal::context::StepRetry;
use imperal::prelude::*;

imperal::extension! {
    app_id: "orders",
    name: "Orders",
    description: "Ships orders, in steps that survive a crash.",
    icon: "icon.svg",
    capabilities: ["orders:write"],
}

#[derive(Deserialize, JsonSchema)]
struct OrderParams {
    /// The number of the order.
    number: u32,
}

#[derive(Serialize, Deserialize)]
struct Order {
    number: u32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Shipped {
    /// The number of the order.
    number: u32,
}

/// Reserve, charge and ship an order.
#[durable_task]
async fn ship(ctx: TaskContext, order: Order) -> Result<ActionResult<Shipped>> {
    ctx.step("Reserve stock", async |_| Ok(())).await?;
    ctx.step("Print label", async |_| Ok(())).await?;
    let retry = StepRetry::backoff(50).first_wait(Duration::from_secs(2)).longest_wait(Duration::from_secs(2));
    ctx.retrying(retry).step("Charge the card", async |_| charge()).await?;
    ctx.step("Tell the customer", async |_| Ok(())).await?;
    Ok(ActionResult::success(Shipped { number: order.number }, format!("Order {} is shipped.", order.number)))
}

fn charge() -> Result<()> {
    let bank = PathBuf::from(std::env::var_os("ORDERS_BANK").unwrap_or_default());
    if bank.exists() { Ok(()) } else { Err(Error::internal("The bank did not answer (504).")) }
}

/// Ship an order in the background.
#[chat_function(action_type = "write", event = "shipped", effects = ["update:order"], data_model = Shipped, background)]
async fn ship_order(ctx: Context, params: OrderParams) -> Result<ActionResult> {
    let order = Order { number: params.number };
    ctx.durable_task(ship::with(order)).name(format!("Order {}", params.number)).long_running(true).await?;
    Ok(ActionResult::done("Shipping…"))
}

fn main() -> ExitCode {
    imperal::run()
}
