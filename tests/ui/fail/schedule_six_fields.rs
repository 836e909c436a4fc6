//! Seconds in front of the five fields.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 0 3 * * *")]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
