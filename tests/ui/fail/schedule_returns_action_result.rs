//! An answer, which nobody would see.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *")]
async fn tidy(_ctx: Context) -> Result<ActionResult> {
    Ok(ActionResult::done("Tidy."))
}

fn main() {}
