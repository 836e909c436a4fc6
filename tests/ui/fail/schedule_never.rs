//! A day that no month has.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 0 30 2 *")]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
