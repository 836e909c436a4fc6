//! An hour that no day has.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 25 * * *")]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
