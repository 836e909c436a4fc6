//! A fn that is not async.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *")]
fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
