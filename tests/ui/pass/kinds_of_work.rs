//! Every way to write the work of a background task; `?` infers its error type.

#![deny(warnings)]

use imperal::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Params {
    text: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Data {
    text: String,
}

async fn named(ctx: Context) -> Result<ActionResult<Data>> {
    ctx.progress(50, "Halfway").await?;
    Ok(ActionResult::success(Data { text: "named".to_owned() }, "Found."))
}

struct Worker {
    text: String,
}

impl Worker {
    async fn run(self, _ctx: Context) -> Result<ActionResult<Data>> {
        Ok(ActionResult::success(Data { text: self.text }, "Found."))
    }
}

/// Looks something up in every way.
#[chat_function(action_type = "read", data_model = Data, background, long_running = true, chain_callable = false)]
async fn look(ctx: Context, params: Params) -> Result<ActionResult> {
    let Params { text } = params;
    let worker = Worker { text: text.clone() };
    let path = text.clone();
    ctx.background_task(async move |ctx: Context| {
        ctx.progress(1, &text).await?;
        let number: u32 = text.parse()?;
        Ok(ActionResult::success(Data { text: number.to_string() }, "Found."))
    })
    .await?;
    ctx.background_task(|_| async move {
        let text = std::fs::read_to_string(path)?;
        if text.is_empty() {
            return Ok(ActionResult::error(codes::BACKEND_5XX, "There is nothing.").retryable());
        }
        Ok(ActionResult::success(Data { text }, "Found."))
    })
    .name("file")
    .long_running(true)
    .await?;
    ctx.background_task(named).await?;
    ctx.background_task(|ctx| worker.run(ctx)).await?;
    ctx.background_task(|ctx| Box::pin(named(ctx))).await?;
    ctx.background_task(|_| async { Ok(ActionResult::done("Nothing to say.")) }).await?;
    Ok(ActionResult::done("Looking."))
}

fn main() {}
