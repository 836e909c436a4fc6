//! A spread without its unit.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *", spread = "30")]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
