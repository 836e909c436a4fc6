//! A nickname that is no time.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "@reboot")]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
