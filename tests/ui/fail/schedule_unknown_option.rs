//! An option that is misspelt.

use imperal::prelude::*;

/// Tidies up at night.
#[schedule(cron = "0 3 * * *", spred = "1h")]
async fn tidy(_ctx: Context) -> Result<()> {
    Ok(())
}

fn main() {}
