//! A zone.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *", zone = "Europe/Berlin")]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
