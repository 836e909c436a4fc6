//! A name with a dash.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *", name = "night-tidy")]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
