//! A future that is not Send.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *")]
async fn tidy(ctx: Context) -> Result<()> {
    let kept = std::rc::Rc::new(1);
    ctx.deliver_chat_message("Tidy.").await?;
    println!("{kept}");
    Ok(())
}

fn main() {}
