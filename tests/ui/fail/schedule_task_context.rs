//! The context of a durable task.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *")]
async fn tidy(_ctx: TaskContext) -> Result<()> {
    Ok(())
}

fn main() {}
